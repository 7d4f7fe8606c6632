/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "manifest/ref.h"
#include "tests/lib/test.h"

#include <string.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static const struct {
  const char *name;
  const char *fault; /* NULL: valid */
} names[] = {
  { "a", NULL },
  { "0", NULL },
  { "_x", NULL },
  { "os/debian/stable", NULL },
  { "org.example.App/x86_64/1.0+b1-2", NULL },
  { "heads", NULL },
  { "a.root.b", NULL },
  { "root", NULL },
  { "sha256x", NULL },
  { "", "it is empty" },
  { "/a", "an empty component" },
  { "a/", "an empty component" },
  { "a//b", "an empty component" },
  { ".", "begins with" },
  { "..", "begins with" },
  { "a/../b", "begins with" },
  { ".a", "begins with" },
  { "-a", "begins with" },
  { "+a", "begins with" },
  { "a b", "only letters" },
  { "a@1", "only letters" },
  { "a:b", "only letters" },
  { "a\nb", "only letters" },
  { "a\\b", "only letters" },
  { "\xc3\xa9", "only letters" },
  { "a.root", "ends in" },
  { "1.root/b", "ends in" },
  { "a.sig", "ends in" },
  { "head", "reserved" },
  { "a/head", "reserved" },
  { "head/a", "reserved" },
  { "sha256", "reserved" },
  { "a/sha512", "reserved" },
};

static void
test_names (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_test_message ("%s", names[i].name);
    g_autoptr (GError) error = NULL;
    g_assert_cmpint (vtree_ref_check_name (names[i].name, &error), ==,
                     names[i].fault == NULL);
    if (names[i].fault == NULL)
      continue;
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, names[i].fault);
    g_assert_null (strchr (error->message, '\n'));
  }
}

static void
test_longest_name (void)
{
  g_autofree char *longest = g_strnfill (VTREE_REF_MAX, 'a');
  g_autofree char *longer = g_strnfill (VTREE_REF_MAX + 1, 'a');
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_ref_check_name (longest, &error));
  g_assert_false (vtree_ref_check_name (longer, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "200 bytes");
}

static const struct {
  const char *text;
  bool with_path;
  bool ok;
  const char *name; /* NULL: a digest */
  uint64_t version; /* 0: none */
  const char *path;
} specs[] = {
  { "a/b", true, true, "a/b", 0, NULL },
  { "a/b@3", true, true, "a/b", 3, NULL },
  { "a/b:etc/x", true, true, "a/b", 0, "etc/x" },
  { "a/b@3:etc/x", true, true, "a/b", 3, "etc/x" },
  { "a:", true, true, "a", 0, "" },
  { "a:x:y@z", true, true, "a", 0, "x:y@z" },
  { "a@18446744073709551615", false, true, "a", UINT64_MAX, NULL },
  { DIGEST, false, true, NULL, 0, NULL },
  { DIGEST ":usr", true, true, NULL, 0, "usr" },
  { "a:x", false, false, NULL, 0, NULL },
  { DIGEST ":usr", false, false, NULL, 0, NULL },
  { "", true, false, NULL, 0, NULL },
  { ":x", true, false, NULL, 0, NULL },
  { "a@", true, false, NULL, 0, NULL },
  { "a@0", true, false, NULL, 0, NULL },
  { "a@03", true, false, NULL, 0, NULL },
  { "a@-3", true, false, NULL, 0, NULL },
  { "a@3@4", true, false, NULL, 0, NULL },
  { "a@18446744073709551616", true, false, NULL, 0, NULL },
  { "@3", true, false, NULL, 0, NULL },
  { "../a", true, false, NULL, 0, NULL },
  { "sha256:00", true, false, NULL, 0, NULL },
  { "sha256:", true, false, NULL, 0, NULL },
  { "sha256", true, false, NULL, 0, NULL },
  { DIGEST "@3", true, false, NULL, 0, NULL },
  { "sha512:" HEX, true, false, NULL, 0, NULL },
};

static void
test_specs (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (specs); i++) {
    g_test_message ("%s", specs[i].text);
    g_autoptr (GError) error = NULL;
    g_auto (VtreeRefSpec) spec = { 0 };
    bool ok = vtree_ref_spec_parse (specs[i].text, specs[i].with_path, &spec, &error);
    g_assert_cmpint (ok, ==, specs[i].ok);
    if (!ok) {
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, NULL);
      g_assert_null (spec.name);
      continue;
    }
    g_assert_cmpstr (spec.name, ==, specs[i].name);
    g_assert_cmpint (spec.is_digest, ==, specs[i].name == NULL);
    g_assert_cmpint (spec.has_version, ==, specs[i].version != 0);
    g_assert_cmpuint (spec.version, ==, specs[i].version);
    g_assert_cmpstr (spec.path, ==, specs[i].path);
    if (spec.is_digest)
      vtree_test_assert_digest_text (&spec.digest, DIGEST);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/ref/names", test_names);
  g_test_add_func ("/manifest/ref/longest-name", test_longest_name);
  g_test_add_func ("/manifest/ref/specs", test_specs);
  return vtree_test_run ();
}
