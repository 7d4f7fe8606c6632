/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns stdout: every byte of an answer goes through here, and whether it arrived is
 * asked here. stderr is not its business.
 */
#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
vtree_out_print (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
}

void
vtree_out_text (const char *text)
{
  fputs (text, stdout);
}

void
vtree_out_name (const char *name, gssize length)
{
  g_autofree char *escaped = NULL;

  if (isatty (STDOUT_FILENO)) {
    escaped = vtree_error_escape (name, length);
    fputs (escaped, stdout);
    return;
  }
  fwrite (name, 1, length < 0 ? strlen (name) : (size_t) length, stdout);
}

bool
vtree_out_write (const void *data, size_t size, GError **error)
{
  if (fwrite (data, 1, size, stdout) != size)
    return vtree_error_set_errno (error, errno, "write standard output");
  return true;
}

/* Whether stdout is a pipe or socket that nobody reads any more. */
static bool
reader_has_gone (void)
{
  struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

  return poll (&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

bool
vtree_out_finish (GError **error)
{
  bool failed = ferror (stdout) != 0;
  int errnum;

  errno = 0;
  if (fflush (stdout) == 0 && !failed)
    return true;
  errnum = errno;
  if (errnum == EPIPE || reader_has_gone ())
    return false;
  if (errnum != 0)
    return vtree_error_set_errno (error, errnum, "write standard output");
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "write standard output: some of it was lost");
}

bool
vtree_out_is_quiet_error (const GError *error)
{
  return g_error_matches (error, VTREE_ERRNO_ERROR, EPIPE);
}
