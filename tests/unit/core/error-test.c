/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "tests/lib/test.h"

#include <errno.h>

static void
test_set (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_error_set (&error, VTREE_ERROR_LIMIT, "read %s: %d", "x", 7));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, NULL);
  g_assert_cmpstr (error->message, ==, "read x: 7");
}

static void
test_set_errno (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_error_set_errno (&error, ENOSPC, "write %s", "x"));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOSPC, NULL);
  g_assert_cmpstr (error->message, ==, "write x: No space left on device");
}

static void
test_nobody_asks (void)
{
  g_assert_false (vtree_error_set (NULL, VTREE_ERROR_LIMIT, "x"));
  g_assert_false (vtree_error_set_errno (NULL, EIO, "x"));
}

static void
test_domains_differ (void)
{
  g_assert_cmpuint (VTREE_ERROR, !=, VTREE_ERRNO_ERROR);
}

static const struct {
  const char *name;
  const char *text;
  gssize length;
  const char *expected;
} escapes[] = {
  { "plain", "usr/bin/a b", -1, "usr/bin/a b" },
  { "empty", "", -1, "" },
  { "newline", "a\nb", -1, "a\\nb" },
  { "every-letter", "\a\b\t\n\v\f\r", -1, "\\a\\b\\t\\n\\v\\f\\r" },
  { "escape-sequence", "\x1b[31m", -1, "\\x1b[31m" },
  { "delete", "\x7f", -1, "\\x7f" },
  { "backslash", "a\\n", -1, "a\\\\n" },
  { "nul", "a\0b", 3, "a\\x00b" },
  { "utf-8", "gr\xc3\xbc\xc3\x9f", -1, "gr\xc3\xbc\xc3\x9f" },
  { "utf-8-cut", "gr\xc3\xbc", 3, "gr\\xc3" },
  { "not-utf-8", "\xff\xfe", -1, "\\xff\\xfe" },
  { "overlong", "\xc0\xaf", -1, "\\xc0\\xaf" },
  { "line-separator", "\xe2\x80\xa8", -1, "\\xe2\\x80\\xa8" },
  { "bidi-override", "\xe2\x80\xae", -1, "\\xe2\\x80\\xae" },
  { "length", "abc", 2, "ab" },
};

static void
test_escape (gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  g_autofree char *escaped
    = vtree_error_escape (escapes[row].text, escapes[row].length);
  g_assert_cmpstr (escaped, ==, escapes[row].expected);
}

/* What comes from a library may have been put in as it was. */
static void
test_line (void)
{
  g_autofree char *escaped = vtree_error_escape ("a\n", -1);
  g_autofree char *message = g_strdup_printf ("open %s: \x1b[2Jbad\nname\xff", escaped);
  g_autofree char *line = vtree_error_line (message);
  g_assert_cmpstr (line, ==, "open a\\n: \\x1b[2Jbad\\nname\\xff");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/error/set", test_set);
  g_test_add_func ("/core/error/set-errno", test_set_errno);
  g_test_add_func ("/core/error/nobody-asks", test_nobody_asks);
  g_test_add_func ("/core/error/domains-differ", test_domains_differ);
  g_test_add_func ("/core/error/line", test_line);
  for (size_t i = 0; i < G_N_ELEMENTS (escapes); i++) {
    g_autofree char *path = g_strdup_printf ("/core/error/escape/%s", escapes[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_escape);
  }
  return vtree_test_run ();
}
