/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the one line of progress on stderr, and when it is drawn. */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_AFTER (1 * G_USEC_PER_SEC)
#define REDRAW_AFTER (G_USEC_PER_SEC / 10)
#define COLUMNS_DEFAULT 80u
#define BAR_WIDTH 24u

struct VtreeProgress {
  const char *what;
  bool visible;
  GMutex lock; /* guards what follows */
  uint64_t total;
  gint64 due; /* monotonic: not drawn before */
  bool drawn;
};

VtreeProgress *
vtree_progress_new (const char *what, bool wanted)
{
  VtreeProgress *progress = g_new0 (VtreeProgress, 1);

  progress->what = what;
  progress->visible = wanted && isatty (STDERR_FILENO) == 1;
  progress->due = g_get_monotonic_time () + FIRST_AFTER;
  g_mutex_init (&progress->lock);
  return progress;
}

void
vtree_progress_free (VtreeProgress *progress)
{
  vtree_progress_hide (progress);
  g_mutex_clear (&progress->lock);
  g_free (progress);
}

void
vtree_progress_hide (VtreeProgress *progress)
{
  g_mutex_lock (&progress->lock);
  if (progress->drawn)
    fputs ("\r\033[K", stderr);
  progress->drawn = false;
  g_mutex_unlock (&progress->lock);
}

void
vtree_progress_set_total (VtreeProgress *progress, uint64_t files)
{
  progress->total = files;
}

char *
vtree_progress_format (const char *what, uint64_t done, uint64_t total,
                       const char *detail, unsigned columns)
{
  GString *line = g_string_new (what);
  char bar[BAR_WIDTH + 1] = "";
  double share;

  if (total > 0) {
    share = (double) MIN (done, total) / (double) total;
    memset (bar, '.', BAR_WIDTH);
    memset (bar, '#', (size_t) (share * BAR_WIDTH));
    g_string_append_printf (line, " [%s] %3u%%", bar, (unsigned) (share * 100));
  }
  g_string_append_printf (line, " %s", detail);
  /* A size has a no-break space: cut between characters. */
  if (g_utf8_strlen (line->str, -1) > (glong) columns)
    g_string_truncate (
      line,
      (gsize) (g_utf8_offset_to_pointer (line->str, (glong) columns) - line->str));
  return g_string_free (line, FALSE);
}

static unsigned
terminal_columns (void)
{
  struct winsize size;

  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
    return COLUMNS_DEFAULT - 1;
  return size.ws_col - 1u;
}

/* Whether it is time to draw; then nobody else does until the next time. */
static bool
is_due (VtreeProgress *progress)
{
  gint64 now;
  bool due;

  if (!progress->visible)
    return false;
  now = g_get_monotonic_time ();
  g_mutex_lock (&progress->lock);
  due = now >= progress->due;
  if (due)
    progress->due = now + REDRAW_AFTER;
  progress->drawn = progress->drawn || due;
  g_mutex_unlock (&progress->lock);
  return due;
}

static void
draw (const VtreeProgress *progress, uint64_t done, uint64_t total, const char *detail)
{
  g_autofree char *line
    = vtree_progress_format (progress->what, done, total, detail, terminal_columns ());

  fprintf (stderr, "\r%s\033[K", line);
  fflush (stderr);
}

void
vtree_progress_count (void *context, uint64_t files, uint64_t bytes)
{
  VtreeProgress *progress = context;
  g_autofree char *size = NULL;
  g_autofree char *detail = NULL;

  if (!is_due (progress))
    return;
  size = g_format_size (bytes);
  detail = g_strdup_printf ("%" G_GUINT64_FORMAT " files, %s", files, size);
  draw (progress, files, progress->total, detail);
}

void
vtree_progress_share (void *context, uint64_t done, uint64_t total)
{
  g_autofree char *part = NULL;
  g_autofree char *whole = NULL;
  g_autofree char *detail = NULL;

  if (!is_due (context))
    return;
  part = g_format_size (done);
  whole = g_format_size (total);
  detail = g_strdup_printf ("%s of %s", part, whole);
  draw (context, done, total, detail);
}
