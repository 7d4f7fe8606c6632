/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/text.h"
#include "tests/lib/test.h"

#include <string.h>

static const struct {
  const char *name;
  const char *text;
  bool ok;
  uint64_t value;
} numbers[] = {
  { "zero", "0", true, 0 },
  { "one", "1", true, 1 },
  { "largest", "18446744073709551615", true, UINT64_MAX },
  { "one-too-large", "18446744073709551616", false, 0 },
  { "ten-times-too-large", "184467440737095516150", false, 0 },
  { "empty", "", false, 0 },
  { "leading-zero", "01", false, 0 },
  { "two-zeros", "00", false, 0 },
  { "plus", "+1", false, 0 },
  { "minus", "-1", false, 0 },
  { "space-before", " 1", false, 0 },
  { "space-behind", "1 ", false, 0 },
  { "hexadecimal", "0x1", false, 0 },
  { "letter", "12a", false, 0 },
};

static void
test_numbers (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++) {
    g_test_message ("%s", numbers[i].name);
    uint64_t value = 77;
    g_assert_cmpint (
      vtree_text_parse_u64 (numbers[i].text, strlen (numbers[i].text), &value), ==,
      numbers[i].ok);
    g_assert_cmpuint (value, ==, numbers[i].ok ? numbers[i].value : 77);
  }
}

static void
test_number_stops_at_length (void)
{
  uint64_t value;
  g_assert_true (vtree_text_parse_u64 ("123.root", 3, &value));
  g_assert_cmpuint (value, ==, 123);
}

static void
test_hex (void)
{
  uint8_t value[4];
  char text[9];
  g_assert_true (vtree_text_parse_hex ("00ff7e9a", value, 4));
  g_assert_cmpstr (vtree_text_format_hex (value, 4, text), ==, "00ff7e9a");
  g_assert_true (vtree_text_parse_hex ("00ff7e9a and more", value, 4));
  g_assert_false (vtree_text_parse_hex ("00FF7E9A", value, 4));
  g_assert_false (vtree_text_parse_hex ("00ff7e9", value, 4));
  g_assert_false (vtree_text_parse_hex ("00ff7e9g", value, 4));
  g_assert_false (vtree_text_parse_hex ("", value, 4));
}

static const struct {
  const char *name;
  const char *text;
  size_t size; /* 0: refused */
} base64[] = {
  { "one-byte", "AA==", 1 },
  { "two-bytes", "AAA=", 2 },
  { "three-bytes", "////", 3 },
  { "empty", "", 0 },
  { "no-padding", "AA", 0 },
  { "stray-bits", "AB==", 0 },
  { "stray-bits-of-two", "AAB=", 0 },
  { "url-alphabet", "__--", 0 },
  { "inner-space", "AA AAA==", 0 },
  { "newline", "AAA\n", 0 },
  { "padding-inside", "AA==AAAA", 0 },
  { "only-padding", "====", 0 },
  { "rubbish-between", "A*A=*A==", 0 },
};

static void
test_base64 (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (base64); i++) {
    g_test_message ("%s", base64[i].name);
    size_t size = 0;
    g_autofree uint8_t *bytes
      = vtree_text_parse_base64 (base64[i].text, strlen (base64[i].text), &size);
    g_assert_cmpint (bytes != NULL, ==, base64[i].size > 0);
    g_assert_cmpuint (size, ==, base64[i].size);
  }
}

static void
test_base64_refuses_nul (void)
{
  size_t size;
  g_assert_null (vtree_text_parse_base64 ("AA=\0", 4, &size));
}

static void
test_base64_random (void)
{
  for (int round = 0; round < 200; round++) {
    uint8_t bytes[90];
    size_t size = (size_t) g_test_rand_int_range (1, sizeof bytes);
    for (size_t i = 0; i < size; i++)
      bytes[i] = (uint8_t) g_test_rand_int ();
    g_autofree char *text = g_base64_encode (bytes, size);
    size_t got_size;
    g_autofree uint8_t *got = vtree_text_parse_base64 (text, strlen (text), &got_size);
    g_assert_nonnull (got);
    vtree_test_assert_bytes (got, got_size, bytes, size);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/text/numbers", test_numbers);
  g_test_add_func ("/core/text/number-stops-at-length", test_number_stops_at_length);
  g_test_add_func ("/core/text/hex", test_hex);
  g_test_add_func ("/core/text/base64", test_base64);
  g_test_add_func ("/core/text/base64-refuses-nul", test_base64_refuses_nul);
  g_test_add_func ("/core/text/base64-random", test_base64_random);
  return vtree_test_run ();
}
