/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the daemon says what it has to say: one line a message, to syslog (which is the
 * journal's too), to standard error or to a file. Thread-safe.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct VtreeLog VtreeLog;

typedef enum {
  VTREE_LOG_ERROR,
  VTREE_LOG_WARNING,
  VTREE_LOG_NOTICE,
} VtreeLogLevel;

/* TARGET: "syslog", "stderr" (kept open though the daemon gives up its own), or the
 * path of a file that is appended to, made 0640 if need be. Errors:
 * VTREE_ERRNO_ERROR. */
VtreeLog *vtree_log_new (const char *target, GError **error);
void vtree_log_free (VtreeLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeLog, vtree_log_free)

/* One line. Control characters in it become spaces. A log that can't be written to is
 * no failure of the caller. */
void vtree_log_write (VtreeLog *log, VtreeLogLevel level, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

/* Whether a line of the kind that an attacker can provoke may be written now. The first
 * true after some false also says how many lines there would have been. REPEATED: what
 * it is about was in the log before; such lines have a rate of their own, so that one
 * bad object which is read again and again hides no other. */
bool vtree_log_admit (VtreeLog *log, bool repeated);

/* The rate behind it: VTREE_RATE_BURST lines at once, then VTREE_RATE_PER_SECOND. */
#define VTREE_RATE_BURST 32
#define VTREE_RATE_PER_SECOND 4

typedef struct {
  double tokens;
  gint64 last; /* microseconds, monotonic */
  guint64 suppressed;
} VtreeRate;

/* A full bucket at NOW (microseconds). */
void vtree_rate_init (VtreeRate *rate, gint64 now);
/* *SUPPRESSED: how many were refused since the last one that was admitted. */
bool vtree_rate_admit (VtreeRate *rate, gint64 now, guint64 *suppressed);
