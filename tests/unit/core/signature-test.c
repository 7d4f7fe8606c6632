/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/signature.h"
#include "tests/lib/test.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* 64 zero bytes */
#define SIG                                                                            \
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"       \
  "AAAAAAAAAA=="

static const struct {
  const char *name;
  const char *text;
  int count;         /* -1: CORRUPT */
  const char *fault; /* part of the message */
} files[] = {
  { "empty", "", 0, NULL },
  { "one", "ed25519 " ID " " SIG "\n", 1, NULL },
  { "two", "ed25519 " ID " " SIG "\ned25519 " ID2 " " SIG "\n", 2, NULL },
  { "pkcs7", "pkcs7 " ID " AAAA\n", 1, NULL },
  { "same-id-of-two-kinds", "pkcs7 " ID " AAAA\ned25519 " ID " " SIG "\n", 2, NULL },
  { "unknown-kind", "ml-dsa-65 whatever it is\n", 1, NULL },
  { "no-newline", "ed25519 " ID " " SIG, -1, "line 1: no newline" },
  { "second-no-newline", "ed25519 " ID " " SIG "\nx", -1, "line 2: no newline" },
  { "empty-line", "\n", -1, "line 1: not" },
  { "only-kind", "ed25519\n", -1, "line 1: not" },
  { "kind-and-space", "ed25519 \n", -1, "line 1: not" },
  { "upper-case-kind", "Ed25519 " ID " " SIG "\n", -1, "line 1: not" },
  { "leading-space", " ed25519 " ID " " SIG "\n", -1, "line 1: not" },
  { "two-spaces", "ed25519  " ID " " SIG "\n", -1, "malformed key id" },
  { "short-id", "ed25519 0123 " SIG "\n", -1, "malformed key id" },
  { "upper-case-id",
    "ed25519 0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef " SIG
    "\n",
    -1, "malformed key id" },
  { "no-signature", "ed25519 " ID "\n", -1, "malformed key id" },
  { "empty-signature", "ed25519 " ID " \n", -1, "malformed base64" },
  { "short-signature", "ed25519 " ID " AAAA\n", -1, "64 bytes" },
  { "space-behind", "ed25519 " ID " " SIG " \n", -1, "malformed base64" },
  { "cr", "ed25519 " ID " " SIG "\r\n", -1, "not printable" },
  { "tab", "ed25519\t" ID " " SIG "\n", -1, "not printable" },
  { "utf8", "x \xc3\xa9\n", -1, "not printable" },
  { "twice", "ed25519 " ID " " SIG "\ned25519 " ID " " SIG "\n", -1,
    "line 2: a second signature" },
};

static VtreeSignatures *
parse (const char *text, GError **error)
{
  return vtree_signatures_parse (text, strlen (text), error);
}

static void
assert_text (const VtreeSignatures *signatures, const char *text)
{
  g_autoptr (GBytes) bytes = vtree_signatures_serialize (signatures);
  vtree_test_assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                           text, strlen (text));
}

static void
test_files (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    g_test_message ("%s", files[i].name);
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreeSignatures) signatures = parse (files[i].text, &error);
    if (files[i].count < 0) {
      g_assert_null (signatures);
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, files[i].fault);
      continue;
    }
    g_assert_no_error (error);
    g_assert_cmpuint (vtree_signatures_count (signatures), ==, (size_t) files[i].count);
    assert_text (signatures, files[i].text);
  }
}

static void
test_nul (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_signatures_parse ("x a\0b\n", 6, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "not printable");
}

static void
test_fields (void)
{
  g_autoptr (VtreeSignatures) signatures
    = parse ("pkcs7 " ID2 " AAAA\nother x\ned25519 " ID " " SIG "\n", NULL);
  const VtreeSignatureLine *line = vtree_signatures_peek (signatures, 0);
  g_assert_cmpstr (line->kind, ==, "pkcs7");
  g_assert_cmpuint (line->size, ==, 3);
  line = vtree_signatures_peek (signatures, 1);
  g_assert_cmpstr (line->kind, ==, "other");
  g_assert_null (line->value);
  line = vtree_signatures_peek (signatures, 2);
  g_assert_cmpstr (line->kind, ==, "ed25519");
  char id[VTREE_KEY_ID_TEXT_MAX];
  g_assert_cmpstr (vtree_key_id_format (&line->id, id), ==, ID);
  const uint8_t zero[VTREE_SIGNATURE_SIZE] = { 0 };
  vtree_test_assert_bytes (line->value, line->size, zero, sizeof zero);
}

static void
test_limits (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  for (int i = 0; i < VTREE_SIGNATURE_LINES_MAX; i++)
    g_string_append_printf (text, "x %d\n", i);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeSignatures) full = parse (text->str, &error);
  g_assert_no_error (error);
  VtreeKeyId id = { { 0 } };
  uint8_t value[VTREE_SIGNATURE_SIZE] = { 0 };
  g_assert_false (vtree_signatures_add (full, &id, value, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "16 lines");
  g_clear_error (&error);
  g_string_append (text, "x more\n");
  g_assert_null (parse (text->str, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "16 lines");
  g_clear_error (&error);
  g_autofree char *large = g_strnfill (VTREE_SIGNATURE_FILE_MAX + 1, 'x');
  g_assert_null (parse (large, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "bytes");
}

/* What is written can be read: two halves that are too large together are refused. */
static void
test_merge_keeps_the_size (void)
{
  g_autofree char *half = g_strnfill (VTREE_SIGNATURE_FILE_MAX / 2, 'x');
  g_autofree char *a_text = g_strdup_printf ("a %s\n", half);
  g_autofree char *b_text = g_strdup_printf ("b %s\n", half);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeSignatures) a = parse (a_text, &error);
  g_autoptr (VtreeSignatures) b = parse (b_text, &error);
  g_assert_no_error (error);
  g_assert_false (vtree_signatures_merge (a, b, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "bytes");
  assert_text (a, a_text);
}

static void
test_add_replaces (void)
{
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  g_autoptr (GError) error = NULL;
  VtreeKeyId id;
  g_assert_true (vtree_key_id_parse (ID, &id));
  uint8_t value[VTREE_SIGNATURE_SIZE];
  memset (value, 0xff, sizeof value);
  g_assert_true (vtree_signatures_add (signatures, &id, value, &error));
  memset (value, 0, sizeof value);
  g_assert_true (vtree_signatures_add (signatures, &id, value, &error));
  g_assert_no_error (error);
  assert_text (signatures, "ed25519 " ID " " SIG "\n");
}

static void
test_add_lines (void)
{
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  g_autoptr (VtreeSignatures) other = parse ("other x\ned25519 " ID " " SIG "\n", NULL);
  g_autoptr (GError) error = NULL;
  VtreeKeyId id;
  g_assert_true (vtree_key_id_parse (ID, &id));
  g_assert_true (vtree_signatures_add_pkcs7 (signatures, &id, "\xff", 1, &error));
  g_assert_true (vtree_signatures_add_pkcs7 (signatures, &id, "\0\0\0", 3, &error));
  for (size_t i = 0; i < 2; i++)
    g_assert_true (
      vtree_signatures_add_line (signatures, vtree_signatures_peek (other, i), &error));
  g_assert_no_error (error);
  assert_text (signatures, "pkcs7 " ID " AAAA\ned25519 " ID " " SIG "\n");
}

static void
test_merge (void)
{
  g_autoptr (VtreeSignatures) a = parse ("other x\ned25519 " ID " " SIG "\n", NULL);
  g_autoptr (VtreeSignatures) b
    = parse ("ed25519 " ID2 " " SIG "\nother x\nother y\npkcs7 " ID " AAAA\n", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_signatures_merge (a, b, &error));
  g_assert_no_error (error);
  assert_text (a, "other x\ned25519 " ID " " SIG "\ned25519 " ID2 " " SIG
                  "\nother y\npkcs7 " ID " AAAA\n");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/signature/files", test_files);
  g_test_add_func ("/core/signature/nul", test_nul);
  g_test_add_func ("/core/signature/fields", test_fields);
  g_test_add_func ("/core/signature/limits", test_limits);
  g_test_add_func ("/core/signature/add-lines", test_add_lines);
  g_test_add_func ("/core/signature/merge-keeps-the-size", test_merge_keeps_the_size);
  g_test_add_func ("/core/signature/add-replaces", test_add_replaces);
  g_test_add_func ("/core/signature/merge", test_merge);
  return vtree_test_run ();
}
