/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper. Owns its pipe: a byte is what the daemon wants, an end of file that the
 * mount has gone already, or that the daemon was killed.
 */
#include "fuse/keeper.h"

#include "core/error.h"
#include "fuse/channel.h"
#include "fuse/privilege.h"
#include "fuse/refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WORD_UNMOUNT 'u'
#define WORD_REFUSE 'r'

/* The keeper outlives what ends the daemon: a terminal that closes, a session that is
 * told to end. */
static void
ignore_signals (void)
{
  static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
  for (size_t i = 0; i < G_N_ELEMENTS (ignored); i++)
    signal (ignored[i], SIG_IGN);
  /* fusermount3 is waited for. */
  signal (SIGCHLD, SIG_DFL);
}

static bool
prepare (int fd, int device, GError **error)
{
  ignore_signals ();
  setsid ();
  prctl (PR_SET_NAME, "vtree-keeper", 0, 0, 0);
  return vtree_privilege_close_inherited (fd, device, error)
         && vtree_privilege_detach (error)
         && vtree_privilege_drop (VTREE_KEEP_MOUNT | VTREE_KEEP_READ, error);
}

/* What comes next through FD; an end of file counts as 0. */
static char
next_word (int fd)
{
  char word = 0;
  ssize_t got;
  while ((got = read (fd, &word, 1)) < 0 && errno == EINTR)
    continue;
  return got == 1 ? word : 0;
}

static int
run (const char *dir, int device, int fd)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) own = device < 0 ? -1 : vtree_refuse_prepare (device);
  char word;
  if (!prepare (fd, own, &error))
    return 1;
  while ((word = next_word (fd)) == WORD_REFUSE)
    vtree_refuse_waiting (own);
  if (word == 0)
    vtree_refuse_waiting (own);
  /* Nothing is dead while we hold it. */
  vtree_fd_replace_take (&own, -1);
  if (word == WORD_UNMOUNT)
    vtree_channel_unmount_dead (dir);
  return 0;
}

bool
vtree_keeper_start (const char *dir, int device, int *fd, pid_t *pid, GError **error)
{
  int fds[2];
  if (pipe2 (fds, O_CLOEXEC) != 0)
    return vtree_error_set_errno (error, errno, "make a pipe");
  g_auto (VtreeFd) ours = fds[0];
  g_auto (VtreeFd) theirs = fds[1];
  *pid = fork ();
  if (*pid < 0)
    return vtree_error_set_errno (error, errno, "start the keeper");
  if (*pid == 0)
    _exit (run (dir, device, ours));
  *fd = vtree_fd_steal (&theirs);
  return true;
}

static void
say (int fd, char word)
{
  while (write (fd, &word, 1) < 0 && errno == EINTR)
    continue;
}

void
vtree_keeper_refuse (int fd)
{
  say (fd, WORD_REFUSE);
}

void
vtree_keeper_unmount_take (int fd)
{
  g_auto (VtreeFd) owned = fd;
  say (owned, WORD_UNMOUNT);
}
