/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Built-in signatures are those that the fsverity tool makes, and keys that can't make
 * any are named before anything is written.
 */
#include "core/object-signer.h"
#include "core/verity.h"
#include "tests/unit/core/certificate.h"

#include <glib/gstdio.h>

static void
check_oracle (const Certificate *certificate, VtreeDigestAlg alg)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *file = g_build_filename (dir, "file", NULL);
  g_autofree char *theirs = g_build_filename (dir, "theirs", NULL);
  g_autofree char *key = g_strconcat ("--key=", certificate->key, NULL);
  g_autofree char *cert = g_strconcat ("--cert=", certificate->cert, NULL);
  g_autofree char *hash
    = g_strconcat ("--hash-alg=", vtree_digest_alg_name (alg), NULL);
  g_file_set_contents (file, "contents", 8, &error);
  g_assert_no_error (error);
  const char *const argv[]
    = { "fsverity", "sign", file, theirs, key, cert, hash, NULL };
  certificate_run (argv);
  VtreeVerityParams params = { .alg = alg, .size = 8, .merkle_fd = -1 };
  VtreeDigest digest = { 0 };
  g_assert_true (vtree_verity_compute_data (&params, "contents", &digest, &error));
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate->key, certificate->cert, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) ours = vtree_object_signer_sign (signer, &digest, &error);
  g_assert_no_error (error);
  g_autofree char *expected = NULL;
  gsize size = 0;
  g_file_get_contents (theirs, &expected, &size, &error);
  g_assert_no_error (error);
  vtree_test_assert_bytes (g_bytes_get_data (ours, NULL), g_bytes_get_size (ours),
                           expected, size);
}

static void
test_oracle (void)
{
  g_autofree char *fsverity = g_find_program_in_path ("fsverity");
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (fsverity == NULL) {
    vtree_test_skip ("no fsverity command");
    return;
  }
  if (!certificate_make (&certificate))
    return;
  check_oracle (&certificate, VTREE_DIGEST_SHA256);
  check_oracle (&certificate, VTREE_DIGEST_SHA512);
}

static void
expect_refusal (const char *key, const char *cert, int code, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeObjectSigner) signer = vtree_object_signer_new (key, cert, &error);
  g_assert_null (signer);
  vtree_test_assert_error (error, VTREE_ERROR, code, says);
}

static void
test_refusals (void)
{
  g_auto (Certificate) one = CERTIFICATE_INIT;
  g_auto (Certificate) other = CERTIFICATE_INIT;
  if (!certificate_make (&one) || !certificate_make (&other))
    return;
  expect_refusal ("/nonexistent/key", one.cert, VTREE_ERROR_MISSING,
                  "object key /nonexistent/key");
  expect_refusal (one.key, "/nonexistent/cert", VTREE_ERROR_MISSING,
                  "object certificate /nonexistent/cert");
  expect_refusal (one.key, one.key, VTREE_ERROR_INVALID, "not PEM");
  expect_refusal (one.key, other.cert, VTREE_ERROR_INVALID, "with its certificate");
  g_assert_cmpint (g_chmod (one.cert, 0600), ==, 0);
  expect_refusal (one.cert, one.cert, VTREE_ERROR_INVALID, "not PEM");
  g_assert_cmpint (g_chmod (one.key, 0640), ==, 0);
  expect_refusal (one.key, one.cert, VTREE_ERROR_UNTRUSTED, "others may use it");
}

/* Nobody is asked for a pass phrase. */
static void
test_encrypted (void)
{
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  g_autofree char *encrypted = g_strconcat (certificate.key, ".enc", NULL);
  const char *const argv[]
    = { "openssl", "pkcs8",   "-topk8",   "-in",         certificate.key,
        "-out",    encrypted, "-passout", "pass:secret", NULL };
  certificate_run (argv);
  g_assert_cmpint (g_chmod (encrypted, 0600), ==, 0);
  expect_refusal (encrypted, certificate.cert, VTREE_ERROR_INVALID,
                  "encrypted keys are not supported");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/object-signer/oracle", test_oracle);
  g_test_add_func ("/core/object-signer/refusals", test_refusals);
  g_test_add_func ("/core/object-signer/encrypted", test_encrypted);
  return vtree_test_run ();
}
