/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* certs.d, and revoked.d for it: whom a certificate makes trusted, and whom not. */
#include "core/pkcs7.h"
#include "core/trust.h"
#include "tests/lib/test.h"
#include "tests/unit/core/certificate-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE "vtree-what-is-signed"

/* ONE, RENEWED with the same key, and BARE, with an Ed25519 key. */
typedef struct {
  char *dir;
  VtreePaths *paths;
  Certified one, renewed, bare;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->dir);
  certified_init (&f->one, certified_key ("EC P-256"), "one", 1);
  certified_renew (&f->renewed, &f->one, "one", 2);
  certified_init (&f->bare, certified_key ("ED25519"), "bare", 3);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  certified_clear (&f->one);
  certified_clear (&f->renewed);
  certified_clear (&f->bare);
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
trust_as (Fixture *f, const char *name, const Certified *certified)
{
  g_autofree char *path
    = put (vtree_paths_certificates (f->paths), name, certified->pem);
}

static void
revoke_as (Fixture *f, const char *name, const char *text)
{
  g_autofree char *path = put (vtree_paths_revoked (f->paths), name, text);
}

static char *
public_pem (const Certified *certified)
{
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (certified->key, NULL);
  return vtree_public_key_to_pem (public);
}

/* BY's signature over MESSAGE, in a line for the certificate of AS. */
static void
add (VtreeSignatures *signatures, const Certified *by, const Certified *as)
{
  VtreeSpan message = { (const uint8_t *) MESSAGE, strlen (MESSAGE) };
  g_autoptr (GBytes) pkcs7 = vtree_pkcs7_sign (by->certificate, by->key, message, NULL);
  g_assert_true (vtree_signatures_add_pkcs7 (
    signatures, vtree_certificate_id (as->certificate), g_bytes_get_data (pkcs7, NULL),
    g_bytes_get_size (pkcs7), NULL));
}

static VtreeTrust *
load (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  VtreeTrust *trust = vtree_trust_load (f->paths, NULL, &error);
  g_assert_no_error (error);
  return trust;
}

/* Asks TRUST; PART is of the message, NULL: success. */
static void
ask (const VtreeTrust *trust, const char *ref, const VtreeSignatures *signatures,
     const char *part)
{
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

/* Loads, and asks about REF signed by BY for AS. */
static void
assert_verdict (Fixture *f, const char *ref, const Certified *by, const Certified *as,
                const char *part)
{
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  add (signatures, by, as);
  ask (trust, ref, signatures, part);
}

static void
assert_load_fails (Fixture *f, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_trust_load (f->paths, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, part);
}

static void
test_trusted (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "release.pem", &f->one);
  assert_verdict (f, "any/ref", &f->one, &f->one, NULL);
  assert_verdict (f, "r", &f->bare, &f->bare, "which is not trusted here");
  g_autoptr (VtreeTrust) trust = load (f);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 1);
  const VtreeTrustKey *key = vtree_trust_peek (trust, 0);
  g_assert_cmpstr (key->kind, ==, VTREE_SIGNATURE_PKCS7);
  g_assert_cmpstr (key->name, ==, "release");
  g_assert_cmpstr (vtree_certificate_subject (key->certificate), ==, "CN=one");
}

static void
test_all_directories_count (Fixture *f, gconstpointer unused)
{
  (void) unused;
  const char *const *dirs = vtree_paths_all_certificates (f->paths);
  g_autofree char *a = put (dirs[0], "a.pem", f->one.pem);
  g_autofree char *b = put (dirs[1], "b.pem", f->bare.pem);
  assert_verdict (f, "r", &f->one, &f->one, NULL);
  assert_verdict (f, "r", &f->bare, &f->bare, NULL);
}

static void
test_prefix (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "apps/editor/a.pem", &f->one);
  assert_verdict (f, "apps/editor", &f->one, &f->one, NULL);
  assert_verdict (f, "apps/editor/x", &f->one, &f->one, NULL);
  assert_verdict (f, "apps/editors", &f->one, &f->one, "('a: CN=one'), which may sign");
}

/* The key is the same, and so is the name; the certificate is another one. */
static void
test_renewed (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "one.pem", &f->one);
  assert_verdict (f, "r", &f->renewed, &f->renewed, "which is not trusted here");
  assert_verdict (f, "r", &f->renewed, &f->one, "names another certificate");
}

/* ISSUER is trusted, and has issued what signs. */
static void
test_issued_is_not_trusted (Fixture *f, gconstpointer unused)
{
  (void) unused;
  Certified *leaf = &f->bare;
  X509_set_issuer_name (leaf->x509, X509_get_subject_name (f->one.x509));
  g_assert_cmpint (X509_sign (leaf->x509, f->one.pkey, EVP_sha256 ()), >, 0);
  uint8_t *der = NULL;
  int size = i2d_X509 (leaf->x509, &der);
  g_autofree char *body = g_base64_encode (der, (size_t) size);
  OPENSSL_free (der);
  g_free (leaf->pem);
  leaf->pem = g_strdup_printf (
    "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", body);
  vtree_certificate_free (leaf->certificate);
  leaf->certificate
    = vtree_certificate_new_from_pem (leaf->pem, strlen (leaf->pem), NULL);
  g_assert_cmpstr (vtree_certificate_issuer (leaf->certificate), ==, "CN=one");
  trust_as (f, "authority.pem", &f->one);
  assert_verdict (f, "r", leaf, leaf, "which is not trusted here");
  assert_verdict (f, "r", leaf, &f->one, "does not count");
}

/* A certificate's id in a line of the other kind, and a key's in one of this. */
static void
test_kinds_are_not_mixed (Fixture *f, gconstpointer unused)
{
  (void) unused;
  static const uint8_t value[VTREE_SIGNATURE_SIZE];
  g_autofree char *pem = public_pem (&f->bare);
  g_autofree char *path = put (vtree_paths_keys (f->paths), "bare.pem", pem);
  trust_as (f, "one.pem", &f->one);
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  vtree_signatures_add (signatures, vtree_certificate_id (f->one.certificate), value,
                        NULL);
  ask (trust, "r", signatures, "signed by key");
  VtreeKeyId id = certified_key_id (f->bare.key);
  g_autoptr (VtreeSignatures) others = vtree_signatures_new ();
  vtree_signatures_add_pkcs7 (others, &id, value, sizeof value, NULL);
  ask (trust, "r", others, "signed by certificate");
  assert_verdict (f, "r", &f->bare, &f->bare, "which is not trusted here");
}

static void
test_one_good_line_suffices (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "one.pem", &f->one);
  trust_as (f, "bare.pem", &f->bare);
  g_autoptr (VtreeTrust) trust = load (f);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  vtree_signatures_add_pkcs7 (signatures, vtree_certificate_id (f->one.certificate),
                              "0", 1, NULL);
  ask (trust, "r", signatures, "does not count: malformed PKCS #7");
  add (signatures, &f->renewed, &f->renewed);
  add (signatures, &f->bare, &f->bare);
  ask (trust, "r", signatures, NULL);
}

static void
test_swapped_lines (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "one.pem", &f->one);
  trust_as (f, "bare.pem", &f->bare);
  assert_verdict (f, "r", &f->bare, &f->one, "does not count");
  assert_verdict (f, "r", &f->one, &f->bare, "does not count");
}

/* --- revocation ------------------------------------------------------------------- */

static void
test_revoked (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "one.pem", &f->one);
  trust_as (f, "apps/one.pem", &f->one);
  trust_as (f, "renewed.pem", &f->renewed);
  revoke_as (f, "lost.pem", f->one.pem);
  assert_verdict (f, "r", &f->one, &f->one, "which is revoked (");
  assert_verdict (f, "apps/x", &f->one, &f->one, "which is revoked (");
  assert_verdict (f, "r", &f->renewed, &f->renewed, NULL);
}

static void
test_revoked_by_id (Fixture *f, gconstpointer unused)
{
  (void) unused;
  char id[VTREE_KEY_ID_TEXT_MAX];
  trust_as (f, "one.pem", &f->one);
  revoke_as (f, vtree_key_id_format (vtree_certificate_id (f->one.certificate), id),
             "");
  assert_verdict (f, "r", &f->one, &f->one, "which is revoked (");
}

/* Nobody trusts it, but who asks shall hear that it is worse than that. */
static void
test_revoked_and_unknown (Fixture *f, gconstpointer unused)
{
  (void) unused;
  char id[VTREE_KEY_ID_TEXT_MAX];
  revoke_as (f, vtree_key_id_format (vtree_certificate_id (f->one.certificate), id),
             "");
  assert_verdict (f, "r", &f->one, &f->one, "which is revoked (");
}

/* A stolen key is stolen with every certificate around it. */
static void
test_revoked_key_inside (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *pem = public_pem (&f->bare);
  trust_as (f, "bare.pem", &f->bare);
  trust_as (f, "one.pem", &f->one);
  assert_verdict (f, "r", &f->bare, &f->bare, NULL);
  revoke_as (f, "key.pem", pem);
  assert_verdict (f, "r", &f->bare, &f->bare, "which is revoked (");
  assert_verdict (f, "r", &f->one, &f->one, NULL);
}

/* --- the store -------------------------------------------------------------------- */

static void
test_key_file (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "one.pem", &f->one);
  g_autofree char *path = put (f->dir, "bare", f->bare.pem);
  g_autoptr (VtreeTrust) trust = vtree_trust_load (f->paths, path, NULL);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 1);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  add (signatures, &f->one, &f->one);
  ask (trust, "r", signatures, "which is not trusted here");
  add (signatures, &f->bare, &f->bare);
  ask (trust, "r", signatures, NULL);
  revoke_as (f, "bare.pem", f->bare.pem);
  g_autoptr (VtreeTrust) again = vtree_trust_load (f->paths, path, NULL);
  ask (again, "r", signatures, "which is revoked (");
}

static void
test_in_the_wrong_place (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *pem = public_pem (&f->bare);
  g_autofree char *key = put (vtree_paths_certificates (f->paths), "key.pem", pem);
  assert_load_fails (f, "a public key, and those belong into keys.d");
  g_assert_cmpint (unlink (key), ==, 0);
  g_autofree char *certificate
    = put (vtree_paths_keys (f->paths), "certificate.pem", f->one.pem);
  assert_load_fails (f, "a certificate, and those belong into certs.d");
}

static void
test_faults (Fixture *f, gconstpointer unused)
{
  (void) unused;
  trust_as (f, "sub/one.pem", &f->one);
  g_autofree char *dir
    = g_build_filename (vtree_paths_certificates (f->paths), "sub", NULL);
  g_autofree char *file = g_build_filename (dir, "one.pem", NULL);
  g_autofree char *link = g_build_filename (dir, "link.pem", NULL);
  g_assert_cmpint (chmod (dir, 0775), ==, 0);
  assert_load_fails (f, "chmod go-w");
  g_assert_cmpint (chmod (dir, 0755), ==, 0);
  g_assert_cmpint (chmod (file, 0666), ==, 0);
  assert_load_fails (f, "chmod go-w");
  g_assert_cmpint (chmod (file, 0644), ==, 0);
  g_assert_cmpint (symlink ("one.pem", link), ==, 0);
  assert_load_fails (f, "a symlink, which is not followed");
  g_assert_cmpint (unlink (link), ==, 0);
  g_autofree char *bad = put (dir, "bad.pem", "-----BEGIN CERTIFICATE-----\nx");
  assert_load_fails (f, "bad.pem: parse certificate");
  g_autofree char *ignored = put (dir, "README", "rubbish");
  g_assert_cmpint (unlink (bad), ==, 0);
  assert_verdict (f, "sub/x", &f->one, &f->one, NULL);
}

#define ADD(name, function)                                                            \
  g_test_add ("/core/trust-certificate/" name, Fixture, NULL, set_up, function,        \
              tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("trusted", test_trusted);
  ADD ("all-directories", test_all_directories_count);
  ADD ("prefix", test_prefix);
  ADD ("renewed", test_renewed);
  ADD ("issued", test_issued_is_not_trusted);
  ADD ("kinds-are-not-mixed", test_kinds_are_not_mixed);
  ADD ("one-good-line", test_one_good_line_suffices);
  ADD ("swapped-lines", test_swapped_lines);
  ADD ("revoked", test_revoked);
  ADD ("revoked-by-id", test_revoked_by_id);
  ADD ("revoked-and-unknown", test_revoked_and_unknown);
  ADD ("revoked-key-inside", test_revoked_key_inside);
  ADD ("key-file", test_key_file);
  ADD ("wrong-place", test_in_the_wrong_place);
  ADD ("faults", test_faults);
  return vtree_test_run ();
}
