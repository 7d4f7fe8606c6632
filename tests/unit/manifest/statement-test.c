/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "manifest/statement.h"
#include "tests/lib/test.h"

#include <string.h>

#define DIGEST(x)                                                                      \
  "sha256:" x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define A DIGEST ("aa")
#define B DIGEST ("bb")
#define FIRST "vtree-root 1\n"
#define REF "ref: os/stable\n"
#define VERSION "version: 7\n"
#define CREATED "created: 2026-11-23T18:00:00Z\n"
#define EXPIRES "expires: 2027-11-23T18:00:00Z\n"
#define MANIFEST "manifest: " A "\n"
#define SIZE "size: 8192\n"
#define PARENT "parent: " B "\n"
#define LEAST FIRST REF VERSION CREATED MANIFEST SIZE
#define NO_REF FIRST VERSION CREATED MANIFEST SIZE
#define NO_VERSION FIRST REF CREATED MANIFEST SIZE
#define NO_CREATED FIRST REF VERSION MANIFEST SIZE
#define NO_MANIFEST FIRST REF VERSION CREATED SIZE
#define NO_SIZE FIRST REF VERSION CREATED MANIFEST

static const struct {
  const char *name;
  const char *text;
  const char *fault;     /* NULL: accepted */
  const char *canonical; /* NULL: TEXT itself */
} statements[] = {
  { "least", LEAST, NULL, NULL },
  { "everything",
    FIRST REF VERSION CREATED EXPIRES MANIFEST SIZE PARENT "x-a: 1\nx-message: b: c\n",
    NULL, NULL },
  { "any-order", FIRST SIZE "x-a: 1\n" PARENT MANIFEST EXPIRES CREATED VERSION REF,
    NULL, FIRST REF VERSION CREATED EXPIRES MANIFEST SIZE PARENT "x-a: 1\n" },
  { "utf8-value", LEAST "x-message: \xc3\xa9\n", NULL, NULL },
  { "largest-version", NO_VERSION "version: 18446744073709551615\n", NULL,
    FIRST REF "version: 18446744073709551615\n" CREATED MANIFEST SIZE },

  { "empty", "", "it is empty", NULL },
  { "one-newline", "\n", "line 1: not \"vtree-root 1\"", NULL },
  { "first-line", "vtree-root\n" REF VERSION CREATED MANIFEST SIZE, "line 1", NULL },
  { "first-line-space", "vtree-root 1 \n" REF, "line 1", NULL },
  { "first-line-not-first", REF FIRST VERSION CREATED MANIFEST SIZE, "line 1", NULL },
  { "first-line-twice", FIRST FIRST REF VERSION CREATED MANIFEST SIZE, "line 2", NULL },
  { "bom", "\xef\xbb\xbf" LEAST, "line 1", NULL },
  { "only-first-line", FIRST, "has no \"ref\"", NULL },
  { "no-ref", NO_REF, "has no \"ref\"", NULL },
  { "no-version", NO_VERSION, "has no \"version\"", NULL },
  { "no-created", NO_CREATED, "has no \"created\"", NULL },
  { "no-manifest", NO_MANIFEST, "has no \"manifest\"", NULL },
  { "no-size", NO_SIZE, "has no \"size\"", NULL },
  { "no-last-newline", LEAST "x-a: 1", "line 7: no newline", NULL },
  { "empty-line", LEAST "\n", "line 7: not \"key: value\"", NULL },
  { "empty-line-inside", FIRST "\n" REF VERSION CREATED MANIFEST SIZE, "line 2", NULL },
  { "cr", FIRST REF VERSION "created: 2026-11-23T18:00:00Z\r\n" MANIFEST SIZE,
    "line 4: a control character", NULL },
  { "tab", LEAST "x-a: 1\t2\n", "line 7: a control character", NULL },
  { "escape", LEAST "x-a: \x1b[2J\n", "line 7: a control character", NULL },
  { "delete", LEAST "x-a: \x7f\n", "line 7: a control character", NULL },
  { "bad-utf8", LEAST "x-a: \xff\n", "line 7: invalid UTF-8", NULL },
  { "overlong-utf8", LEAST "x-a: \xc0\xaf\n", "line 7: invalid UTF-8", NULL },
  { "surrogate-utf8", LEAST "x-a: \xed\xa0\x80\n", "line 7: invalid UTF-8", NULL },
  { "unknown-key", LEAST "flags: 1\n", "line 7: unknown key", NULL },
  { "capital-key", NO_REF "Ref: os/stable\n", "line 6: unknown key", NULL },
  { "x-alone", LEAST "x-: 1\n", "line 7: unknown key", NULL },
  { "x-capital", LEAST "x-A: 1\n", "line 7: unknown key", NULL },
  { "x-space", LEAST "x-a b: 1\n", "line 7: unknown key", NULL },
  { "duplicate", LEAST VERSION, "line 7: this key again", NULL },
  { "duplicate-x", LEAST "x-a: 1\nx-a: 2\n", "line 8: this key again", NULL },
  { "no-colon", LEAST "x-a\n", "line 7: not \"key: value\"", NULL },
  { "no-space", LEAST "x-a:1\n", "line 7: not \"key: value\"", NULL },
  { "no-value", LEAST "x-a: \n", "line 7: an empty value", NULL },
  { "two-spaces", LEAST "x-a:  1\n", "line 7: an empty value, or a space", NULL },
  { "space-behind", LEAST "x-a: 1 \n", "line 7: an empty value, or a space", NULL },
  { "leading-space", LEAST " x-a: 1\n", "line 7: unknown key", NULL },

  { "ref-traversal", NO_REF "ref: ../x\n", "line 6: not a valid ref name", NULL },
  { "ref-reserved", NO_REF "ref: a/head\n", "line 6: not a valid ref name", NULL },
  { "version-zero", NO_VERSION "version: 0\n", "line 6: not a number from 1", NULL },
  { "version-leading-zero", NO_VERSION "version: 07\n", "line 6: not a number", NULL },
  { "version-plus", NO_VERSION "version: +7\n", "line 6: not a number", NULL },
  { "version-minus", NO_VERSION "version: -7\n", "line 6: not a number", NULL },
  { "version-overflow", NO_VERSION "version: 18446744073709551616\n",
    "line 6: not a number", NULL },
  { "version-hex", NO_VERSION "version: 0x7\n", "line 6: not a number", NULL },
  { "size-zero", NO_SIZE "size: 0\n", "line 6: not a number from 1", NULL },
  { "size-overflow", NO_SIZE "size: 9223372036854775808\n", "line 6: not a num", NULL },
  { "size-leading-zero", NO_SIZE "size: 08192\n", "line 6: not a number", NULL },
  { "created-no-time", NO_CREATED "created: yesterday\n", "line 6: not a time", NULL },
  { "created-no-day", NO_CREATED "created: 2026-02-30T00:00:00Z\n",
    "line 6: not a time", NULL },
  { "expires-never", LEAST "expires: 1970-01-01T00:00:00Z\n",
    "line 7: not a time after", NULL },
  { "manifest-short", NO_MANIFEST "manifest: sha256:aa\n", "line 6: not a digest",
    NULL },
  { "manifest-upper", NO_MANIFEST "manifest: " DIGEST ("AA") "\n",
    "line 6: not a digest", NULL },
  { "parent-bad", LEAST "parent: none\n", "line 7: not a digest", NULL },
};

static VtreeStatement *
parse (const char *text, GError **error)
{
  return vtree_statement_parse (text, strlen (text), error);
}

static void
assert_serialized (const VtreeStatement *statement, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = vtree_statement_serialize (statement, &error);
  g_assert_no_error (error);
  vtree_test_assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                           text, strlen (text));
}

static void
test_statements (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (statements); i++) {
    g_test_message ("%s", statements[i].name);
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreeStatement) statement = parse (statements[i].text, &error);
    if (statements[i].fault != NULL) {
      g_assert_null (statement);
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                               statements[i].fault);
      continue;
    }
    g_assert_no_error (error);
    const char *canonical = statements[i].canonical;
    assert_serialized (statement, canonical != NULL ? canonical : statements[i].text);
  }
}

static void
test_fields (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStatement) statement
    = parse (LEAST EXPIRES PARENT "x-message: hello, world\n", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (statement->ref, ==, "os/stable");
  g_assert_cmpuint (statement->version, ==, 7);
  g_assert_cmpint (statement->created, ==, 1795456800);
  g_assert_cmpint (statement->expires, ==, 1795456800 + 365 * 86400);
  vtree_test_assert_digest_text (&statement->manifest, A);
  g_assert_cmpuint (statement->size, ==, 8192);
  g_assert_true (statement->has_parent);
  vtree_test_assert_digest_text (&statement->parent, B);
  g_assert_cmpstr (vtree_statement_extra (statement, "x-message"), ==, "hello, world");
  g_assert_null (vtree_statement_extra (statement, "x-other"));
}

static void
test_optional_fields (void)
{
  g_autoptr (VtreeStatement) statement = parse (LEAST, NULL);
  g_assert_cmpint (statement->expires, ==, 0);
  g_assert_false (statement->has_parent);
  g_assert_null (vtree_statement_extra (statement, "x-message"));
}

static void
test_nul (void)
{
  static const char text[] = LEAST "x-a: 1\0002\n";
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_statement_parse (text, sizeof text - 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "line 7: a control character");
}

static void
test_other_version (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (parse ("vtree-root 2\nanything\n", &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED, "version 2");
}

/* TEXT of SIZE bytes: LEAST and one long x- key. */
static char *
padded (size_t size)
{
  size_t frame = strlen (LEAST "x-a: \n");
  g_autofree char *padding = g_strnfill (size - frame, 'a');
  return g_strdup_printf (LEAST "x-a: %s\n", padding);
}

static void
test_longest (void)
{
  g_autofree char *fits = padded (VTREE_STATEMENT_MAX);
  g_autofree char *too_long = padded (VTREE_STATEMENT_MAX + 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStatement) statement = parse (fits, &error);
  g_assert_no_error (error);
  assert_serialized (statement, fits);
  g_assert_null (parse (too_long, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "4096 bytes");
  g_clear_error (&error);
  char *longer = g_strconcat (statement->extra[1], "a", NULL);
  g_free (statement->extra[1]);
  statement->extra[1] = longer;
  g_assert_null (vtree_statement_serialize (statement, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "4097 bytes");
}

static const struct {
  const char *name;
  const char *key, *value;
} injections[] = {
  { "newline", "x-a", "1\nx-b: 2" },
  { "field", "x-a", "1\nversion: 9" },
  { "empty-value", "x-a", "" },
  { "cr", "x-a", "1\r" },
  { "bad-key", "a", "1" },
  { "colon-in-key", "x-a: b", "1" },
  { "newline-in-key", "x-a\n", "1" },
  { "bad-utf8", "x-a", "\xff" },
  { "last-newline", "x-a", "1\n" },
};

/* What a caller passes as a message never becomes another line. */
static void
test_injection (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (injections); i++) {
    g_test_message ("%s", injections[i].name);
    g_autoptr (VtreeStatement) statement = parse (LEAST, NULL);
    const char *extra[] = { injections[i].key, injections[i].value, NULL };
    g_strfreev (statement->extra);
    statement->extra = g_strdupv ((char **) extra);
    g_autoptr (GError) error = NULL;
    g_assert_null (vtree_statement_serialize (statement, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID,
                             "write root statement");
  }
}

static void
test_unwritable_fields (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStatement) statement = parse (LEAST, NULL);
  statement->version = 0;
  g_assert_null (vtree_statement_serialize (statement, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "line 3");
  g_clear_error (&error);
  statement->version = 1;
  statement->created = -1;
  g_assert_null (vtree_statement_serialize (statement, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "line 4");
}

static void
test_signed_bytes (void)
{
  g_autoptr (GBytes) file = g_bytes_new_static ("abc", 3);
  g_autoptr (GBytes) bytes = vtree_statement_signed_bytes (file);
  static const char expected[] = "vtree-root-statement-v1\0abc";
  vtree_test_assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                           expected, sizeof expected - 1);
}

static const struct {
  const char *text;
  int64_t seconds; /* -1: refused */
} times[] = {
  { "1970-01-01T00:00:00Z", 0 },
  { "2000-02-29T12:34:56Z", 951827696 },
  { "2026-11-23T18:00:00Z", 1795456800 },
  { "2038-01-19T03:14:08Z", 2147483648 },
  { "9999-12-31T23:59:59Z", VTREE_TIME_MAX },
  { "", -1 },
  { "1969-12-31T23:59:59Z", -1 },
  { "0000-01-01T00:00:00Z", -1 },
  { "10000-01-01T00:00:00Z", -1 },
  { "2026-13-01T00:00:00Z", -1 },
  { "2026-00-01T00:00:00Z", -1 },
  { "2026-01-00T00:00:00Z", -1 },
  { "2026-01-32T00:00:00Z", -1 },
  { "2026-02-29T00:00:00Z", -1 },
  { "2100-02-29T00:00:00Z", -1 },
  { "2026-01-01T24:00:00Z", -1 },
  { "2026-01-01T00:60:00Z", -1 },
  { "2016-12-31T23:59:60Z", -1 },
  { "2026-01-01T00:00:00", -1 },
  { "2026-01-01T00:00:00z", -1 },
  { "2026-01-01t00:00:00Z", -1 },
  { "2026-01-01 00:00:00Z", -1 },
  { "2026-01-01T00:00:00+00:00", -1 },
  { "2026-01-01T00:00:00.0Z", -1 },
  { "2026-1-01T00:00:000Z", -1 },
  { "+026-01-01T00:00:00Z", -1 },
  { "2026-01-01T00:00:00Z\n", -1 },
};

static void
test_times (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (times); i++) {
    g_test_message ("%s", times[i].text);
    int64_t seconds = 77;
    g_assert_cmpint (vtree_time_parse (times[i].text, &seconds), ==,
                     times[i].seconds >= 0);
    g_assert_cmpint (seconds, ==, times[i].seconds >= 0 ? times[i].seconds : 77);
    if (times[i].seconds < 0)
      continue;
    g_autofree char *again = vtree_time_format (seconds);
    g_assert_cmpstr (again, ==, times[i].text);
  }
}

static void
test_times_outside (void)
{
  int64_t seconds;
  g_autofree char *before = vtree_time_format (-1);
  g_autofree char *after = vtree_time_format (VTREE_TIME_MAX + 1);
  g_assert_cmpstr (before, ==, "@-1");
  g_assert_false (vtree_time_parse (before, &seconds));
  g_assert_false (vtree_time_parse (after, &seconds));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/statement/statements", test_statements);
  g_test_add_func ("/manifest/statement/fields", test_fields);
  g_test_add_func ("/manifest/statement/optional-fields", test_optional_fields);
  g_test_add_func ("/manifest/statement/nul", test_nul);
  g_test_add_func ("/manifest/statement/other-version", test_other_version);
  g_test_add_func ("/manifest/statement/longest", test_longest);
  g_test_add_func ("/manifest/statement/injection", test_injection);
  g_test_add_func ("/manifest/statement/unwritable-fields", test_unwritable_fields);
  g_test_add_func ("/manifest/statement/signed-bytes", test_signed_bytes);
  g_test_add_func ("/manifest/statement/times", test_times);
  g_test_add_func ("/manifest/statement/times-outside", test_times_outside);
  return vtree_test_run ();
}
