/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper. Owns its pipe: one byte means "unmount", an end of file without it that
 * the mount has gone already, or that the daemon was killed.
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

/* A killed daemon's requests are refused until none has come for a moment, and for so
 * long at most: whoever asks again and again is told by the kernel as we let go. */
#define REFUSE_MOMENT 50                 /* milliseconds */
#define REFUSE_TIME (2 * G_USEC_PER_SEC) /* microseconds */

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

static void
refuse_waiting (int device)
{
  gint64 end = g_get_monotonic_time () + REFUSE_TIME;
  while (device >= 0 && g_get_monotonic_time () < end
         && vtree_refuse_next (device, REFUSE_MOMENT))
    continue;
}

static int
run (const char *dir, int device, int fd)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) own = device < 0 ? -1 : vtree_refuse_prepare (device);
  char byte;
  ssize_t got;
  if (!prepare (fd, own, &error))
    return 1;
  while ((got = read (fd, &byte, 1)) < 0 && errno == EINTR)
    continue;
  if (got == 0)
    refuse_waiting (own);
  /* Nothing is dead while we hold it. */
  vtree_fd_replace_take (&own, -1);
  if (got == 1)
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

void
vtree_keeper_unmount_take (int fd)
{
  g_auto (VtreeFd) owned = fd;
  while (write (owned, "u", 1) < 0 && errno == EINTR)
    continue;
}
