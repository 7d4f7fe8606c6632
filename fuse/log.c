/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's log. Owns: the line's form, the sink and the rate. Knows nothing of what
 * is logged.
 */
#include "fuse/log.h"

#include "core/error.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

struct VtreeLog {
  VtreeFd fd;  /* -1: syslog */
  GMutex lock; /* the rates */
  VtreeRate first;
  VtreeRate repeated;
};

static int
open_target (const char *target, GError **error)
{
  int fd;
  if (g_str_equal (target, "stderr"))
    fd = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  else
    fd = open (target,
               O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "open the log %s", target);
  return fd;
}

VtreeLog *
vtree_log_new (const char *target, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (g_str_equal (target, "syslog"))
    openlog ("mount.fuse.vtree", LOG_PID, LOG_DAEMON);
  else if ((fd = open_target (target, error)) < 0)
    return NULL;
  VtreeLog *log = g_new0 (VtreeLog, 1);
  log->fd = vtree_fd_steal (&fd);
  g_mutex_init (&log->lock);
  vtree_rate_init (&log->first, g_get_monotonic_time ());
  vtree_rate_init (&log->repeated, g_get_monotonic_time ());
  return log;
}

void
vtree_log_free (VtreeLog *log)
{
  if (log->fd < 0)
    closelog ();
  vtree_fd_close (log->fd);
  g_mutex_clear (&log->lock);
  g_free (log);
}

static int
syslog_priority (VtreeLogLevel level)
{
  static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE };
  return priorities[level];
}

static void
write_file (const VtreeLog *log, const char *message)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");
  g_autofree char *line
    = g_strdup_printf ("%s mount.fuse.vtree[%d]: %s\n", time, (int) getpid (), message);
  /* What can't be logged can't be reported either. */
  ssize_t written = write (log->fd, line, strlen (line));
  (void) written;
}

void
vtree_log_write (VtreeLog *log, VtreeLogLevel level, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  for (char *p = message; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  if (log->fd < 0)
    syslog (syslog_priority (level), "%s", message);
  else
    write_file (log, message);
}

bool
vtree_log_admit (VtreeLog *log, bool repeated)
{
  guint64 suppressed = 0;
  VtreeRate *rate = repeated ? &log->repeated : &log->first;
  g_mutex_lock (&log->lock);
  bool admitted = vtree_rate_admit (rate, g_get_monotonic_time (), &suppressed);
  g_mutex_unlock (&log->lock);
  if (admitted && suppressed > 0)
    vtree_log_write (log, VTREE_LOG_WARNING,
                     "%" G_GUINT64_FORMAT " lines like the next one were left out",
                     suppressed);
  return admitted;
}

void
vtree_rate_init (VtreeRate *rate, gint64 now)
{
  rate->tokens = VTREE_RATE_BURST;
  rate->last = now;
  rate->suppressed = 0;
}

bool
vtree_rate_admit (VtreeRate *rate, gint64 now, guint64 *suppressed)
{
  double seconds = (double) MAX (now - rate->last, 0) / G_USEC_PER_SEC;
  rate->tokens = MIN (rate->tokens + seconds * VTREE_RATE_PER_SECOND, VTREE_RATE_BURST);
  rate->last = now;
  if (rate->tokens < 1) {
    rate->suppressed++;
    return false;
  }
  rate->tokens -= 1;
  *suppressed = rate->suppressed;
  rate->suppressed = 0;
  return true;
}
