/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds of the target manifest-view into a directory: random trees and every
 * hostile kind that opens, packed; every hostile kind as it is.
 */
#include "tests/fuzz/manifest-packed.h"
#include "tests/lib/hostile.h"
#include "tests/lib/tree.h"

#include <errno.h>
#include <stdio.h>

static bool
write_seed (const char *directory, const char *name, uint8_t mode, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) seed = g_byte_array_new ();
  g_autofree char *path = g_build_filename (directory, name, NULL);
  gsize size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);
  g_byte_array_append (seed, &mode, 1);
  g_byte_array_append (seed, data, (guint) size);
  if (g_file_set_contents (path, (const char *) seed->data, (gssize) seed->len, &error))
    return true;
  fprintf (stderr, "%s\n", error->message);
  return false;
}

static bool
write_hostile (const char *directory)
{
  for (size_t i = 0; i < vtree_test_hostile_count (); i++) {
    const VtreeTestHostile *hostile = vtree_test_hostile_peek (i);
    g_autoptr (GBytes) bytes = vtree_test_hostile_new (hostile->kind);
    g_autofree char *packed_name = g_strdup_printf ("packed-%s", hostile->kind);
    if (!write_seed (directory, hostile->kind, 0, bytes))
      return false;
    if (hostile->open_error >= 0)
      continue;
    g_autoptr (GBytes) packed = vtree_fuzz_pack (bytes);
    if (!write_seed (directory, packed_name, 1, packed))
      return false;
  }
  return true;
}

static bool
write_random (const char *directory)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  for (unsigned i = 0; i < 12; i++) {
    const VtreeTestTreeParams params = {
      .inodes = 1 + i * 5,
      .no_extras = i % 3 == 0,
      .alg = i % 2 == 0 ? VTREE_DIGEST_SHA256 : VTREE_DIGEST_SHA512,
    };
    g_autoptr (VtreeTestTree) tree = vtree_test_tree_new_random (random, &params);
    g_autoptr (GBytes) bytes = vtree_test_tree_build (tree, random);
    g_autoptr (GBytes) packed = vtree_fuzz_pack (bytes);
    g_autofree char *name = g_strdup_printf ("random-%u", i);
    if (!write_seed (directory, name, 1, packed))
      return false;
  }
  return true;
}

int
main (int argc, char **argv)
{
  if (argc != 2) {
    fprintf (stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  if (g_mkdir_with_parents (argv[1], 0777) != 0) {
    fprintf (stderr, "%s: %s\n", argv[1], g_strerror (errno));
    return 1;
  }
  return write_hostile (argv[1]) && write_random (argv[1]) ? 0 : 1;
}
