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
  if (progress->drawn)
    fputs ("\r\033[K", stderr);
  g_mutex_clear (&progress->lock);
  g_free (progress);
}

void
vtree_progress_set_total (VtreeProgress *progress, uint64_t files)
{
  progress->total = files;
}

char *
vtree_progress_format (const char *what, uint64_t done, uint64_t total, uint64_t bytes,
                       unsigned columns)
{
  g_autofree char *size = g_format_size (bytes);
  char bar[BAR_WIDTH + 1] = "";
  GString *line = g_string_new (what);
  unsigned filled;

  if (total > 0) {
    done = MIN (done, total);
    filled = (unsigned) ((double) done / (double) total * BAR_WIDTH);
    memset (bar, '.', BAR_WIDTH);
    memset (bar, '#', filled);
    g_string_append_printf (
      line, " [%s] %3u%% %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, bar,
      (unsigned) ((double) done / (double) total * 100), done, total);
  } else {
    g_string_append_printf (line, " %" G_GUINT64_FORMAT " files", done);
  }
  if (bytes > 0)
    g_string_append_printf (line, " %s", size);
  /* The size has a no-break space; cut between characters. */
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

static void
draw (VtreeProgress *progress, uint64_t done, uint64_t total, uint64_t bytes)
{
  g_autofree char *line = NULL;
  gint64 now;

  if (!progress->visible)
    return;
  g_mutex_lock (&progress->lock);
  now = g_get_monotonic_time ();
  if (now >= progress->due) {
    line
      = vtree_progress_format (progress->what, done, total, bytes, terminal_columns ());
    fprintf (stderr, "\r%s\033[K", line);
    fflush (stderr);
    progress->drawn = true;
    progress->due = now + REDRAW_AFTER;
  }
  g_mutex_unlock (&progress->lock);
}

void
vtree_progress_count (void *context, uint64_t files, uint64_t bytes)
{
  VtreeProgress *progress = context;

  draw (progress, files, progress->total, bytes);
}

void
vtree_progress_share (void *context, uint64_t done, uint64_t total)
{
  draw (context, done, total, 0);
}
