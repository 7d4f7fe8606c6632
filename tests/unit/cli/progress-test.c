/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line of progress, and that there is none where nobody looks. */
#include "cli/progress.h"
#include "tests/lib/test.h"

static void
check (uint64_t done, uint64_t total, const char *detail, unsigned columns,
       const char *expected)
{
  g_autofree char *line = vtree_progress_format ("fsck", done, total, detail, columns);

  g_assert_cmpstr (line, ==, expected);
}

static void
test_format (void)
{
  check (0, 10, "x", 80, "fsck [........................]   0% x");
  check (5, 10, "x", 80, "fsck [############............]  50% x");
  check (10, 10, "x", 80, "fsck [########################] 100% x");
  check (12, 10, "x", 80, "fsck [########################] 100% x");
  check (UINT64_MAX, UINT64_MAX, "x", 80, "fsck [########################] 100% x");
  check (7, 0, "7 files, 1.5\xc2\xa0kB", 80, "fsck 7 files, 1.5\xc2\xa0kB");
  check (7, 0, "7 files, 1.5\xc2\xa0kB", 18, "fsck 7 files, 1.5\xc2\xa0");
  check (7, 0, "7 files, 1.5\xc2\xa0kB", 17, "fsck 7 files, 1.5");
}

static void
count_without_terminal (void)
{
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("fsck", true);

  for (uint64_t i = 0; i < 1000; i++) {
    vtree_progress_count (progress, i, i);
    vtree_progress_share (progress, i, 1000);
  }
}

/* The subprocess's stderr is a pipe. */
static void
test_silent (void)
{
  if (g_test_subprocess ()) {
    count_without_terminal ();
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr_unmatched ("*fsck*");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/progress/format", test_format);
  g_test_add_func ("/cli/progress/silent", test_silent);
  return vtree_test_run ();
}
