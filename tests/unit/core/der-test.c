/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements: the one form that each has, and nothing read past an end. */
#include "core/der.h"
#include "tests/lib/test.h"

#define BYTES(...)                                                                     \
  (const uint8_t[]){ __VA_ARGS__ }, sizeof ((const uint8_t[]){ __VA_ARGS__ })

static const struct {
  const char *name;
  const uint8_t *bytes;
  size_t size;
  bool ok;
} forms[] = {
  { "empty octets", BYTES (0x04, 0x00), true },
  { "one octet", BYTES (0x04, 0x01, 0xff), true },
  { "something behind it", BYTES (0x04, 0x00, 0x04), true },
  { "another tag", BYTES (0x05, 0x00), false },
  { "a tag alone", BYTES (0x04), false },
  { "past the end", BYTES (0x04, 0x02, 0xff), false },
  { "indefinite length", BYTES (0x04, 0x80, 0x00, 0x00), false },
  { "long form of what is short", BYTES (0x04, 0x81, 0x01, 0xff), false },
  { "leading zero", BYTES (0x04, 0x82, 0x00, 0x01, 0xff), false },
  { "length cut off", BYTES (0x04, 0x82, 0x01), false },
  { "length of five bytes", BYTES (0x04, 0x85, 1, 0, 0, 0, 0, 0xff), false },
  { "length that is reserved", BYTES (0x04, 0xff), false },
  { "4 GiB", BYTES (0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 0xff), false },
  { "tag of two bytes", BYTES (0x1f, 0x04, 0x00), false },
};

static void
test_forms (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (forms); i++) {
    VtreeSpan from = { forms[i].bytes, forms[i].size };
    VtreeSpan contents = { NULL, 99 };
    g_test_message ("%s", forms[i].name);
    g_assert_cmpint (vtree_der_take (&from, VTREE_DER_OCTETS, &contents), ==,
                     forms[i].ok);
    if (forms[i].ok)
      continue;
    g_assert_true (from.data == forms[i].bytes && from.size == forms[i].size);
    g_assert_cmpuint (contents.size, ==, 99);
  }
}

static void
test_nothing_is_no_element (void)
{
  VtreeSpan from = { NULL, 0 };
  VtreeSpan contents;
  g_assert_false (vtree_der_take (&from, VTREE_DER_OCTETS, &contents));
  g_assert_true (vtree_der_take_optional (&from, VTREE_DER_OCTETS, &contents));
  g_assert_null (contents.data);
}

static void
test_optional (void)
{
  static const uint8_t bytes[] = { 0xa0, 0x00, 0x02, 0x01, 0x07, 0x04, 0x80 };
  VtreeSpan from = { bytes, sizeof bytes }, contents;
  g_assert_true (vtree_der_take_optional (&from, VTREE_DER_CONTEXT (1), &contents));
  g_assert_null (contents.data);
  g_assert_true (vtree_der_take_optional (&from, VTREE_DER_CONTEXT (0), &contents));
  g_assert_nonnull (contents.data);
  g_assert_cmpuint (contents.size, ==, 0);
  g_assert_true (vtree_der_take (&from, VTREE_DER_INTEGER, &contents));
  vtree_test_assert_bytes (contents.data, contents.size, "\x07", 1);
  g_assert_false (vtree_der_take_optional (&from, VTREE_DER_CONTEXT (0), &contents));
}

static const size_t sizes[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 70000 };

static void
test_what_is_written_is_read (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree uint8_t *data = g_malloc0 (sizes[i] + 1);
    GBytes *part = g_bytes_new (data, sizes[i]);
    g_autoptr (GBytes) element = vtree_der_wrap_take (VTREE_DER_OCTETS, &part, 1);
    VtreeSpan from, contents, whole;
    from.data = g_bytes_get_data (element, &from.size);
    VtreeSpan again = from;
    g_assert_true (vtree_der_take (&from, VTREE_DER_OCTETS, &contents));
    g_assert_cmpuint (contents.size, ==, sizes[i]);
    g_assert_cmpuint (from.size, ==, 0);
    g_assert_true (vtree_der_take_whole (&again, VTREE_DER_OCTETS, &whole));
    g_assert_cmpuint (whole.size, ==, g_bytes_get_size (element));
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/der/forms", test_forms);
  g_test_add_func ("/core/der/nothing", test_nothing_is_no_element);
  g_test_add_func ("/core/der/optional", test_optional);
  g_test_add_func ("/core/der/round-trip", test_what_is_written_is_read);
  return vtree_test_run ();
}
