/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A seal's text: one spelling, every other refused; what is signed is no statement. */
#include "core/key.h"
#include "manifest/file-seal.h"
#include "manifest/ref.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>

#define DIGEST "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TAIL                                                                           \
  "version: 3\ncreated: 2026-11-23T18:00:00Z\ndigest: " DIGEST                         \
  "\nsize: 3526\nmode: 0644\n"
#define GOOD "vtree-seal 1\nname: ~/.bashrc\n" TAIL

static VtreeFileSeal *
parse (const char *text, GError **error)
{
  return vtree_file_seal_parse (text, strlen (text), error);
}

static void
test_good (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeFileSeal) seal = parse (GOOD, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seal->name, ==, "~/.bashrc");
  g_assert_cmpuint (seal->version, ==, 3);
  g_assert_cmpint (seal->created, ==, 1795456800);
  vtree_test_assert_digest_text (&seal->digest, DIGEST);
  g_assert_cmpuint (seal->size, ==, 3526);
  g_assert_cmpuint (seal->mode, ==, 0644);
  g_autoptr (GBytes) again = vtree_file_seal_serialize (seal);
  vtree_test_assert_bytes (g_bytes_get_data (again, NULL), g_bytes_get_size (again),
                           GOOD, strlen (GOOD));
}

static void
test_refused (void)
{
  static const struct {
    const char *what;
    const char *text;
    int code;
    const char *part;
  } rows[] = {
    { "empty", "", VTREE_ERROR_CORRUPT, "empty" },
    { "first line", "vtree-root 1\nname: x\n" TAIL, VTREE_ERROR_CORRUPT, "line 1" },
    { "space before", " " GOOD, VTREE_ERROR_CORRUPT, "line 1" },
    { "version 2", "vtree-seal 2\n", VTREE_ERROR_UNSUPPORTED, "version 2" },
    { "version 01", "vtree-seal 01\n", VTREE_ERROR_CORRUPT, "line 1" },
    { "no name", "vtree-seal 1\n" TAIL, VTREE_ERROR_CORRUPT, "line 2" },
    { "name twice", "vtree-seal 1\nname: x\nname: x\n" TAIL, VTREE_ERROR_CORRUPT,
      "line 3" },
    { "empty name", "vtree-seal 1\nname: \n" TAIL, VTREE_ERROR_CORRUPT, "line 2" },
    { "space in a name", "vtree-seal 1\nname: a b\n" TAIL, VTREE_ERROR_CORRUPT,
      "line 2" },
    { "carriage return", "vtree-seal 1\r\nname: x\n" TAIL, VTREE_ERROR_CORRUPT,
      "line 1" },
    { "unknown key", GOOD "x-more: 1\n", VTREE_ERROR_CORRUPT, "line 8" },
    { "empty line behind", GOOD "\n", VTREE_ERROR_CORRUPT, "line 8" },
    { "cut", "vtree-seal 1\nname: x\nversion: 3\n", VTREE_ERROR_CORRUPT, "line 4" },
    { "version 0",
      "vtree-seal 1\nname: x\nversion: 0\ncreated: "
      "2026-11-23T18:00:00Z\ndigest: " DIGEST "\nsize: 1\nmode: 0644\n",
      VTREE_ERROR_CORRUPT, "line 3" },
    { "time",
      "vtree-seal 1\nname: x\nversion: 1\ncreated: 2026-11-23 "
      "18:00:00Z\ndigest: " DIGEST "\nsize: 1\nmode: 0644\n",
      VTREE_ERROR_CORRUPT, "line 4" },
    { "digest",
      "vtree-seal 1\nname: x\nversion: 1\ncreated: 2026-11-23T18:00:00Z\ndigest: "
      "sha256:00\nsize: 1\nmode: 0644\n",
      VTREE_ERROR_CORRUPT, "line 5" },
    { "size",
      "vtree-seal 1\nname: x\nversion: 1\ncreated: "
      "2026-11-23T18:00:00Z\ndigest: " DIGEST
      "\nsize: 9223372036854775808\nmode: 0644\n",
      VTREE_ERROR_CORRUPT, "line 6" },
    { "set-id mode",
      "vtree-seal 1\nname: x\nversion: 1\ncreated: "
      "2026-11-23T18:00:00Z\ndigest: " DIGEST "\nsize: 1\nmode: 4755\n",
      VTREE_ERROR_CORRUPT, "line 7" },
    { "short mode",
      "vtree-seal 1\nname: x\nversion: 1\ncreated: "
      "2026-11-23T18:00:00Z\ndigest: " DIGEST "\nsize: 1\nmode: 644\n",
      VTREE_ERROR_CORRUPT, "line 7" },
    { "no newline",
      "vtree-seal 1\nname: x\nversion: 1\ncreated: "
      "2026-11-23T18:00:00Z\ndigest: " DIGEST "\nsize: 1\nmode: 0644",
      VTREE_ERROR_CORRUPT, "line 8" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_test_message ("%s", rows[i].what);
    g_assert_null (parse (rows[i].text, &error));
    vtree_test_assert_error (error, VTREE_ERROR, rows[i].code, rows[i].part);
  }
}

static void
test_nul_is_refused (void)
{
  g_autoptr (GError) error = NULL;
  char text[] = GOOD;
  text[strlen ("vtree-seal 1\nname: ~")] = '\0';
  g_assert_null (vtree_file_seal_parse (text, sizeof text - 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "NUL");
}

static void
test_names (void)
{
  static const struct {
    const char *name;
    const char *text;
  } rows[] = {
    { "~/.bashrc", "~/.bashrc" },   { "/a b", "/a%20b" },
    { "100%", "100%25" },           { "line\nversion: 9", "line%0aversion:%209" },
    { "\xff\xfe", "%ff%fe" },       { "na\xc3\xafve", "na%c3%afve" },
    { "\x7f\x1b[0m", "%7f%1b[0m" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = vtree_file_seal_name_encode (rows[i].name);
    g_assert_cmpstr (text, ==, rows[i].text);
    g_autofree char *name = vtree_file_seal_name_decode (text);
    g_assert_cmpstr (name, ==, rows[i].name);
  }
}

static void
test_names_have_one_spelling (void)
{
  static const char *const rows[]
    = { "", "%", "%2", "%41", "%2F", "%00", "%AF", "a b", "\n", "\xff", "%zz", "a%" };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name = vtree_file_seal_name_decode (rows[i]);
    g_test_message ("%s", rows[i]);
    g_assert_null (name);
  }
  g_autofree char *longest = g_strnfill (VTREE_FILE_SEAL_NAME_MAX, 'a');
  g_autofree char *longer = g_strnfill (VTREE_FILE_SEAL_NAME_MAX + 1, 'a');
  g_autofree char *read = vtree_file_seal_name_decode (longest);
  g_assert_cmpstr (read, ==, longest);
  g_assert_null (vtree_file_seal_name_decode (longer));
}

/* The longest name, each byte escaped, still fits. */
static void
test_longest_fits (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = g_strnfill (VTREE_FILE_SEAL_NAME_MAX, '\n');
  VtreeFileSeal seal = { .name = name,
                         .version = UINT64_MAX,
                         .created = VTREE_TIME_MAX,
                         .digest = { .alg = VTREE_DIGEST_SHA512 },
                         .size = INT64_MAX,
                         .mode = VTREE_FILE_SEAL_MODE_MASK };
  g_autoptr (GBytes) text = vtree_file_seal_serialize (&seal);
  g_autoptr (VtreeFileSeal) again = vtree_file_seal_parse (
    g_bytes_get_data (text, NULL), g_bytes_get_size (text), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->name, ==, name);
}

static void
test_split (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) whole
    = g_bytes_new_static (GOOD "\nlines\n\nmore", strlen (GOOD) + 12);
  g_autoptr (GBytes) statement = NULL;
  g_autoptr (GBytes) lines = NULL;
  g_assert_true (vtree_file_seal_split (whole, &statement, &lines, &error));
  g_assert_no_error (error);
  vtree_test_assert_bytes (g_bytes_get_data (statement, NULL),
                           g_bytes_get_size (statement), GOOD, strlen (GOOD));
  vtree_test_assert_bytes (g_bytes_get_data (lines, NULL), g_bytes_get_size (lines),
                           "lines\n\nmore", 11);
}

static void
test_split_refuses (void)
{
  static const char *const rows[] = { "", "\n", GOOD, GOOD "ed25519" };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) whole = g_bytes_new_static (rows[i], strlen (rows[i]));
    g_autoptr (GBytes) statement = NULL;
    g_autoptr (GBytes) lines = NULL;
    g_assert_false (vtree_file_seal_split (whole, &statement, &lines, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "empty line");
  }
}

/* --- signatures ------------------------------------------------------------------- */

typedef struct {
  char *dir;
  VtreePaths *paths;
  VtreePrivateKey *key;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->dir);
  f->key = vtree_private_key_generate (NULL);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_private_key_free (f->key);
  vtree_paths_free (f->paths);
  g_free (f->dir);
}

/* Trusts the key for PREFIX ("" for everything). */
static VtreeTrust *
trust_for (Fixture *f, const char *prefix)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_build_filename (vtree_paths_keys (f->paths), prefix, NULL);
  g_autofree char *file = g_build_filename (dir, "key.pem", NULL);
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (f->key, &error);
  g_autofree char *pem = vtree_public_key_to_pem (public);
  g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
  g_assert_true (g_file_set_contents (file, pem, -1, &error));
  VtreeTrust *trust = vtree_trust_load (f->paths, NULL, &error);
  g_assert_no_error (error);
  return trust;
}

/* A seal of GOOD with a signature over MESSAGE. */
static GBytes *
seal_with (Fixture *f, GBytes *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) statement = g_bytes_new_static (GOOD, strlen (GOOD));
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (f->key, &error);
  uint8_t value[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (f->key, g_bytes_get_data (message, NULL),
                                         g_bytes_get_size (message), value, &error));
  g_assert_true (
    vtree_signatures_add (signatures, vtree_public_key_id (public), value, &error));
  return vtree_file_seal_join (statement, signatures);
}

static GBytes *
message_of_seal (void)
{
  g_autoptr (GBytes) statement = g_bytes_new_static (GOOD, strlen (GOOD));
  return vtree_file_seal_signed_bytes (statement);
}

static void
assert_verify (GBytes *whole, const VtreeTrust *trust, const char *refused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) statement = NULL;
  const VtreeTrustKey *key = NULL;
  g_autoptr (VtreeFileSeal) seal
    = vtree_file_seal_verify (whole, trust, &statement, &key, &error);
  if (refused != NULL) {
    g_assert_null (seal);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, refused);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpstr (seal->name, ==, "~/.bashrc");
  g_assert_cmpstr (key->name, ==, "key");
  g_assert_cmpuint (g_bytes_get_size (statement), ==, strlen (GOOD));
}

static void
test_signed (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (VtreeTrust) trust = trust_for (f, "");
  g_autoptr (GBytes) message = message_of_seal ();
  g_autoptr (GBytes) whole = seal_with (f, message);
  assert_verify (whole, trust, NULL);
}

static void
test_unsigned (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (VtreeTrust) trust = trust_for (f, "");
  g_autoptr (GBytes) whole = g_bytes_new_static (GOOD "\n", strlen (GOOD) + 1);
  assert_verify (whole, trust, "not signed");
}

/* The same bytes signed as a root statement, or without any context. */
static void
test_other_context (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (VtreeTrust) trust = trust_for (f, "");
  g_autoptr (GBytes) statement = g_bytes_new_static (GOOD, strlen (GOOD));
  g_autoptr (GBytes) root = vtree_statement_signed_bytes (statement);
  g_autoptr (GBytes) as_root = seal_with (f, root);
  assert_verify (as_root, trust, "altered");
  g_autoptr (GBytes) bare = seal_with (f, statement);
  assert_verify (bare, trust, "altered");
}

/* And a seal's signature is none over a root statement, whatever the ref. */
static void
test_no_root_statement (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeTrust) trust = trust_for (f, "");
  g_autoptr (GBytes) message = message_of_seal ();
  g_autoptr (GBytes) whole = seal_with (f, message);
  g_autoptr (GBytes) statement = NULL;
  g_autoptr (GBytes) lines = NULL;
  g_assert_true (vtree_file_seal_split (whole, &statement, &lines, NULL));
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_parse (
    g_bytes_get_data (lines, NULL), g_bytes_get_size (lines), &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) root = vtree_statement_signed_bytes (statement);
  const VtreeTrustKey *key;
  g_assert_false (vtree_trust_verify (trust, "apps/x", g_bytes_get_data (root, NULL),
                                      g_bytes_get_size (root), signatures, &key,
                                      &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, NULL);
}

/* A key that may sign files signs nothing else, and the reverse; no ref is called as
 * what stands for files. */
static void
test_prefix (Fixture *f, gconstpointer unused)
{
  (void) unused;
  static const char *const refs[]
    = { "files", "a",       "_files", VTREE_FILE_SEAL_REF, (VTREE_FILE_SEAL_REF "/a"),
        "@",     "a/@files" };
  g_autoptr (VtreeTrust) trust = trust_for (f, VTREE_FILE_SEAL_REF);
  g_autoptr (GBytes) message = message_of_seal ();
  g_autoptr (GBytes) whole = seal_with (f, message);
  assert_verify (whole, trust, NULL);
  const VtreeTrustKey *key = vtree_trust_peek (trust, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (refs); i++) {
    g_test_message ("%s", refs[i]);
    g_assert_false (vtree_ref_check_name (refs[i], NULL)
                    && vtree_trust_key_covers (key, refs[i]));
  }
}

static void
test_other_prefix (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (VtreeTrust) trust = trust_for (f, "app/x");
  g_autoptr (GBytes) message = message_of_seal ();
  g_autoptr (GBytes) whole = seal_with (f, message);
  assert_verify (whole, trust, "only refs under 'app/x'");
}

static void
test_mark_ref (void)
{
  g_autofree char *ref = vtree_file_seal_mark_ref ("abc");
  g_assert_cmpstr (
    ref, ==, "@files/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  g_assert_true (vtree_file_seal_is_mark_ref (ref));
  g_assert_false (vtree_ref_check_name (ref, NULL));
  g_assert_false (vtree_file_seal_is_mark_ref ("@files/abc"));
  g_assert_false (vtree_file_seal_is_mark_ref (ref + 1));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/file-seal/good", test_good);
  g_test_add_func ("/manifest/file-seal/refused", test_refused);
  g_test_add_func ("/manifest/file-seal/nul-is-refused", test_nul_is_refused);
  g_test_add_func ("/manifest/file-seal/names", test_names);
  g_test_add_func ("/manifest/file-seal/names-have-one-spelling",
                   test_names_have_one_spelling);
  g_test_add_func ("/manifest/file-seal/longest-fits", test_longest_fits);
  g_test_add_func ("/manifest/file-seal/split", test_split);
  g_test_add_func ("/manifest/file-seal/split-refuses", test_split_refuses);
  g_test_add_func ("/manifest/file-seal/mark-ref", test_mark_ref);
#define ADD(name, test)                                                                \
  g_test_add ("/manifest/file-seal/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("signed", test_signed);
  ADD ("unsigned", test_unsigned);
  ADD ("other-context", test_other_context);
  ADD ("no-root-statement", test_no_root_statement);
  ADD ("prefix", test_prefix);
  ADD ("other-prefix", test_other_prefix);
  return vtree_test_run ();
}
