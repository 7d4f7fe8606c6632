/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the running of mount.fuse.vtree and the way of its answer (core/handoff.h). */
#include "cli/mounter.h"
#include "cli/mounts.h"
#include "core/fd.h"
#include "core/handoff.h"
#include "core/mounts.h"
#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER "mount.fuse.vtree"

/* The helper that was built or installed with this program: beside it in a build
 * tree. */
static char *
find_helper (GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *dir = self != NULL ? g_path_get_dirname (self) : NULL;
  g_autofree char *beside = dir != NULL ? g_build_filename (dir, HELPER, NULL) : NULL;

  if (beside != NULL && access (beside, X_OK) == 0)
    return g_steal_pointer (&beside);
  if (access (VTREE_MOUNT_HELPER_DIR "/" HELPER, X_OK) == 0)
    return g_strdup (VTREE_MOUNT_HELPER_DIR "/" HELPER);
  vtree_error_set_errno (error, errno, "find the mount helper %s",
                         VTREE_MOUNT_HELPER_DIR "/" HELPER);
  return NULL;
}

/* A mount whose daemon has died answers everything with ENOTCONN: it makes room. */
bool
vtree_mounter_remove_stale (const VtreeCli *cli, const char *dir, GError **error)
{
  g_autoptr (GPtrArray) mounts = vtree_mounts_list (error);
  const VtreeMount *mount;

  if (mounts == NULL)
    return false;
  mount = vtree_mounts_find (mounts, dir);
  if (mount == NULL)
    return vtree_error_set_errno (
      error, ENOTCONN, "mount %s: a mount that is not vtree's is broken there", dir);
  if (!vtree_mounts_unmount (mount, true, error))
    return false;
  vtree_cli_note (cli, "removed the mount of %s, whose daemon had ended",
                  mount->source);
  return true;
}

/* Starts the helper with the pipe's writing end WRITE_FD, and no signal blocked. */
static bool
spawn_helper (const char *const argv[], int write_fd, pid_t *pid, GError **error)
{
  g_auto (GStrv) environment = g_get_environ ();
  g_autofree char *number = g_strdup_printf ("%d", write_fd);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t defaults, blocked;
  int errnum;

  environment = g_environ_setenv (environment, VTREE_HANDOFF_ENV, number, TRUE);
  sigemptyset (&defaults);
  sigaddset (&defaults, SIGPIPE);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setsigdefault (&attributes, &defaults);
  sigemptyset (&blocked);
  posix_spawnattr_setsigmask (&attributes, &blocked);
  posix_spawnattr_setflags (&attributes,
                            POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_init (&actions);
  /* To itself: that takes close-on-exec off, in the child alone. */
  posix_spawn_file_actions_adddup2 (&actions, write_fd, write_fd);
  errnum
    = posix_spawn (pid, argv[0], &actions, &attributes, (char **) argv, environment);
  posix_spawn_file_actions_destroy (&actions);
  posix_spawnattr_destroy (&attributes);
  if (errnum != 0)
    return vtree_error_set_errno (error, errnum, "run %s", argv[0]);
  return true;
}

/* What the helper's exit status says, where it answered nothing. */
static bool
judge_status (const char *helper, int status, GError **error)
{
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return true;
  if (WIFSIGNALED (status))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "mount: %s was killed by signal %d", helper,
                            WTERMSIG (status));
  return vtree_error_set (error, VTREE_ERROR_FAILED, "mount: %s ended with status %d",
                          helper, WEXITSTATUS (status));
}

static bool
wait_for (pid_t pid, int *status, GError **error)
{
  while (waitpid (pid, status, 0) < 0)
    if (errno != EINTR)
      return vtree_error_set_errno (error, errno, "wait for the mount helper");
  return true;
}

static bool
run_helper (const char *const argv[], GError **error)
{
  g_auto (VtreeFd) read_fd = -1;
  g_auto (VtreeFd) write_fd = -1;
  g_autoptr (GError) answer = NULL;
  bool answered = false;
  int pipe_fds[2];
  int status = 0;
  pid_t pid;

  if (pipe2 (pipe_fds, O_CLOEXEC) != 0)
    return vtree_error_set_errno (error, errno, "make a pipe for the mount helper");
  read_fd = pipe_fds[0];
  write_fd = pipe_fds[1];
  if (!spawn_helper (argv, write_fd, &pid, error))
    return false;
  vtree_fd_replace_take (&write_fd, -1);
  if (!vtree_handoff_receive (read_fd, &answered, &answer)) {
    waitpid (pid, &status, 0);
    g_propagate_error (error, g_steal_pointer (&answer));
    return false;
  }
  if (!wait_for (pid, &status, error))
    return false;
  return answered || judge_status (argv[0], status, error);
}

bool
vtree_mounter_mount (const VtreeCli *cli, const char *source, const char *dir,
                     const char *options, GError **error)
{
  g_autofree char *helper = find_helper (error);
  /* -n means nothing. */
  const char *const argv[] = { helper, cli->quiet ? "-qn" : "-n",        source,
                               dir,    options[0] != '\0' ? "-o" : NULL, options,
                               NULL };

  return helper != NULL && run_helper (argv, error);
}

bool
vtree_mounter_become (const VtreeCli *cli, const char *source, const char *dir,
                      const char *options, GError **error)
{
  g_autofree char *helper = find_helper (error);
  const char *const argv[] = { helper, cli->quiet ? "-qF" : "-F",        source,
                               dir,    options[0] != '\0' ? "-o" : NULL, options,
                               NULL };

  if (helper == NULL)
    return false;
  signal (SIGPIPE, SIG_DFL);
  execv (helper, (char **) argv);
  return vtree_error_set_errno (error, errno, "run %s", helper);
}

bool
vtree_mounter_ask (const char *dir, VtreeDigest *manifest, GError **error)
{
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct vtree_status status = { 0 };

  if (fd < 0 || ioctl (fd, VTREE_IOC_STATUS, &status) != 0)
    return vtree_error_set_errno (error, errno, "ask the mount on %s", dir);
  status.manifest[sizeof status.manifest - 1] = '\0';
  return vtree_digest_parse (status.manifest, manifest, error);
}

bool
vtree_mounter_check (const char *dir, const VtreeDigest *manifest, GError **error)
{
  VtreeDigest mounted;

  return vtree_mounter_ask (dir, &mounted, error)
         && (vtree_digest_equal (&mounted, manifest)
             || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                                 "another tree is mounted on %s: unmount it", dir));
}

bool
vtree_mounter_look (const VtreeCli *cli, const char *dir, bool *mounted, GError **error)
{
  g_autofree char *real = vtree_mounts_canonical (dir, error);
  g_autoptr (GPtrArray) mounts = NULL;

  if (real == NULL
      || (vtree_mounts_is_dead (real)
          && !vtree_mounter_remove_stale (cli, real, error)))
    return false;
  mounts = vtree_mounts_list (error);
  if (mounts == NULL)
    return false;
  *mounted = vtree_mounts_find (mounts, real) != NULL;
  return true;
}
