/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/trust.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE "what is signed"

/* Two keys, and a system of its own to trust them in. */
typedef struct {
  char *dir;
  VtreePaths *paths;
  VtreePrivateKey *key[2];
  char *pem[2];
  VtreeKeyId id[2];
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->dir);
  for (size_t i = 0; i < 2; i++) {
    f->key[i] = vtree_private_key_generate (NULL);
    g_autoptr (VtreePublicKey) public = vtree_private_key_public (f->key[i], NULL);
    f->pem[i] = vtree_public_key_to_pem (public);
    f->id[i] = *vtree_public_key_id (public);
  }
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  for (size_t i = 0; i < 2; i++) {
    vtree_private_key_free (f->key[i]);
    g_free (f->pem[i]);
  }
  vtree_paths_free (f->paths);
  g_free (f->dir);
}

/* Writes TEXT to NAME below DIR, with its parents; returns the path. */
static char *
put (const char *dir, const char *name, const char *text)
{
  char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (chmod (path, 0644), ==, 0);
  return path;
}

static void
trust_as (Fixture *f, const char *name, size_t key)
{
  g_autofree char *path = put (vtree_paths_keys (f->paths), name, f->pem[key]);
}

static void
revoke_as (Fixture *f, const char *name, const char *text)
{
  g_autofree char *path = put (vtree_paths_revoked (f->paths), name, text);
}

/* Signatures over MESSAGE by the keys whose bits are set. */
static VtreeSignatures *
sign (Fixture *f, unsigned keys)
{
  VtreeSignatures *signatures = vtree_signatures_new ();
  for (size_t i = 0; i < 2; i++) {
    uint8_t value[VTREE_SIGNATURE_SIZE];
    if (!(keys & 1u << i))
      continue;
    g_assert_true (
      vtree_private_key_sign (f->key[i], MESSAGE, strlen (MESSAGE), value, NULL));
    g_assert_true (vtree_signatures_add (signatures, &f->id[i], value, NULL));
  }
  return signatures;
}

static VtreeTrust *
load (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  VtreeTrust *trust = vtree_trust_load (f->paths, NULL, &error);
  g_assert_no_error (error);
  return trust;
}

static void
assert_load_fails (Fixture *f, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_trust_load (f->paths, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, part);
}

/* Loads, and asks about REF signed by KEYS. PART is of the message; NULL: success. */
static void
assert_verdict (Fixture *f, const char *ref, unsigned keys, const char *part)
{
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures = sign (f, keys);
  const VtreeTrustKey *key = NULL;
  g_autoptr (GError) error = NULL;
  bool ok = vtree_trust_verify (trust, ref, MESSAGE, strlen (MESSAGE), signatures, &key,
                                &error);
  g_assert_cmpint (ok, ==, part == NULL);
  if (part != NULL)
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, part);
  else
    g_assert_nonnull (key);
}

static void
test_trusted (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  g_autoptr (VtreeTrust) trust = load (f);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 1);
  g_autoptr (VtreeSignatures) signatures = sign (f, 1);
  const VtreeTrustKey *key = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_trust_verify (trust, "any/ref", MESSAGE, strlen (MESSAGE),
                                     signatures, &key, &error));
  g_assert_no_error (error);
  g_assert_true (key == vtree_trust_peek (trust, 0));
  g_assert_cmpstr (key->name, ==, "alice");
  g_assert_cmpstr (key->prefix, ==, "");
  g_assert_true (vtree_key_id_equal (&key->id, &f->id[0]));
  g_assert_false (key->revoked);
}

static void
test_one_good_line_suffices (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "bob.pem", 1);
  assert_verdict (f, "r", 3, NULL);
}

static void
test_nothing_is_trusted_at_first (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (VtreeTrust) trust = load (f);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 0);
  assert_verdict (f, "r", 1,
                  "is not trusted here; if you trust its owner, run "
                  "`vtree key trust FILE`");
}

static void
test_unsigned (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  assert_verdict (f, "r", 0, "'r' is not signed");
}

static void
test_unknown_kind (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures
    = vtree_signatures_parse ("ml-dsa x\n", strlen ("ml-dsa x\n"), NULL);
  const VtreeTrustKey *key;
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_trust_verify (trust, "r", MESSAGE, strlen (MESSAGE), signatures,
                                      &key, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "of kinds that");
}

static void
test_other_bytes (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures = sign (f, 1);
  const VtreeTrustKey *key;
  g_autoptr (GError) error = NULL;
  g_assert_false (
    vtree_trust_verify (trust, "r", "What is signed", 14, signatures, &key, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED,
                           "('alice') is not over this statement");
}

/* A trusted key's id in front of another key's signature. */
static void
test_borrowed_id (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  uint8_t value[VTREE_SIGNATURE_SIZE];
  g_assert_true (
    vtree_private_key_sign (f->key[1], MESSAGE, strlen (MESSAGE), value, NULL));
  g_assert_true (vtree_signatures_add (signatures, &f->id[0], value, NULL));
  const VtreeTrustKey *key;
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_trust_verify (trust, "r", MESSAGE, strlen (MESSAGE), signatures,
                                      &key, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED,
                           "is not over this statement");
}

static const struct {
  const char *ref;
  bool ok;
} under_prefix[] = {
  { "apps/editor", true },    { "apps/editor/stable", true }, { "apps/editor2", false },
  { "apps", false },          { "apps/edit", false },         { "apps/other", false },
  { "x/apps/editor", false },
};

static void
test_prefix (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "apps/editor/alice.pem", 0);
  for (size_t i = 0; i < G_N_ELEMENTS (under_prefix); i++) {
    g_test_message ("%s", under_prefix[i].ref);
    assert_verdict (f, under_prefix[i].ref, 1,
                    under_prefix[i].ok ? NULL
                                       : "may sign only refs under 'apps/editor'");
  }
}

static void
test_prefixes_unite (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "a/alice.pem", 0);
  trust_as (f, "b/alice.pem", 0);
  assert_verdict (f, "a/x", 1, NULL);
  assert_verdict (f, "b/x", 1, NULL);
  assert_verdict (f, "c/x", 1, "may sign only refs under");
}

static void
test_all_directories_count (Fixture *f, gconstpointer unused)
{
  (void) unused;
  const char *const *dirs = vtree_paths_all_keys (f->paths);
  g_autofree char *a = put (dirs[0], "a.pem", f->pem[0]);
  g_autofree char *b = put (dirs[1], "b.pem", f->pem[1]);
  assert_verdict (f, "r", 1, NULL);
  assert_verdict (f, "r", 2, NULL);
}

static void
test_revoked_by_file (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  revoke_as (f, "lost.pem", f->pem[0]);
  assert_verdict (f, "r", 1, "which is revoked (");
}

static void
test_revoked_by_id (Fixture *f, gconstpointer unused)
{
  (void) unused;
  char id[VTREE_KEY_ID_TEXT_MAX];
  trust_as (f, "alice.pem", 0);
  revoke_as (f, vtree_key_id_format (&f->id[0], id), "");
  assert_verdict (f, "r", 1, "which is revoked (");
}

/* The vendor's revocation beats the administrator's trust, and one in a subdirectory is
 * for every ref. */
static void
test_revoked_anywhere (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  trust_as (f, "apps/alice.pem", 0);
  g_autofree char *path
    = put (vtree_paths_all_revoked (f->paths)[0], "some/prefix/a.pem", f->pem[0]);
  assert_verdict (f, "r", 1, path);
  assert_verdict (f, "apps/x", 1, path);
}

static void
test_another_key_beside_a_revoked_one (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  trust_as (f, "bob.pem", 1);
  revoke_as (f, "alice.pem", f->pem[0]);
  assert_verdict (f, "r", 3, NULL);
}

static void
test_revocations_are_listed (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "bob.pem", 1);
  revoke_as (f, "alice.pem", f->pem[0]);
  revoke_as (f, "alice-again.pem", f->pem[0]);
  g_autoptr (VtreeTrust) trust = load (f);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 2);
  const VtreeTrustKey *key = vtree_trust_peek (trust, 1);
  g_assert_true (key->revoked);
  g_assert_true (vtree_key_id_equal (&key->id, &f->id[0]));
  assert_verdict (f, "r", 1, "which is revoked");
}

static void
test_key_file (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  g_autofree char *path = put (f->dir, "bob.pub", f->pem[1]);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeTrust) trust = vtree_trust_load (f->paths, path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 1);
  g_assert_true (vtree_key_id_equal (&vtree_trust_peek (trust, 0)->id, &f->id[1]));
}

static void
test_key_file_is_not_above_revocation (Fixture *f, gconstpointer unused)
{
  (void) unused;
  revoke_as (f, "bob.pem", f->pem[1]);
  g_autofree char *path = put (f->dir, "bob.pub", f->pem[1]);
  g_autoptr (VtreeTrust) trust = vtree_trust_load (f->paths, path, NULL);
  g_assert_true (vtree_trust_peek (trust, 0)->revoked);
}

static void
assert_key_file_fails (Fixture *f, const char *path, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_trust_load (f->paths, path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
}

static void
test_key_file_faults (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *none = g_build_filename (f->dir, "none", NULL);
  assert_key_file_fails (f, none, VTREE_ERROR_MISSING, "no such file");
  g_autofree char *bad = put (f->dir, "bad", "rubbish");
  assert_key_file_fails (f, bad, VTREE_ERROR_INVALID, "not one PEM block");
  g_autofree char *two = g_strconcat (f->pem[0], f->pem[1], NULL);
  g_autofree char *both = put (f->dir, "both", two);
  assert_key_file_fails (f, both, VTREE_ERROR_INVALID, "key file");
  g_autofree char *open = put (f->dir, "open", f->pem[0]);
  g_assert_cmpint (chmod (open, 0664), ==, 0);
  assert_key_file_fails (f, open, VTREE_ERROR_UNTRUSTED, "chmod go-w");
  assert_key_file_fails (f, f->dir, VTREE_ERROR_UNTRUSTED, "not a regular file");
}

static void
test_names_that_do_not_count (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "README", 0);
  trust_as (f, "alice.pem~", 0);
  trust_as (f, "alice.pem.bak", 0);
  trust_as (f, ".alice.pem", 0);
  trust_as (f, ".hidden/alice.pem", 0);
  revoke_as (f, "alice.pem~", "rubbish");
  revoke_as (f, ".alice.pem.swp", "rubbish");
  g_autoptr (VtreeTrust) trust = load (f);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 0);
}

static void
test_a_revocation_is_not_overlooked (Fixture *f, gconstpointer unused)
{
  (void) unused;
  char id[VTREE_KEY_ID_TEXT_MAX];
  vtree_key_id_format (&f->id[0], id);
  g_autofree char *inside = g_build_filename (id, "README.pem", NULL);
  revoke_as (f, "alice.pub", f->pem[0]);
  assert_load_fails (f, "must not be overlooked");
  g_autofree char *path
    = g_build_filename (vtree_paths_revoked (f->paths), "alice.pub", NULL);
  g_assert_cmpint (unlink (path), ==, 0);
  revoke_as (f, inside, f->pem[1]);
  assert_load_fails (f, "a directory, and a revocation is a file");
}

static void
test_malformed_key (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *path = put (vtree_paths_keys (f->paths), "bad.pem", "rubbish");
  assert_load_fails (f, "bad.pem: parse public key");
  g_assert_cmpint (unlink (path), ==, 0);
  revoke_as (f, "bad.pem", "rubbish");
  assert_load_fails (f, "bad.pem: parse public key");
}

static void
test_writable_by_others (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "sub/alice.pem", 0);
  static const char *const places[] = { "sub/alice.pem", "sub", "" };
  for (size_t i = 0; i < G_N_ELEMENTS (places); i++) {
    g_test_message ("%s", places[i]);
    g_autofree char *path
      = g_build_filename (vtree_paths_keys (f->paths), places[i], NULL);
    g_assert_cmpint (chmod (path, 0775), ==, 0);
    assert_load_fails (f, "chmod go-w");
    g_assert_cmpint (chmod (path, 0755), ==, 0);
  }
  assert_verdict (f, "sub/x", 1, NULL);
}

static void
test_of_another_user (Fixture *f, gconstpointer unused)
{
  (void) unused;
  if (geteuid () != 0) {
    vtree_test_skip ("only root can give a file away");
    return;
  }
  trust_as (f, "alice.pem", 0);
  g_autofree char *path
    = g_build_filename (vtree_paths_keys (f->paths), "alice.pem", NULL);
  g_assert_cmpint (chown (path, 12345, 0), ==, 0);
  assert_load_fails (f, "uid 12345");
}

static void
test_symlinks_inside (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *target = put (f->dir, "target.pem", f->pem[0]);
  trust_as (f, "bob.pem", 1);
  g_autofree char *link
    = g_build_filename (vtree_paths_keys (f->paths), "link.pem", NULL);
  g_assert_cmpint (symlink (target, link), ==, 0);
  assert_load_fails (f, "a symlink");
}

static void
test_symlinked_directory (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *elsewhere = vtree_test_make_dir ();
  g_autofree char *key = put (elsewhere, "alice.pem", f->pem[0]);
  const char *keys = vtree_paths_keys (f->paths);
  g_autofree char *parent = g_path_get_dirname (keys);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  g_assert_cmpint (symlink (elsewhere, keys), ==, 0);
  assert_verdict (f, "r", 1, NULL);
}

static void
test_not_a_file (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "alice.pem", 0);
  g_autofree char *fifo
    = g_build_filename (vtree_paths_keys (f->paths), "fifo.pem", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_load_fails (f, "not a regular file");
}

static void
test_too_deep (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GString) name = g_string_new (NULL);
  for (int i = 0; i < 101; i++)
    g_string_append (name, "a/");
  g_string_append (name, "alice.pem");
  trust_as (f, name->str, 0);
  assert_load_fails (f, "directories deep");
}

#define ADD(name, func)                                                                \
  g_test_add ("/core/trust/" name, Fixture, NULL, set_up, func, tear_down)

static void
add_verdicts (void)
{
  ADD ("trusted", test_trusted);
  ADD ("one-good-line-suffices", test_one_good_line_suffices);
  ADD ("nothing-is-trusted-at-first", test_nothing_is_trusted_at_first);
  ADD ("unsigned", test_unsigned);
  ADD ("unknown-kind", test_unknown_kind);
  ADD ("other-bytes", test_other_bytes);
  ADD ("borrowed-id", test_borrowed_id);
  ADD ("prefix", test_prefix);
  ADD ("prefixes-unite", test_prefixes_unite);
  ADD ("all-directories-count", test_all_directories_count);
  ADD ("revoked-by-file", test_revoked_by_file);
  ADD ("revoked-by-id", test_revoked_by_id);
  ADD ("revoked-anywhere", test_revoked_anywhere);
  ADD ("another-key-beside-a-revoked-one", test_another_key_beside_a_revoked_one);
  ADD ("revocations-are-listed", test_revocations_are_listed);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add_verdicts ();
  ADD ("key-file", test_key_file);
  ADD ("key-file-is-not-above-revocation", test_key_file_is_not_above_revocation);
  ADD ("key-file-faults", test_key_file_faults);
  ADD ("names-that-do-not-count", test_names_that_do_not_count);
  ADD ("a-revocation-is-not-overlooked", test_a_revocation_is_not_overlooked);
  ADD ("malformed-key", test_malformed_key);
  ADD ("writable-by-others", test_writable_by_others);
  ADD ("of-another-user", test_of_another_user);
  ADD ("symlinks-inside", test_symlinks_inside);
  ADD ("symlinked-directory", test_symlinked_directory);
  ADD ("not-a-file", test_not_a_file);
  ADD ("too-deep", test_too_deep);
  return vtree_test_run ();
}
