/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/log.h"

#include "core/error.h"
#include "tests/lib/test.h"

#include <errno.h>

static void
test_one_line (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "log", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeLog) log = vtree_log_new (path, &error);
  g_assert_no_error (error);
  vtree_log_write (log, VTREE_LOG_ERROR, "a\nb\tc\x1b[1m%d", 7);
  vtree_log_write (log, VTREE_LOG_NOTICE, "second");
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_true (g_str_has_suffix (lines[0], "]: a b c [1m7"));
  g_assert_true (g_str_has_suffix (lines[1], "]: second"));
  g_assert_cmpstr (lines[2], ==, "");
}

static void
test_no_such_directory (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_log_new ("/nonexistent/x/log", &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOENT, "open the log");
}

static void
test_suppressed_are_counted (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "log", NULL);
  g_autoptr (VtreeLog) log = vtree_log_new (path, NULL);
  g_assert_nonnull (log);
  unsigned admitted = 0;
  for (unsigned i = 0; i < 10 * VTREE_RATE_BURST; i++)
    admitted += vtree_log_admit (log, true) ? 1 : 0;
  g_assert_cmpuint (admitted, >=, VTREE_RATE_BURST);
  g_assert_cmpuint (admitted, <, 10 * VTREE_RATE_BURST);
}

static void
test_rate (void)
{
  VtreeRate rate;
  guint64 suppressed = 0;
  gint64 now = 1000;
  vtree_rate_init (&rate, now);
  for (unsigned i = 0; i < VTREE_RATE_BURST; i++)
    g_assert_true (vtree_rate_admit (&rate, now, &suppressed));
  for (unsigned i = 0; i < 5; i++)
    g_assert_false (vtree_rate_admit (&rate, now, &suppressed));
  g_assert_cmpuint (suppressed, ==, 0);
  now += G_USEC_PER_SEC / VTREE_RATE_PER_SECOND;
  g_assert_true (vtree_rate_admit (&rate, now, &suppressed));
  g_assert_cmpuint (suppressed, ==, 5);
  g_assert_false (vtree_rate_admit (&rate, now, &suppressed));
  now += 3600 * (gint64) G_USEC_PER_SEC;
  for (unsigned i = 0; i < VTREE_RATE_BURST; i++)
    g_assert_true (vtree_rate_admit (&rate, now, &suppressed));
  g_assert_false (vtree_rate_admit (&rate, now, &suppressed));
}

static void
test_clock_that_stands (void)
{
  VtreeRate rate;
  guint64 suppressed = 0;
  vtree_rate_init (&rate, 1000);
  for (unsigned i = 0; i < VTREE_RATE_BURST; i++)
    g_assert_true (vtree_rate_admit (&rate, 0, &suppressed));
  g_assert_false (vtree_rate_admit (&rate, 0, &suppressed));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/log/one-line", test_one_line);
  g_test_add_func ("/fuse/log/no-such-directory", test_no_such_directory);
  g_test_add_func ("/fuse/log/suppressed", test_suppressed_are_counted);
  g_test_add_func ("/fuse/log/rate", test_rate);
  g_test_add_func ("/fuse/log/clock-that-stands", test_clock_that_stands);
  return vtree_test_run ();
}
