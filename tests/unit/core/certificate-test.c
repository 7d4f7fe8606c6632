/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates: which ones can be trusted at all, and what is read of them. */
#include "core/anchor.h"
#include "core/signature.h"
#include "tests/lib/test.h"
#include "tests/unit/core/certificate-fixture.h"

#include <string.h>

static const struct {
  const char *algorithm;
  const char *said; /* NULL: refused */
  const char *why;
} kinds[] = {
  { "RSA 2048", "RSA 2048", NULL },
  { "RSA 3072", "RSA 3072", NULL },
  { "EC P-256", "ECDSA P-256", NULL },
  { "EC P-384", "ECDSA P-384", NULL },
  { "EC P-521", "ECDSA P-521", NULL },
  { "ED25519", "Ed25519", NULL },
  { "RSA 1024", NULL, "RSA key has 1024 bits" },
  { "EC secp256k1", NULL, "none of P-256, P-384 and P-521" },
  { "EC P-224", NULL, "none of P-256, P-384 and P-521" },
  { "RSA-PSS 2048", NULL, "none of RSA, ECDSA and Ed25519" },
};

static VtreeCertificate *
parse (const char *pem, GError **error)
{
  return vtree_certificate_new_from_pem (pem, strlen (pem), error);
}

static void
assert_refused (const char *pem, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (parse (pem, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, part);
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_kinds (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_auto (Certified) one = { NULL };
    g_test_message ("%s", kinds[i].algorithm);
    certified_init (&one, certified_key (kinds[i].algorithm), "kind", 1);
    if (kinds[i].said == NULL) {
      assert_refused (one.pem, kinds[i].why);
      g_assert_null (one.key);
      continue;
    }
    g_assert_cmpstr (vtree_certificate_algorithm (one.certificate), ==, kinds[i].said);
    g_assert_true (vtree_certificate_has_key (one.certificate, one.key));
  }
}

/* A signature by such a key is everybody's. */
static void
test_small_exponent (void)
{
  g_auto (Certified) one = { NULL };
  EVP_PKEY *pkey = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name (NULL, "RSA", NULL);
  BIGNUM *three = BN_new ();
  BN_set_word (three, 3);
  g_assert_cmpint (EVP_PKEY_keygen_init (context), ==, 1);
  g_assert_cmpint (EVP_PKEY_CTX_set1_rsa_keygen_pubexp (context, three), ==, 1);
  g_assert_cmpint (EVP_PKEY_generate (context, &pkey), ==, 1);
  EVP_PKEY_CTX_free (context);
  BN_free (three);
  certified_init (&one, pkey, "three", 1);
  assert_refused (one.pem, "exponent");
}

static void
test_fields (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("ED25519"), "Zo\xc3\xab \n\x1b[31m", 7);
  const VtreeCertificate *certificate = one.certificate;
  VtreeSpan der = vtree_certificate_der (certificate);
  g_autofree char *digest
    = g_compute_checksum_for_data (G_CHECKSUM_SHA256, der.data, der.size);
  char id[VTREE_KEY_ID_TEXT_MAX];
  g_assert_cmpstr (vtree_key_id_format (vtree_certificate_id (certificate), id), ==,
                   digest);
  const char *subject = vtree_certificate_subject (certificate);
  g_assert_true (g_str_has_prefix (subject, "CN=Zo\xc3\xab "));
  for (const char *c = subject; *c != '\0'; c++)
    g_assert_false (g_ascii_iscntrl (*c));
  g_assert_cmpstr (vtree_certificate_issuer (certificate), ==, subject);
  g_assert_cmpint (vtree_certificate_not_after (certificate)
                     - vtree_certificate_not_before (certificate),
                   ==, 3600);
  g_autofree char *pem = vtree_certificate_to_pem (certificate);
  g_assert_cmpstr (pem, ==, one.pem);
}

static void
test_key_id_is_the_bare_keys (void)
{
  g_auto (Certified) edwards = { NULL };
  g_auto (Certified) other = { NULL };
  VtreeKeyId id;
  certified_init (&edwards, certified_key ("ED25519"), "ed", 1);
  certified_init (&other, certified_key ("EC P-256"), "ec", 1);
  VtreeKeyId bare = certified_key_id (edwards.key);
  g_assert_true (vtree_certificate_key_id (edwards.certificate, &id));
  g_assert_true (vtree_key_id_equal (&id, &bare));
  g_assert_false (vtree_key_id_equal (&id, vtree_certificate_id (edwards.certificate)));
  g_assert_false (vtree_certificate_key_id (other.certificate, &id));
  g_assert_false (vtree_certificate_has_key (other.certificate, edwards.key));
}

/* What is around the one block. */
static void
test_nothing_beside_it (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autofree char *twice = g_strconcat (one.pem, one.pem, NULL);
  g_autofree char *before = g_strconcat ("Certificate:\n", one.pem, NULL);
  g_autofree char *behind = g_strconcat (one.pem, "x", NULL);
  g_autoptr (GString) crlf = g_string_new (one.pem);
  g_string_replace (crlf, "\n", "\r\n", 0);
  g_autoptr (VtreeCertificate) same = parse (crlf->str, NULL);
  g_assert_nonnull (same);
  assert_refused (twice, "parse certificate: malformed base64");
  assert_refused (before, "not one PEM block \"CERTIFICATE\"");
  assert_refused (behind, "not one PEM block \"CERTIFICATE\"");
  assert_refused ("", "not one PEM block");
}

static char *
dup_pem (const uint8_t *der, size_t size)
{
  g_autofree char *body = g_base64_encode (der, size);
  return g_strdup_printf (
    "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", body);
}

static void
test_cut_off_anywhere (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  VtreeSpan der = vtree_certificate_der (one.certificate);
  for (size_t size = 1; size < der.size; size++) {
    g_autofree char *pem = dup_pem (der.data, size);
    assert_refused (pem, "not an X.509 certificate");
  }
  g_autofree uint8_t *longer = g_malloc0 (der.size + 1);
  memcpy (longer, der.data, der.size);
  g_autofree char *pem = dup_pem (longer, der.size + 1);
  assert_refused (pem, "not an X.509 certificate");
}

static void
test_anchor (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("ED25519"), "one", 1);
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (one.key, NULL);
  g_autofree char *pem = vtree_public_key_to_pem (public);
  g_auto (VtreeAnchor) key = { NULL, NULL };
  g_auto (VtreeAnchor) certificate = { NULL, NULL };
  g_assert_null (vtree_anchor_kind (&key));
  g_assert_true (vtree_anchor_parse (&key, pem, strlen (pem), NULL));
  g_assert_true (vtree_anchor_parse (&certificate, one.pem, strlen (one.pem), NULL));
  g_assert_cmpstr (vtree_anchor_kind (&key), ==, VTREE_SIGNATURE_ED25519);
  g_assert_cmpstr (vtree_anchor_kind (&certificate), ==, VTREE_SIGNATURE_PKCS7);
  g_autofree char *key_again = vtree_anchor_to_pem (&key);
  g_autofree char *certificate_again = vtree_anchor_to_pem (&certificate);
  g_assert_cmpstr (key_again, ==, pem);
  g_assert_cmpstr (certificate_again, ==, one.pem);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/certificate/kinds", test_kinds);
  g_test_add_func ("/core/certificate/small-exponent", test_small_exponent);
  g_test_add_func ("/core/certificate/fields", test_fields);
  g_test_add_func ("/core/certificate/key-id", test_key_id_is_the_bare_keys);
  g_test_add_func ("/core/certificate/nothing-beside-it", test_nothing_beside_it);
  g_test_add_func ("/core/certificate/cut-off", test_cut_off_anywhere);
  g_test_add_func ("/core/certificate/anchor", test_anchor);
  return vtree_test_run ();
}
