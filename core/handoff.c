/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exit codes and their way through a pipe. Owns: the mapping from an error to a code,
 * and the line's form. Prints nothing and never exits.
 */
#include "core/handoff.h"
#include "core/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
  VtreeErrorCode error;
  VtreeExit code;
} exits[] = {
  { VTREE_ERROR_INVALID, VTREE_EXIT_USAGE },
  { VTREE_ERROR_CORRUPT, VTREE_EXIT_CORRUPT },
  { VTREE_ERROR_UNTRUSTED, VTREE_EXIT_UNTRUSTED },
  { VTREE_ERROR_ROLLBACK, VTREE_EXIT_ROLLBACK },
  { VTREE_ERROR_EXPIRED, VTREE_EXIT_EXPIRED },
  { VTREE_ERROR_MISSING, VTREE_EXIT_MISSING },
  { VTREE_ERROR_BUSY, VTREE_EXIT_BUSY },
  { VTREE_ERROR_FAILED, VTREE_EXIT_FAILED },
};

VtreeExit
vtree_exit_code (const GError *error)
{
  if (error == NULL)
    return VTREE_EXIT_DONE;
  if (error->domain == G_OPTION_ERROR)
    return VTREE_EXIT_USAGE;
  if (error->domain != VTREE_ERROR)
    return VTREE_EXIT_FAILED;
  for (size_t i = 0; i < G_N_ELEMENTS (exits); i++)
    if ((int) exits[i].error == error->code)
      return exits[i].code;
  return VTREE_EXIT_FAILED;
}

const char *
vtree_exit_name (VtreeExit code)
{
  static const char *const names[]
    = { "done",    "failed",  "usage",   "untrusted", "rollback",
        "expired", "corrupt", "missing", "busy" };

  return (size_t) code < G_N_ELEMENTS (names) ? names[code] : "failed";
}

bool
vtree_exit_set_error (GError **error, VtreeExit code, const char *message)
{
  for (size_t i = 0; i < G_N_ELEMENTS (exits); i++)
    if (exits[i].code == code)
      return vtree_error_set (error, exits[i].error, "%s", message);
  return vtree_error_set (error, VTREE_ERROR_FAILED, "%s", message);
}

/* The number in TEXT (decimal digits alone), or -1. */
static int
parse_number (const char *text)
{
  guint64 number = 0;

  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &number, NULL))
    return -1;
  return (int) number;
}

int
vtree_handoff_take (void)
{
  const char *text = g_getenv (VTREE_HANDOFF_ENV);
  int fd = text != NULL ? parse_number (text) : -1;
  struct stat attributes;
  int flags;

  g_unsetenv (VTREE_HANDOFF_ENV);
  if (fd <= STDERR_FILENO || fstat (fd, &attributes) != 0
      || !S_ISFIFO (attributes.st_mode))
    return -1;
  flags = fcntl (fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY
      || fcntl (fd, F_SETFD, FD_CLOEXEC) != 0)
    return -1;
  return fd;
}

/* write(2) on a pipe whose reader may have gone: no SIGPIPE, whatever the caller's own
 * disposition is. */
static void
write_quietly (int fd, const char *data, size_t size)
{
  sigset_t pipe_set, old_set, pending;
  const struct timespec now = { 0, 0 };
  bool was_pending;

  sigemptyset (&pipe_set);
  sigaddset (&pipe_set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &pipe_set, &old_set);
  was_pending = sigpending (&pending) == 0 && sigismember (&pending, SIGPIPE) == 1;
  while (write (fd, data, size) < 0 && errno == EINTR)
    continue;
  if (!was_pending)
    sigtimedwait (&pipe_set, NULL, &now);
  pthread_sigmask (SIG_SETMASK, &old_set, NULL);
}

void
vtree_handoff_send_take (int fd, const GError *error)
{
  g_auto (VtreeFd) owned = fd;
  char line[VTREE_HANDOFF_LINE_MAX + 1];
  size_t length;

  if (fd < 0)
    return;
  g_snprintf (line, sizeof line - 1, "%d %s", (int) vtree_exit_code (error),
              error != NULL ? error->message : "");
  g_strdelimit (line, "\n", ' ');
  length = strlen (line);
  line[length] = '\n';
  write_quietly (owned, line, length + 1);
}

/* Reads one line into LINE, without its newline; false at an end of file before it. */
static bool
read_line (int fd, char line[VTREE_HANDOFF_LINE_MAX + 1], bool *whole, GError **error)
{
  size_t used = 0;

  *whole = false;
  while (used < VTREE_HANDOFF_LINE_MAX) {
    ssize_t got = read (fd, line + used, VTREE_HANDOFF_LINE_MAX - used);

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return vtree_error_set_errno (error, errno, "read the mount helper's answer");
    if (got == 0)
      return true;
    used += (size_t) got;
    line[used] = '\0';
    if (line[used - 1] == '\n') {
      line[used - 1] = '\0';
      *whole = true;
      return true;
    }
  }
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "read the mount helper's answer: line too long");
}

bool
vtree_handoff_receive (int fd, bool *answered, GError **error)
{
  char line[VTREE_HANDOFF_LINE_MAX + 1];
  bool whole;
  char *space;
  int code;

  if (!read_line (fd, line, &whole, error))
    return false;
  *answered = whole;
  if (!whole)
    return true;
  space = strchr (line, ' ');
  if (space != NULL)
    *space = '\0';
  code = parse_number (line);
  if (space == NULL || code < 0)
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "read the mount helper's answer: malformed line");
  if (code == 0)
    return true;
  return vtree_exit_set_error (error, (VtreeExit) code, space + 1);
}
