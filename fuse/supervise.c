/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The foreground. Owns: when the service manager is told what, and how the daemon's end
 * becomes ours. Serves no request itself, so that it can put one to the daemon.
 */
#include "fuse/supervise.h"

#include "core/fd.h"
#include "fuse/channel.h"
#include "fuse/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_USEC 1000

static void
fill_signals (sigset_t *set)
{
  static const int signals[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM };
  sigemptyset (set);
  for (size_t i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaddset (set, signals[i]);
}

void
vtree_supervise_prepare (void)
{
  sigset_t set;
  fill_signals (&set);
  /* Ignored, as whoever started us may have left it, there would be no status. */
  signal (SIGCHLD, SIG_DFL);
  sigprocmask (SIG_BLOCK, &set, NULL);
}

/* One of our signals, or 0 after TIMEOUT microseconds (0: never). */
static int
wait_for_signal (gint64 timeout)
{
  sigset_t set;
  struct timespec spec = { (time_t) (timeout / G_USEC_PER_SEC),
                           (long) (timeout % G_USEC_PER_SEC) * NSEC_PER_USEC };
  fill_signals (&set);
  int got = sigtimedwait (&set, NULL, timeout > 0 ? &spec : NULL);
  return got < 0 ? 0 : got;
}

/* What is mounted on DIR, to ask it something. By a mount of its own where we may make
 * one: DIR is not busy then while the answer is awaited, and can be unmounted. */
static int
open_mounted (const char *dir)
{
  int fd = open_tree (AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  return fd >= 0 ? fd : open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Whether the daemon answers: asked as everybody asks, through the kernel, and by the
 * one request that is never answered from a cache. Where all its threads are stuck this
 * does not return, and the manager hears nothing more, which is what it waits for.
 * (Another mount over ours answers in our stead.) */
static bool
is_alive (const char *dir)
{
  g_auto (VtreeFd) fd = open_mounted (dir);
  struct statfs st;
  return fd >= 0 && fstatfs (fd, &st) == 0;
}

/* The wait status of PID, which ends. */
static int
wait_for_end (const VtreeSupervision *supervision, pid_t pid)
{
  int status = 0;
  gint64 interval = supervision->notify->watchdog / 2;
  while (waitpid (pid, &status, WNOHANG) == 0) {
    int got = wait_for_signal (interval);
    if (got == 0 && interval > 0 && is_alive (supervision->dir))
      vtree_notify_send (supervision->notify, "WATCHDOG=1");
    if (got == 0 || got == SIGCHLD)
      continue;
    vtree_notify_send (supervision->notify, "STOPPING=1\nSTATUS=Unmounting %s",
                       supervision->dir);
    kill (pid, SIGTERM);
  }
  return status;
}

static bool
judge (const VtreeSupervision *supervision, int status, GError **error)
{
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return true;
  if (WIFSIGNALED (status))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "%s: the daemon was killed by signal %d", supervision->dir,
                            WTERMSIG (status));
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "%s: the daemon failed, see its log", supervision->dir);
}

bool
vtree_supervise_run (const VtreeSupervision *supervision,
                     const VtreeProcesses *processes, GError **error)
{
  g_autofree char *source = vtree_error_line (supervision->source);
  if (chdir ("/") != 0)
    return vtree_error_set_errno (error, errno, "change to /");
  /* Detaching a dead mount is all that is left to do. */
  if (!vtree_privilege_drop (VTREE_KEEP_MOUNT, error))
    return false;
  vtree_notify_send (supervision->notify, "READY=1\nSTATUS=Serving %s on %s", source,
                     supervision->dir);
  int status = wait_for_end (supervision, processes->daemon);
  vtree_notify_send (supervision->notify, "STOPPING=1");
  /* It unmounts, where the daemon has asked for that. */
  while (waitpid (processes->keeper, NULL, 0) < 0 && errno == EINTR)
    continue;
  if (judge (supervision, status, error))
    return true;
  vtree_channel_unmount_dead (supervision->dir);
  return false;
}
