/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What counts as contention, and that the kernel's count is understood.
 */
#include "fuse/contention.h"

#include "tests/lib/test.h"

#include <unistd.h>

#define MS (UINT64_C (1000) * 1000)

static void
test_levels (void)
{
  static const struct {
    uint64_t ran, waited;
    VtreeContentionLevel level;
  } rows[] = {
    { 0, 0, VTREE_CONTENTION_UNKNOWN },
    { 1 * MS, 8 * MS, VTREE_CONTENTION_UNKNOWN },
    { 10 * MS, 0, VTREE_CONTENTION_LOW },
    { 13 * MS, 6 * MS, VTREE_CONTENTION_LOW },
    { 6 * MS, 4 * MS, VTREE_CONTENTION_HIGH },
    { 0, 10 * MS, VTREE_CONTENTION_HIGH },
    { 800 * MS, 1, VTREE_CONTENTION_LOW },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (vtree_contention_level (rows[i].ran, rows[i].waited), ==,
                     rows[i].level);
}

/* A thread that computes is counted, whatever else the machine does. */
static void
test_own_thread (void)
{
  if (access ("/proc/thread-self/schedstat", R_OK) != 0) {
    g_test_skip ("this kernel does not count how long threads wait for a processor");
    return;
  }
  VtreeContention contention = { .fd = -1 };
  vtree_contention_begin (&contention);
  g_assert_cmpint (contention.fd, >=, 0);
  uint64_t before = contention.ran;
  volatile uint64_t sum = 0;
  while (vtree_contention_judge (&contention) == VTREE_CONTENTION_UNKNOWN)
    for (unsigned i = 0; i < 100000; i++)
      sum += i;
  g_assert_cmpuint (sum, >, 0); /* a compiler may want it read */
  g_assert_cmpuint (contention.ran, >, before);
  vtree_contention_end (&contention);
  g_assert_cmpint (contention.fd, ==, -1);
  g_assert_cmpint (vtree_contention_judge (&contention), ==, VTREE_CONTENTION_UNKNOWN);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/contention/levels", test_levels);
  g_test_add_func ("/fuse/contention/own-thread", test_own_thread);
  return vtree_test_run ();
}
