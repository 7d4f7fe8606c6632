/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns starting a command, its input and its answer. Knows nothing of signatures: see
 * signer.c.
 */
#include "core/command.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL "/bin/sh"

typedef struct {
  pid_t pid;
  int output; /* the reading end */
} Running;

/* A file with INPUT that nobody can change; -1 on error. */
static int
make_input (GBytes *input, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (input, &size);
  g_auto (VtreeFd) fd
    = memfd_create ("vtree-signed-bytes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) {
    vtree_error_set_errno (error, errno, "make a file in memory");
    return -1;
  }
  if (!vtree_fd_pwrite (fd, data, size, 0, error))
    return -1;
  if (fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
      < 0) {
    vtree_error_set_errno (error, errno, "seal a file in memory");
    return -1;
  }
  return vtree_fd_steal (&fd);
}

static char **
dup_environment (const char *const *environment)
{
  char **all = g_get_environ ();
  for (; *environment != NULL; environment += 2)
    all = g_environ_setenv (all, environment[0], environment[1], TRUE);
  return all;
}

/* 0 or an errno. */
static int
spawn (const char *command, char **environment, int input, int output, pid_t *pid)
{
  const char *const argv[] = { SHELL, "-c", command, NULL };
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  sigemptyset (&defaults);
  sigaddset (&defaults, SIGPIPE);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setsigdefault (&attributes, &defaults);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, output, STDOUT_FILENO);
  int errnum
    = posix_spawn (pid, SHELL, &actions, &attributes, (char **) argv, environment);
  posix_spawn_file_actions_destroy (&actions);
  posix_spawnattr_destroy (&attributes);
  return errnum;
}

static bool
start (const char *command, const char *const *environment, GBytes *input,
       Running *running, GError **error)
{
  int ends[2];
  g_auto (VtreeFd) file = make_input (input, error);
  if (file < 0)
    return false;
  if (pipe2 (ends, O_CLOEXEC) < 0)
    return vtree_error_set_errno (error, errno, "make a pipe");
  g_auto (VtreeFd) reading = ends[0];
  g_auto (VtreeFd) writing = ends[1];
  g_auto (GStrv) all = dup_environment (environment);
  int errnum = spawn (command, all, file, writing, &running->pid);
  if (errnum != 0)
    return vtree_error_set_errno (error, errnum, "run " SHELL);
  running->output = vtree_fd_steal (&reading);
  return true;
}

/* All that comes; one byte more than LIMIT tells that it is too much. */
static bool
read_output (int fd, size_t limit, GByteArray *output, GError **error)
{
  uint8_t chunk[4096];
  while (output->len <= limit) {
    ssize_t got = read (fd, chunk, sizeof chunk);
    if (got == 0)
      return true;
    if (got > 0)
      g_byte_array_append (output, chunk, (guint) got);
    else if (errno != EINTR)
      return vtree_error_set_errno (error, errno, "read its output");
  }
  return vtree_error_set (error, VTREE_ERROR_FAILED, "it printed more than %zu bytes",
                          limit);
}

static bool
check_status (int status, GError **error)
{
  if (WIFSIGNALED (status))
    return vtree_error_set (error, VTREE_ERROR_FAILED, "it was killed by signal %d",
                            WTERMSIG (status));
  if (WEXITSTATUS (status) != 0)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "it failed with exit status %d",
                            WEXITSTATUS (status));
  return true;
}

/* Takes what RUNNING holds. */
static bool
finish (Running *running, size_t limit, GByteArray *output, GError **error)
{
  int status = 0;
  bool ok = read_output (running->output, limit, output, error);
  vtree_fd_close (running->output);
  /* It may write on, or sleep: nobody wants to hear more of it. */
  if (!ok)
    kill (running->pid, SIGTERM);
  while (waitpid (running->pid, &status, 0) < 0) {
    if (errno != EINTR)
      return ok && vtree_error_set_errno (error, errno, "wait for it");
  }
  return ok && check_status (status, error);
}

GBytes *
vtree_command_run (const char *command, const char *const *environment, GBytes *input,
                   size_t limit, GError **error)
{
  Running running;
  g_autoptr (GByteArray) output = g_byte_array_new ();
  if (!start (command, environment, input, &running, error)
      || !finish (&running, limit, output, error))
    return NULL;
  if (output->len > 0)
    return g_byte_array_free_to_bytes (g_steal_pointer (&output));
  vtree_error_set (error, VTREE_ERROR_FAILED, "it printed nothing");
  return NULL;
}
