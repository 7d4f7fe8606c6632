/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/bytes.h"
#include "tests/lib/test.h"

#include <string.h>

static const uint8_t octets[]
  = { 0x01, 0x02, 0x03, 0x04, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9 };
static const VtreeSpan nine = { octets, sizeof octets };

static const struct {
  const char *name;
  uint64_t offset, size;
  bool fits;
} subs[] = {
  { "all", 0, 9, true },
  { "end", 9, 0, true },
  { "middle", 3, 4, true },
  { "one-more", 0, 10, false },
  { "beyond", 10, 0, false },
  { "across", 8, 2, false },
  { "size-wraps", 1, UINT64_MAX, false },
  { "offset-wraps", UINT64_MAX, 1, false },
  { "sum-wraps", UINT64_MAX - 3, 8, false },
};

static void
test_sub (gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  VtreeSpan out = { NULL, 77 };
  bool fits = vtree_span_sub (nine, subs[row].offset, subs[row].size, &out);
  g_assert_cmpint (fits, ==, subs[row].fits);
  g_assert_cmpuint (out.size, ==, fits ? subs[row].size : 77);
  g_assert_true (out.data == (fits ? octets + subs[row].offset : NULL));
}

static void
test_sub_of_nothing (void)
{
  VtreeSpan none = { NULL, 0 }, out = { octets, 1 };
  g_assert_true (vtree_span_sub (none, 0, 0, &out));
  g_assert_null (out.data);
  g_assert_false (vtree_span_sub (none, 0, 1, &out));
}

static void
test_integers (void)
{
  g_assert_cmphex (vtree_span_u16 (nine, 0), ==, 0x0201);
  g_assert_cmphex (vtree_span_u16 (nine, 7), ==, 0xf9f8);
  g_assert_cmphex (vtree_span_u32 (nine, 1), ==, 0xf5040302);
  g_assert_cmphex (vtree_span_u64 (nine, 1), ==, 0xf9f8f7f6f5040302);
  g_assert_cmpint (vtree_span_s64 (nine, 1), ==, (int64_t) 0xf9f8f7f6f5040302);
}

static void
test_integer_outside_is_a_bug (void)
{
  if (g_test_subprocess ()) {
    vtree_span_u32 (nine, 6);
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
}

static void
test_put (void)
{
  uint8_t bytes[14];
  vtree_bytes_put_u16 (bytes, 0x0201);
  vtree_bytes_put_u32 (bytes + 2, 0x06050403);
  vtree_bytes_put_u64 (bytes + 6, 0x0e0d0c0b0a090807);
  for (size_t i = 0; i < sizeof bytes; i++)
    g_assert_cmpuint (bytes[i], ==, i + 1);
}

static const struct {
  const char *name;
  const char *a, *b;
  int order;
} orders[] = {
  { "equal", "abc", "abc", 0 },       { "less", "abc", "abd", -1 },
  { "prefix", "ab", "abc", -1 },      { "longer", "abc", "ab", 1 },
  { "empty", "", "a", -1 },           { "both-empty", "", "", 0 },
  { "unsigned", "\x7f", "\x80", -1 },
};

static void
test_compare (gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  VtreeSpan a = { (const uint8_t *) orders[row].a, strlen (orders[row].a) };
  VtreeSpan b = { (const uint8_t *) orders[row].b, strlen (orders[row].b) };
  int order = vtree_span_compare (a, b);
  g_assert_cmpint ((order > 0) - (order < 0), ==, orders[row].order);
  g_assert_cmpint (vtree_span_compare (b, a) > 0, ==, orders[row].order < 0);
}

static void
test_is_zero (void)
{
  uint8_t zeros[64] = { 0 };
  for (size_t size = 0; size <= sizeof zeros; size++)
    g_assert_true (vtree_span_is_zero ((VtreeSpan){ zeros, size }));
  for (size_t i = 0; i < sizeof zeros; i++) {
    zeros[i] = 1;
    g_assert_false (vtree_span_is_zero ((VtreeSpan){ zeros, sizeof zeros }));
    zeros[i] = 0;
  }
}

static void
test_mul_add (void)
{
  uint64_t out = 77;
  g_assert_true (vtree_bytes_mul_add (UINT32_MAX, UINT32_MAX, 5, &out));
  g_assert_cmpuint (out, ==, UINT64_C (0xfffffffe00000001) + 5);
  g_assert_true (vtree_bytes_mul_add (1, UINT64_MAX, 0, &out));
  g_assert_cmpuint (out, ==, UINT64_MAX);
  g_assert_false (vtree_bytes_mul_add (1, UINT64_MAX, 1, &out));
  g_assert_false (
    vtree_bytes_mul_add (UINT64_C (1) << 32, UINT64_C (1) << 32, 0, &out));
  g_assert_cmpuint (out, ==, UINT64_MAX);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (subs); i++) {
    g_autofree char *path = g_strdup_printf ("/core/bytes/sub/%s", subs[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_sub);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (orders); i++) {
    g_autofree char *path = g_strdup_printf ("/core/bytes/compare/%s", orders[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_compare);
  }
  g_test_add_func ("/core/bytes/sub-of-nothing", test_sub_of_nothing);
  g_test_add_func ("/core/bytes/integers", test_integers);
  g_test_add_func ("/core/bytes/integer-outside", test_integer_outside_is_a_bug);
  g_test_add_func ("/core/bytes/put", test_put);
  g_test_add_func ("/core/bytes/is-zero", test_is_zero);
  g_test_add_func ("/core/bytes/mul-add", test_mul_add);
  return vtree_test_run ();
}
