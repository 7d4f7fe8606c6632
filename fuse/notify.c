/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service manager's socket. Owns: the protocol, and the variables that announce it.
 * What is said, and when, is supervise.c's affair.
 */
#include "fuse/notify.h"

#include "core/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define SOCKET "NOTIFY_SOCKET"
#define WATCHDOG "WATCHDOG_USEC"
#define WATCHDOG_FOR "WATCHDOG_PID"

/* A variable's value, which the environment loses. NULL: it was not set, or empty. */
static char *
take_variable (const char *name)
{
  const char *value = g_getenv (name);
  char *copy = value != NULL && value[0] != '\0' ? g_strdup (value) : NULL;
  g_unsetenv (name);
  return copy;
}

static bool
set_address (VtreeNotify *notify, const char *name, GError **error)
{
  size_t length = strlen (name);
  bool is_abstract = name[0] == '@';
  g_autofree char *escaped = vtree_error_escape (name, -1);
  if ((!is_abstract && name[0] != '/') || length < 2)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            SOCKET "=%s: neither a path nor @ and a name", escaped);
  if (length >= sizeof notify->address.sun_path)
    return vtree_error_set (error, VTREE_ERROR_INVALID, SOCKET "=%s: too long",
                            escaped);
  notify->address.sun_family = AF_UNIX;
  memcpy (notify->address.sun_path, name, length + 1);
  /* An abstract name begins with a NUL, and does not end with one. */
  if (is_abstract)
    notify->address.sun_path[0] = '\0';
  notify->size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + length
                              + (is_abstract ? 0 : 1));
  return true;
}

/* What is meant for another process is none of our affair. */
static bool
set_watchdog (VtreeNotify *notify, const char *usec, const char *pid, GError **error)
{
  guint64 number = 0;
  guint64 owner = (guint64) getpid ();
  if (usec == NULL)
    return true;
  if (pid != NULL && !g_ascii_string_to_unsigned (pid, 10, 1, G_MAXINT, &owner, NULL))
    return vtree_error_set (error, VTREE_ERROR_INVALID, WATCHDOG_FOR ": no process id");
  if (!g_ascii_string_to_unsigned (usec, 10, 1, G_MAXINT64, &number, NULL))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            WATCHDOG ": no number of microseconds");
  if (owner == (guint64) getpid ())
    notify->watchdog = (gint64) number;
  return true;
}

bool
vtree_notify_take (VtreeNotify *notify, GError **error)
{
  g_autofree char *name = take_variable (SOCKET);
  g_autofree char *usec = take_variable (WATCHDOG);
  g_autofree char *pid = take_variable (WATCHDOG_FOR);
  if (name == NULL)
    return true;
  if (!set_address (notify, name, error) || !set_watchdog (notify, usec, pid, error))
    return false;
  notify->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return notify->fd >= 0 || vtree_error_set_errno (error, errno, "make a socket");
}

void
vtree_notify_send (const VtreeNotify *notify, const char *format, ...)
{
  va_list args;
  if (notify->fd < 0)
    return;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  ssize_t sent;
  do {
    sent = sendto (notify->fd, text, strlen (text), MSG_NOSIGNAL,
                   (const struct sockaddr *) &notify->address, notify->size);
  } while (sent < 0 && errno == EINTR);
}

void
vtree_notify_clear (VtreeNotify *notify)
{
  vtree_fd_replace_take (&notify->fd, -1);
}
