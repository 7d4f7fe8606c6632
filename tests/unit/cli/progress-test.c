/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line of progress, and that there is none where nobody looks. */
#include "cli/progress.h"
#include "tests/lib/test.h"

static void
check (uint64_t done, uint64_t total, uint64_t bytes, unsigned columns,
       const char *expected)
{
  g_autofree char *line = vtree_progress_format ("fsck", done, total, bytes, columns);

  g_assert_cmpstr (line, ==, expected);
}

static void
test_format (void)
{
  check (0, 10, 0, 80, "fsck [........................]   0% 0/10");
  check (5, 10, 0, 80, "fsck [############............]  50% 5/10");
  check (10, 10, 0, 80, "fsck [########################] 100% 10/10");
  check (12, 10, 0, 80, "fsck [########################] 100% 10/10");
  check (7, 0, 0, 80, "fsck 7 files");
  check (7, 0, 1500, 80, "fsck 7 files 1.5\xc2\xa0kB");
  check (7, 0, 1500, 15, "fsck 7 files 1.");
  check (7, 0, 1500, 17, "fsck 7 files 1.5\xc2\xa0");
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
