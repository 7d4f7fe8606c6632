/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/cache.h"

#include "tests/lib/test.h"

/* Whatever the limit is, what is not the cache's has its room. */
static void
test_capacity (void)
{
  static const struct {
    uint64_t limit;
    unsigned threads, capacity;
  } rows[] = {
    { 0, 2, 2 },          { 64, 2, 2 },      { 74, 2, 2 },
    { 75, 2, 3 },         { 1024, 2, 512 },  { 1024, 128, 448 },
    { 4096, 128, 512 },   { 1024, 1000, 2 }, { UINT64_MAX, 2, 512 },
    { 584, 2, 512 },      { 583, 2, 511 },   { UINT64_MAX, UINT_MAX, 512 },
    { 100, UINT_MAX, 2 },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    unsigned capacity = vtree_cache_capacity (rows[i].limit, rows[i].threads);
    g_assert_cmpuint (capacity, ==, rows[i].capacity);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/cache/capacity", test_capacity);
  return vtree_test_run ();
}
