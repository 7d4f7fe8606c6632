/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns fork, namespaces and signals of `vtree run`. All signals that are sent on are
 * blocked and taken one by one, so no handler runs.
 */
#include "cli/supervise.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[]
  = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH };

/* Blocks them, and SIGCHLD; *OLD is what was blocked before. */
static void
block_signals (sigset_t *set, sigset_t *old)
{
  sigemptyset (set);
  sigaddset (set, SIGCHLD);
  for (size_t i = 0; i < G_N_ELEMENTS (forwarded); i++)
    sigaddset (set, forwarded[i]);
  sigprocmask (SIG_BLOCK, set, old);
}

/* The only child of PID; 0 where it has none. */
static pid_t
find_child (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task/%d/children", pid, pid);
  g_autofree char *text = NULL;
  guint64 child = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  text[strcspn (text, " ")] = '\0';
  if (!g_ascii_string_to_unsigned (text, 10, 1, INT32_MAX, &child, NULL))
    return 0;
  return (pid_t) child;
}

/* How many processes of bubblewrap there are above the command: itself, and the reaper
 * in the sandbox. */
#define ABOVE 2
/* How often we look for a command that does not run yet. */
#define RETRY_NSEC (10 * 1000 * 1000)

/* The command itself; 0 where it does not run yet. */
static pid_t
find_command (pid_t pid)
{
  for (int i = 0; pid != 0 && i < ABOVE; i++)
    pid = find_child (pid);
  return pid;
}

/* Sends on what is in *PENDING, a bit for each signal, once there is a command. The
 * reaper, an init, would ignore it; and bubblewrap, ended before it has taken care of
 * that, would leave the command behind. */
static void
send_on (pid_t pid, bool inner, unsigned *pending)
{
  pid_t target = inner && *pending != 0 ? find_command (pid) : pid;

  if (target == 0)
    return;
  for (size_t i = 0; i < G_N_ELEMENTS (forwarded); i++)
    if ((*pending & 1u << forwarded[i]) != 0)
      kill (target, forwarded[i]);
  *pending = 0;
}

/* Reaps; true when PID was among them. */
static bool
reap (pid_t pid, int *status)
{
  int found;
  pid_t got;

  while ((got = waitpid (-1, &found, WNOHANG)) > 0) {
    if (got != pid)
      continue;
    *status = WIFSIGNALED (found) ? 128 + WTERMSIG (found) : WEXITSTATUS (found);
    return true;
  }
  return false;
}

/* What bubblewrap has left behind: a signal to the whole process group can end it
 * before its child has asked to die with it. */
static void
end_rest (void)
{
  pid_t child;

  while ((child = find_child (getpid ())) != 0) {
    kill (child, SIGKILL);
    if (waitpid (child, NULL, 0) < 0 && errno != EINTR)
      return;
  }
}

/* INNER: signals go past bubblewrap. What the terminal sends reaches all by itself. */
static void
watch (pid_t pid, const sigset_t *set, bool inner, int *status)
{
  const struct timespec soon = { .tv_nsec = RETRY_NSEC };
  unsigned pending = 0;

  while (!reap (pid, status)) {
    siginfo_t info;
    int signal = sigtimedwait (set, &info, pending != 0 ? &soon : NULL);

    if (signal > 0 && signal != SIGCHLD && info.si_code <= 0)
      pending |= 1u << signal;
    send_on (pid, inner, &pending);
  }
}

/* In the child: runs ARGV, or tells why not by its exit status, as a shell does. */
static void
execute (char **argv, const sigset_t *set)
{
  sigprocmask (SIG_UNBLOCK, set, NULL);
  execvp (argv[0], argv);
  fprintf (stderr, "vtree run: run %s: %s\n", argv[0], g_strerror (errno));
  _exit (errno == ENOENT ? 127 : 126);
}

bool
vtree_supervise (char **argv, int *status, GError **error)
{
  sigset_t set, old;
  pid_t pid;

  block_signals (&set, &old);
  /* Orphans come to us. */
  prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  pid = fork ();
  if (pid < 0) {
    sigprocmask (SIG_SETMASK, &old, NULL);
    return vtree_error_set_errno (error, errno, "run %s", argv[0]);
  }
  if (pid == 0)
    execute (argv, &set);
  watch (pid, &set, true, status);
  end_rest ();
  sigprocmask (SIG_SETMASK, &old, NULL);
  return true;
}

/* --- namespaces ------------------------------------------------------------------- */

static bool
write_file (const char *path, const char *text, GError **error)
{
  g_auto (VtreeFd) fd = open (path, O_WRONLY | O_CLOEXEC);

  if (fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text))
    return true;
  return vtree_error_set_errno (error, errno, "write %s", path);
}

/* The same user and group inside as outside; inside they have no number yet. */
static bool
map_user (uid_t uid, gid_t gid, GError **error)
{
  g_autofree char *uids
    = g_strdup_printf ("%ju %ju 1", (uintmax_t) uid, (uintmax_t) uid);
  g_autofree char *gids
    = g_strdup_printf ("%ju %ju 1", (uintmax_t) gid, (uintmax_t) gid);

  return write_file ("/proc/self/setgroups", "deny", error)
         && write_file ("/proc/self/uid_map", uids, error)
         && write_file ("/proc/self/gid_map", gids, error);
}

/* Root may mount without a user namespace. */
static bool
enter_namespaces (GError **error)
{
  uid_t uid = geteuid ();
  gid_t gid = getegid ();
  bool root = uid == 0;

  if (unshare ((root ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWPID) != 0)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "no user namespace can be made here (%s), and fusermount3 "
                            "is not installed set-uid: one of the two is needed",
                            g_strerror (errno));
  if (!root && !map_user (uid, gid, error))
    return false;
  return mount (NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0
         || vtree_error_set_errno (error, errno, "make a mount namespace");
}

/* Programs look for themselves in /proc by the numbers of our own PID namespace. */
static bool
mount_proc (GError **error)
{
  if (mount ("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
    return true;
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "/proc can't be mounted in a namespace here (%s), and "
                          "fusermount3 is not installed set-uid: one of the two is "
                          "needed",
                          g_strerror (errno));
}

bool
vtree_supervise_namespace (bool *outside, int *status, GError **error)
{
  sigset_t set, old;
  pid_t pid;

  *outside = false;
  if (!enter_namespaces (error))
    return false;
  block_signals (&set, &old);
  pid = fork ();
  if (pid < 0) {
    sigprocmask (SIG_SETMASK, &old, NULL);
    return vtree_error_set_errno (error, errno, "enter the namespaces");
  }
  if (pid == 0) {
    /* Signals stay blocked until they can be sent on: an init's defaults lose them. */
    prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return mount_proc (error);
  }
  *outside = true;
  watch (pid, &set, false, status);
  sigprocmask (SIG_SETMASK, &old, NULL);
  return true;
}

bool
vtree_supervise_allow_mount (bool wanted, GError **error)
{
  cap_value_t value = CAP_SYS_ADMIN;
  cap_t caps = cap_get_proc ();
  bool ok
    = caps != NULL
      && cap_set_flag (caps, CAP_INHERITABLE, 1, &value, wanted ? CAP_SET : CAP_CLEAR)
           == 0
      && cap_set_proc (caps) == 0
      && (!wanted || prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, value, 0, 0) == 0);
  int errnum = errno;

  cap_free (caps);
  return ok || vtree_error_set_errno (error, errnum, "change capabilities");
}
