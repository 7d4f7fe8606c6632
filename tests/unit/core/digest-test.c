/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/digest.h"
#include "tests/lib/test.h"

#include <string.h>

#define HEX32 "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"
#define TEXT256 "sha256:" HEX32
#define TEXT512 "sha512:" HEX32 HEX32

static void
test_round_trip (gconstpointer text)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  g_assert_true (vtree_digest_looks_like (text));
  g_assert_true (vtree_digest_parse (text, &digest, &error));
  g_assert_no_error (error);
  vtree_test_assert_digest_text (&digest, text);

  char path[VTREE_DIGEST_PATH_MAX];
  g_assert_true (vtree_digest_path (&digest, path) == path);
  g_assert_true (g_str_has_prefix (path, "3d/248ca542"));
  g_assert_cmpuint (strlen (path), ==, 2 * vtree_digest_alg_size (digest.alg) + 1);
  path[2] = '\0';
  VtreeDigest again;
  g_assert_true (vtree_digest_from_path (digest.alg, path, path + 3, &again));
  vtree_test_assert_digest_equal (&digest, &again);

  g_autofree VtreeDigest *copy = vtree_digest_dup (&digest);
  g_assert_true (vtree_digest_equal_func (copy, &digest));
  g_assert_cmpuint (vtree_digest_hash (copy), ==, vtree_digest_hash (&digest));
}

static const struct {
  const char *name;
  const char *text;
} bad[] = {
  { "empty", "" },
  { "no-algorithm", HEX32 },
  { "other-algorithm", "sha1:" HEX32 },
  { "prefix-alone", "sha256:" },
  { "short", "sha256:3d24" },
  { "one-digit-more", TEXT256 "0" },
  { "newline", TEXT256 "\n" },
  { "blank", " " TEXT256 },
  { "upper-case",
    "sha256:3D248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
  { "upper-case-name", "SHA256:" HEX32 },
  { "no-hex",
    "sha256:gd248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
  { "length-of-the-other", "sha512:" HEX32 },
  { "too-long", "sha256:" HEX32 HEX32 },
};

static void
test_bad (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  g_assert_false (
    vtree_digest_parse (bad[GPOINTER_TO_SIZE (data)].text, &digest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, NULL);
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_looks_like (void)
{
  g_assert_true (vtree_digest_looks_like ("sha256:nonsense"));
  g_assert_true (vtree_digest_looks_like ("sha512:"));
  g_assert_false (vtree_digest_looks_like ("sha256"));
  g_assert_false (vtree_digest_looks_like ("main"));
}

static const struct {
  const char *name;
  const char *dir, *file;
} bad_paths[] = {
  { "long-directory", "3d2",
    "48ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
  { "short-file", "3d", "248ca5" },
  { "no-hex", "zz", "248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
  { "upper-case", "3D",
    "248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
  { "suffix", "3d",
    "248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95.tmp" },
};

static void
test_bad_path (gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  VtreeDigest digest;
  g_assert_false (vtree_digest_from_path (VTREE_DIGEST_SHA256, bad_paths[row].dir,
                                          bad_paths[row].file, &digest));
}

static void
test_order (void)
{
  VtreeDigest a, b, longer;
  uint8_t value[VTREE_DIGEST_MAX_SIZE] = { 1 };
  vtree_digest_init (&a, VTREE_DIGEST_SHA256, value);
  vtree_digest_init (&longer, VTREE_DIGEST_SHA512, value);
  value[31] = 0x80;
  vtree_digest_init (&b, VTREE_DIGEST_SHA256, value);
  g_assert_cmpint (vtree_digest_compare (&a, &b), <, 0);
  g_assert_cmpint (vtree_digest_compare (&b, &a), >, 0);
  g_assert_cmpint (vtree_digest_compare (&a, &a), ==, 0);
  g_assert_cmpint (vtree_digest_compare (&b, &longer), <, 0);
  g_assert_cmpint (vtree_digest_compare (&longer, &b), >, 0);
  g_assert_false (vtree_digest_equal (&a, &b));
  g_assert_false (vtree_digest_equal (&a, &longer));
}

/* What _init copies does not depend on what lay behind a short value. */
static void
test_rest_is_zero (void)
{
  uint8_t value[VTREE_DIGEST_MAX_SIZE];
  memset (value, 0xaa, sizeof value);
  VtreeDigest digest;
  memset (&digest, 0xff, sizeof digest);
  vtree_digest_init (&digest, VTREE_DIGEST_SHA256, value);
  for (size_t i = 0; i < sizeof digest.value; i++)
    g_assert_cmphex (digest.value[i], ==, i < 32 ? 0xaa : 0);
}

static void
test_algorithms (void)
{
  VtreeDigestAlg alg;
  g_assert_true (vtree_digest_alg_parse ("sha256", &alg));
  g_assert_cmpint (alg, ==, VTREE_DIGEST_SHA256);
  g_assert_cmpstr (vtree_digest_alg_name (alg), ==, "sha256");
  g_assert_cmpuint (vtree_digest_alg_size (alg), ==, 32);
  g_assert_true (vtree_digest_alg_parse ("sha512", &alg));
  g_assert_cmpint (alg, ==, VTREE_DIGEST_SHA512);
  g_assert_cmpstr (vtree_digest_alg_name (alg), ==, "sha512");
  g_assert_cmpuint (vtree_digest_alg_size (alg), ==, 64);
  g_assert_false (vtree_digest_alg_parse ("sha", &alg));
  g_assert_false (vtree_digest_alg_parse ("sha256 ", &alg));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_data_func ("/core/digest/round-trip/sha256", TEXT256, test_round_trip);
  g_test_add_data_func ("/core/digest/round-trip/sha512", TEXT512, test_round_trip);
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree char *path = g_strdup_printf ("/core/digest/bad/%s", bad[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_bad);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (bad_paths); i++) {
    g_autofree char *path
      = g_strdup_printf ("/core/digest/bad-path/%s", bad_paths[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_bad_path);
  }
  g_test_add_func ("/core/digest/looks-like", test_looks_like);
  g_test_add_func ("/core/digest/order", test_order);
  g_test_add_func ("/core/digest/rest-is-zero", test_rest_is_zero);
  g_test_add_func ("/core/digest/algorithms", test_algorithms);
  return vtree_test_run ();
}
