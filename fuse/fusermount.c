/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running fusermount3. Owns: its protocol and what becomes of its messages.
 */
#include "fuse/fusermount.h"

#include "core/error.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "fusermount3"
#define MESSAGE_MAX 4096
#define CHILD_SOCKET 3
#define COMMFD "_FUSE_COMMFD"

/* Its path, NULL where it is not installed. */
static char *
find_program (void)
{
  static const char *const usual[] = { "/usr/bin/" PROGRAM, "/bin/" PROGRAM };
  for (size_t i = 0; i < G_N_ELEMENTS (usual); i++)
    if (access (usual[i], X_OK) == 0)
      return g_strdup (usual[i]);
  return g_find_program_in_path (PROGRAM);
}

bool
vtree_fusermount_check (GError **error)
{
  g_autofree char *program = find_program ();
  return program != NULL
         || vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                             "mount: " PROGRAM " is not installed (package fuse3)");
}

/* Starts the program with standard error on ERROR_FD and SOCKET_FD (or -1) as its
 * communication socket. */
static bool
start (char *const *argv, int error_fd, int socket_fd, pid_t *pid, GError **error)
{
  g_auto (GStrv) env = g_get_environ ();
  g_autofree char *program = find_program ();
  posix_spawn_file_actions_t actions;
  if (program == NULL)
    return vtree_fusermount_check (error);
  posix_spawn_file_actions_init (&actions);
  /* The socket first: its number may be the other's target. */
  if (socket_fd >= 0)
    posix_spawn_file_actions_adddup2 (&actions, socket_fd, CHILD_SOCKET);
  posix_spawn_file_actions_adddup2 (&actions, error_fd, STDERR_FILENO);
  env = g_environ_setenv (env, COMMFD, G_STRINGIFY (CHILD_SOCKET), TRUE);
  int status = posix_spawn (pid, program, &actions, NULL, argv, env);
  posix_spawn_file_actions_destroy (&actions);
  return status == 0 || vtree_error_set_errno (error, status, "run %s", program);
}

static int
wait_for (pid_t pid)
{
  int status = 0;
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    continue;
  return status;
}

/* The descriptor that comes through SOCKET_FD, -1 at its end. */
static int
receive (int socket_fd)
{
  char byte;
  struct iovec iov = { &byte, 1 };
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE (sizeof (int))];
  } control = { 0 };
  struct msghdr message = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes };
  ssize_t got;
  int fd = -1;
  while ((got = recvmsg (socket_fd, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
    continue;
  const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR (&message) : NULL;
  if (header != NULL && header->cmsg_level == SOL_SOCKET
      && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN (sizeof fd))
    memcpy (&fd, CMSG_DATA (header), sizeof fd);
  return fd;
}

/* What the program printed, up to its end: the first line, without its own name. */
static char *
read_message (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char part[256];
  ssize_t got;
  while ((got = read (fd, part, sizeof part)) != 0) {
    if (got < 0 && errno != EINTR)
      break;
    if (got > 0 && text->len < MESSAGE_MAX)
      g_string_append_len (text, part, got);
  }
  g_string_truncate (text, strcspn (text->str, "\n"));
  const char *message = text->str;
  if (g_str_has_prefix (message, PROGRAM ": "))
    message += strlen (PROGRAM ": ");
  return vtree_error_escape (message, -1);
}

/* Two connected sockets and a pipe, all close-on-exec. */
typedef struct {
  VtreeFd socket_ours, socket_theirs, error_ours, error_theirs;
} Pipes;

static void
pipes_clear (Pipes *pipes)
{
  vtree_fd_replace_take (&pipes->socket_ours, -1);
  vtree_fd_replace_take (&pipes->socket_theirs, -1);
  vtree_fd_replace_take (&pipes->error_ours, -1);
  vtree_fd_replace_take (&pipes->error_theirs, -1);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pipes, pipes_clear)

/* FD, moved above the numbers that the child's own descriptors get. */
static int
move_up_take (int fd)
{
  int moved = fcntl (fd, F_DUPFD_CLOEXEC, CHILD_SOCKET + 1);
  vtree_fd_close (fd);
  return moved;
}

static bool
pipes_open (Pipes *pipes, GError **error)
{
  int fds[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return vtree_error_set_errno (error, errno, "make a socket");
  pipes->socket_ours = fds[0];
  pipes->socket_theirs = move_up_take (fds[1]);
  if (pipe2 (fds, O_CLOEXEC) != 0)
    return vtree_error_set_errno (error, errno, "make a pipe");
  pipes->error_ours = fds[0];
  pipes->error_theirs = move_up_take (fds[1]);
  if (pipes->socket_theirs < 0 || pipes->error_theirs < 0)
    return vtree_error_set_errno (error, EMFILE, "make a pipe");
  return true;
}

int
vtree_fusermount_mount (const char *dir, const char *options, GError **error)
{
  char *const argv[] = { (char *) PROGRAM, (char *) "-o", (char *) options,
                         (char *) "--",    (char *) dir,  NULL };
  g_auto (Pipes) pipes = { -1, -1, -1, -1 };
  pid_t pid = 0;
  if (!pipes_open (&pipes, error)
      || !start (argv, pipes.error_theirs, pipes.socket_theirs, &pid, error))
    return -1;
  vtree_fd_replace_take (&pipes.socket_theirs, -1);
  vtree_fd_replace_take (&pipes.error_theirs, -1);
  g_auto (VtreeFd) fd = receive (pipes.socket_ours);
  g_autofree char *message = read_message (pipes.error_ours);
  int status = wait_for (pid);
  if (fd < 0 || !WIFEXITED (status) || WEXITSTATUS (status) != 0) {
    vtree_error_set (error, VTREE_ERROR_FAILED, "mount on %s: " PROGRAM ": %s", dir,
                     message[0] != '\0' ? message : "it failed and said nothing");
    return -1;
  }
  return vtree_fd_steal (&fd);
}

void
vtree_fusermount_unmount (const char *dir)
{
  char *const argv[] = { (char *) PROGRAM, (char *) "-u", (char *) "-q", (char *) "-z",
                         (char *) "--",    (char *) dir,  NULL };
  g_auto (VtreeFd) null = move_up_take (open ("/dev/null", O_WRONLY | O_CLOEXEC));
  pid_t pid = 0;
  if (null >= 0 && start (argv, null, -1, &pid, NULL))
    wait_for (pid);
}
