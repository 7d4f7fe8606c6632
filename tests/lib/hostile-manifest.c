/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostile-manifest KIND FILE: writes a manifest that no honest publisher makes. --list
 * prints the kinds, one a line, each followed by "open" (does not even open) or "check"
 * (opens, but the full check refuses it); the first, "none", is good and says "good".
 */
#include "tests/lib/hostile.h"

#include <stdio.h>
#include <string.h>

static int
print_list (void)
{
  for (size_t i = 0; i < vtree_test_hostile_count (); i++) {
    const VtreeTestHostile *hostile = vtree_test_hostile_peek (i);
    const char *stage = hostile->open_error >= 0 ? "open" : "check";
    printf ("%s %s\n", hostile->kind, hostile->part == NULL ? "good" : stage);
  }
  return 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  if (argc == 2 && strcmp (argv[1], "--list") == 0)
    return print_list ();
  g_autoptr (GBytes) bytes = argc == 3 ? vtree_test_hostile_new (argv[1]) : NULL;
  if (bytes == NULL) {
    fprintf (stderr, "usage: hostile-manifest --list | KIND FILE\n");
    return 2;
  }
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  if (!g_file_set_contents (argv[2], data, (gssize) size, &error)) {
    fprintf (stderr, "hostile-manifest: %s\n", error->message);
    return 1;
  }
  return 0;
}
