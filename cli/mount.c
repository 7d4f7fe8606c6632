/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree mount`: prepares the mount point, runs the helper as a child and hands its
 * real answer on (core/handoff.h). What can be mounted, and how, the helper decides.
 */
#include "cli/mounts.h"
#include "cli/verbs.h"
#include "core/handoff.h"
#include "manifest/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
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

/* What the helper is to mount: a SOURCE as it stands, or a ref of our repository. */
static char *
make_source (const VtreeCli *cli, GError **error)
{
  const char *text = cli->args[0];
  g_auto (VtreeRefSpec) spec = { .name = NULL };
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;

  if (text[0] == '/' || text[0] == '.')
    return g_strdup (text);
  if (!vtree_ref_spec_parse (text, false, &spec, error))
    return NULL;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL)
    return NULL;
  return g_strconcat (vtree_repo_path (repo), ":", text, NULL);
}

/* A mount whose daemon has died answers everything with ENOTCONN: it makes room. */
static bool
remove_stale (const VtreeCli *cli, const char *dir, GError **error)
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

/* Makes DIR ready; *MADE says that it was missing, and is to be removed on a
 * failure. */
static bool
prepare_dir (const VtreeCli *cli, const char *dir, bool *made, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (dir, -1);
  struct statfs figures;

  /* Attributes may still be cached where the daemon has died; these never are. What
   * else is wrong with DIR the helper tells. */
  *made = false;
  if (statfs (dir, &figures) == 0)
    return true;
  if (errno == ENOTCONN)
    return remove_stale (cli, dir, error);
  if (errno != ENOENT)
    return true;
  if (mkdir (dir, 0755) != 0)
    return vtree_error_set_errno (error, errno, "make the mount point %s", escaped);
  *made = true;
  return true;
}

/* All -o together, and --force. */
static char *
join_options (char **options, bool force)
{
  g_autofree char *joined = options != NULL ? g_strjoinv (",", options) : g_strdup ("");

  if (!force)
    return g_steal_pointer (&joined);
  return g_strconcat (joined, joined[0] != '\0' ? "," : "", "force", NULL);
}

/* Starts the helper with the pipe's writing end WRITE_FD. */
static bool
spawn_helper (const char *const argv[], int write_fd, pid_t *pid, GError **error)
{
  g_auto (GStrv) environment = g_get_environ ();
  g_autofree char *number = g_strdup_printf ("%d", write_fd);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  int errnum;

  environment = g_environ_setenv (environment, VTREE_HANDOFF_ENV, number, TRUE);
  sigemptyset (&defaults);
  sigaddset (&defaults, SIGPIPE);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setsigdefault (&attributes, &defaults);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGDEF);
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
vtree_verb_mount (VtreeCli *cli, GError **error)
{
  g_auto (GStrv) words = NULL;
  gboolean force = FALSE;
  const GOptionEntry entries[]
    = { { "options", 'o', 0, G_OPTION_ARG_FILENAME_ARRAY, &words,
          "Mount options, see mount.fuse.vtree(8) (may be repeated)", "OPTIONS" },
        { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Accept a version that is expired or older than one accepted before", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_autofree char *helper = NULL;
  g_autofree char *source = NULL;
  g_autofree char *dir = NULL;
  g_autofree char *options = NULL;
  bool made;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  helper = find_helper (error);
  source = helper != NULL ? make_source (cli, error) : NULL;
  dir = source != NULL ? vtree_mounts_canonical (cli->args[1], error) : NULL;
  if (dir == NULL || !prepare_dir (cli, dir, &made, error))
    return false;
  options = join_options (words, force != FALSE);
  {
    const char *const argv[]
      = { helper, source, dir, options[0] != '\0' ? "-o" : NULL, options, NULL };

    if (run_helper (argv, error))
      return true;
  }
  if (made)
    rmdir (dir);
  return false;
}
