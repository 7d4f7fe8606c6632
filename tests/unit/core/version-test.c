/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/version.h"
#include "tests/lib/test.h"

static void
test_three_numbers (void)
{
  g_assert_true (
    g_regex_match_simple ("^[0-9]+\\.[0-9]+\\.[0-9]+$", vtree_version (), 0, 0));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/version/three-numbers", test_three_numbers);
  return vtree_test_run ();
}
