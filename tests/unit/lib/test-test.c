/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test library itself: a check that can't fail checks nothing. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static int
open_scratch (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "scratch", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
test_short_reads (void)
{
  int fd = open_scratch ();
  char data[10];
  g_assert_cmpint (pwrite (fd, "0123456789", 10, 0), ==, 10);
  vtree_test_fault_short (VTREE_TEST_READ, 3);
  g_assert_cmpint (pread (fd, data, sizeof data, 0), ==, 3);
  g_assert_cmpint (read (fd, data, sizeof data), ==, 3);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 2);
  vtree_test_fault_clear ();
  g_assert_cmpint (pread (fd, data, sizeof data, 0), ==, 10);
  vtree_test_fault_clear ();
  close (fd);
}

static void
test_failing_calls (void)
{
  int fd = open_scratch ();
  vtree_test_fault_fail (VTREE_TEST_WRITE, 1, ENOSPC);
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EIO);
  g_assert_cmpint (write (fd, "a", 1), ==, 1);
  g_assert_cmpint (write (fd, "b", 1), ==, -1);
  g_assert_cmpint (errno, ==, ENOSPC);
  g_assert_cmpint (pwrite (fd, "b", 1, 0), ==, -1);
  g_assert_cmpint (fsync (fd), ==, -1);
  g_assert_cmpint (errno, ==, EIO);
  g_assert_cmpint (fdatasync (fd), ==, -1);
  g_assert_cmpint (syncfs (fd), ==, -1);
  vtree_test_fault_clear ();
  g_assert_cmpint (fsync (fd), ==, 0);
  close (fd);
}

/* Runs this binary again with one hidden test; true if that succeeded. */
static bool
run_hidden (const char *test, const char *variable, char **output)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) env = g_get_environ ();
  env = g_environ_unsetenv (env, "CI");
  env = g_environ_unsetenv (env, "VTREE_REQUIRE_ALL");
  env = g_environ_setenv (env, "VTREE_TEST_HIDDEN", "1", TRUE);
  if (variable != NULL)
    env = g_environ_setenv (env, variable, "true", TRUE);
  char *argv[] = { "/proc/self/exe", "-p", (char *) test, NULL };
  int status = -1;
  g_spawn_sync (NULL, argv, env, 0, NULL, NULL, NULL, output, &status, &error);
  g_assert_no_error (error);
  return g_spawn_check_wait_status (status, NULL);
}

static void
test_leak_is_noticed (void)
{
  g_autofree char *output = NULL;
  g_assert_false (run_hidden ("/hidden/leak", NULL, &output));
  g_assert_nonnull (strstr (output, "leaked descriptor"));
  g_assert_nonnull (strstr (output, "/dev/null"));
}

static void
test_skip_fails_where_all_must_run (void)
{
  g_assert_true (run_hidden ("/hidden/skip", NULL, NULL));
  g_assert_false (run_hidden ("/hidden/skip", "CI", NULL));
  g_assert_false (run_hidden ("/hidden/skip", "VTREE_REQUIRE_ALL", NULL));
}

static void
hidden_leak (void)
{
  g_assert_cmpint (open ("/dev/null", O_RDONLY | O_CLOEXEC), >=, 0);
}

static void
hidden_skip (void)
{
  vtree_test_skip ("hidden");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  if (g_getenv ("VTREE_TEST_HIDDEN") != NULL) {
    g_test_add_func ("/hidden/leak", hidden_leak);
    g_test_add_func ("/hidden/skip", hidden_skip);
    return vtree_test_run ();
  }
  g_test_add_func ("/lib/short-reads", test_short_reads);
  g_test_add_func ("/lib/failing-calls", test_failing_calls);
  g_test_add_func ("/lib/leak-is-noticed", test_leak_is_noticed);
  g_test_add_func ("/lib/skip-fails-where-all-must-run",
                   test_skip_fails_where_all_must_run);
  return vtree_test_run ();
}
