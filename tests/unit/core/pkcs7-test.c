/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PKCS #7: what OpenSSL makes is read, what we make OpenSSL reads, and no byte of it
 * can be another one. */
#include "core/pkcs7-private.h"
#include "core/pkcs7.h"
#include "tests/lib/test.h"
#include "tests/unit/core/certificate-fixture.h"

#include <openssl/cms.h>
#include <openssl/rsa.h>
#include <string.h>

#define MESSAGE "vtree-what-is-signed"

static const char *const algorithms[]
  = { "RSA 2048", "EC P-256", "EC P-384", "EC P-521", "ED25519" };

static VtreeSpan
span (const char *text)
{
  return (VtreeSpan){ (const uint8_t *) text, strlen (text) };
}

static VtreeSpan
span_of (GBytes *bytes)
{
  VtreeSpan contents;
  contents.data = g_bytes_get_data (bytes, &contents.size);
  return contents;
}

static GBytes *
sign (const Certified *by)
{
  g_autoptr (GError) error = NULL;
  GBytes *pkcs7 = vtree_pkcs7_sign (by->certificate, by->key, span (MESSAGE), &error);
  g_assert_no_error (error);
  return pkcs7;
}

static void
assert_good (const Certified *by, GBytes *pkcs7)
{
  g_autoptr (GError) error = NULL;
  vtree_pkcs7_verify (by->certificate, span (MESSAGE), span_of (pkcs7), &error);
  g_assert_no_error (error);
  g_assert_true (vtree_pkcs7_names (by->certificate, span_of (pkcs7)));
}

static void
assert_bad (const Certified *by, GBytes *pkcs7, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (
    vtree_pkcs7_verify (by->certificate, span (MESSAGE), span_of (pkcs7), &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_ours (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algorithms); i++) {
    g_auto (Certified) one = { NULL };
    certified_init (&one, certified_key (algorithms[i]), "one", 1);
    g_autoptr (GBytes) pkcs7 = sign (&one);
    assert_good (&one, pkcs7);
    g_autoptr (GError) error = NULL;
    g_assert_false (vtree_pkcs7_verify (one.certificate, span ("vtree-something"),
                                        span_of (pkcs7), &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED,
                             "not over these bytes");
  }
}

/* OpenSSL 3.0 has no Ed25519 in CMS. */
static void
test_openssl_verifies_ours (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algorithms) - 1; i++) {
    g_auto (Certified) one = { NULL };
    certified_init (&one, certified_key (algorithms[i]), "one", 1);
    g_autoptr (GBytes) pkcs7 = sign (&one);
    VtreeSpan der = span_of (pkcs7);
    const uint8_t *at = der.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo (NULL, &at, (long) der.size);
    g_assert_nonnull (cms);
    BIO *content = BIO_new_mem_buf (MESSAGE, -1);
    STACK_OF (X509) *certificates = sk_X509_new_null ();
    sk_X509_push (certificates, one.x509);
    g_assert_cmpint (CMS_verify (cms, certificates, NULL, content, NULL,
                                 CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY),
                     ==, 1);
    sk_X509_free (certificates);
    BIO_free (content);
    CMS_ContentInfo_free (cms);
  }
}

static const struct {
  const char *name;
  unsigned flags;
} theirs[] = {
  { "as it comes", 0 },
  { "no attributes", CMS_NOATTR },
  { "no certificates", CMS_NOCERTS },
  { "by key identifier", CMS_USE_KEYID },
  { "no capabilities", CMS_NOSMIMECAP },
  { "bare", CMS_NOATTR | CMS_NOCERTS },
};

static void
test_openssls (void)
{
  const EVP_MD *const hashes[] = { NULL, EVP_sha256 (), EVP_sha384 (), EVP_sha512 () };
  for (size_t i = 0; i < 2; i++) {
    g_auto (Certified) one = { NULL };
    certified_init (&one, certified_key (algorithms[i]), "one", 1);
    for (size_t j = 0; j < G_N_ELEMENTS (theirs) * G_N_ELEMENTS (hashes); j++) {
      size_t row = j / G_N_ELEMENTS (hashes);
      g_test_message ("%s, %s", algorithms[i], theirs[row].name);
      g_autoptr (GBytes) pkcs7
        = certified_cms (&one, MESSAGE, theirs[row].flags | CMS_DETACHED,
                         hashes[j % G_N_ELEMENTS (hashes)]);
      assert_good (&one, pkcs7);
    }
  }
}

/* Every byte of a message without certificates inside is one that counts. */
static void
assert_no_byte_is_free (const Certified *by, GBytes *pkcs7, uint8_t flip)
{
  VtreeSpan der = span_of (pkcs7);
  for (size_t i = 0; i < der.size; i++) {
    g_autofree uint8_t *copy = g_memdup2 (der.data, der.size);
    copy[i] ^= flip;
    if (vtree_pkcs7_verify (by->certificate, span (MESSAGE),
                            (VtreeSpan){ copy, der.size }, NULL))
      g_error ("byte %zu can be another one", i);
  }
}

static void
test_no_byte_is_free (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algorithms); i++) {
    g_auto (Certified) one = { NULL };
    certified_init (&one, certified_key (algorithms[i]), "one", 1);
    g_autoptr (GBytes) ours = sign (&one);
    assert_no_byte_is_free (&one, ours, 1);
    if (i >= 2)
      continue;
    assert_no_byte_is_free (&one, ours, 0x80);
    g_autoptr (GBytes) attributes
      = certified_cms (&one, MESSAGE, CMS_DETACHED | CMS_NOCERTS, NULL);
    g_autoptr (GBytes) bare
      = certified_cms (&one, MESSAGE, CMS_DETACHED | CMS_NOCERTS | CMS_NOATTR, NULL);
    assert_no_byte_is_free (&one, attributes, 1);
    assert_no_byte_is_free (&one, bare, 1);
  }
}

static void
test_cut_off_anywhere (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = certified_cms (&one, MESSAGE, CMS_DETACHED, NULL);
  VtreeSpan der = span_of (pkcs7);
  for (size_t size = 0; size < der.size; size++) {
    /* Of its own size, so that a sanitizer sees a step too far. */
    g_autofree uint8_t *copy = g_memdup2 (der.data, size);
    g_assert_false (vtree_pkcs7_verify (one.certificate, span (MESSAGE),
                                        (VtreeSpan){ copy, size }, NULL));
  }
  g_autofree uint8_t *longer = g_malloc0 (der.size + 1);
  memcpy (longer, der.data, der.size);
  g_assert_false (vtree_pkcs7_verify (one.certificate, span (MESSAGE),
                                      (VtreeSpan){ longer, der.size + 1 }, NULL));
}

/* --- whose it is ------------------------------------------------------------------ */

static void
test_same_key_is_not_same_certificate (void)
{
  g_auto (Certified) one = { NULL };
  g_auto (Certified) renewed = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  certified_renew (&renewed, &one, "one", 2);
  g_autoptr (GBytes) pkcs7 = sign (&one);
  assert_good (&one, pkcs7);
  assert_bad (&renewed, pkcs7, "names another certificate");
  g_assert_false (vtree_pkcs7_names (renewed.certificate, span_of (pkcs7)));
}

/* Somebody else's key under the same name and serial number. */
static void
test_same_name_is_not_same_key (void)
{
  g_auto (Certified) one = { NULL };
  g_auto (Certified) impostor = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  certified_init (&impostor, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = sign (&impostor);
  assert_good (&impostor, pkcs7);
  assert_bad (&one, pkcs7, "not by this key");
  g_autoptr (GBytes) embedded = certified_cms (&impostor, MESSAGE, CMS_DETACHED, NULL);
  assert_bad (&one, embedded, "not by this key");
}

static void
test_another_kind_of_key (void)
{
  g_auto (Certified) one = { NULL };
  g_auto (Certified) impostor = { NULL };
  certified_init (&one, certified_key ("RSA 2048"), "one", 1);
  certified_init (&impostor, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = sign (&impostor);
  assert_bad (&one, pkcs7, "not that of the certificate's key");
}

/* The signer's certificate comes along, and is trusted by nobody. */
static void
test_embedded_certificates_are_not_asked (void)
{
  g_auto (Certified) one = { NULL };
  g_auto (Certified) other = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  certified_init (&other, certified_key ("EC P-256"), "other", 2);
  g_autoptr (GBytes) pkcs7 = certified_cms (&other, MESSAGE, CMS_DETACHED, NULL);
  assert_bad (&one, pkcs7, "names another certificate");
}

/* --- what is no detached signature by one signer ---------------------------------- */

static void
test_attached (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = certified_cms (&one, MESSAGE, 0, NULL);
  assert_bad (&one, pkcs7, "content inside");
}

/* As openssl makes it of an open CMS. */
static GBytes *
finish (CMS_ContentInfo *cms, unsigned flags)
{
  BIO *content = BIO_new_mem_buf (MESSAGE, -1);
  g_assert_cmpint (CMS_final (cms, content, NULL, flags), ==, 1);
  uint8_t *der = NULL;
  int size = i2d_CMS_ContentInfo (cms, &der);
  GBytes *bytes = g_bytes_new (der, (size_t) size);
  OPENSSL_free (der);
  CMS_ContentInfo_free (cms);
  BIO_free (content);
  return bytes;
}

static CMS_ContentInfo *
begin (unsigned flags)
{
  return CMS_sign (NULL, NULL, NULL, NULL, flags | CMS_PARTIAL);
}

static void
test_two_signers (void)
{
  const unsigned flags = CMS_DETACHED | CMS_BINARY;
  g_auto (Certified) one = { NULL };
  g_auto (Certified) two = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  certified_init (&two, certified_key ("EC P-256"), "two", 2);
  CMS_ContentInfo *cms = begin (flags);
  CMS_add1_signer (cms, one.x509, one.pkey, NULL, flags);
  CMS_add1_signer (cms, two.x509, two.pkey, NULL, flags);
  g_autoptr (GBytes) pkcs7 = finish (cms, flags);
  assert_bad (&one, pkcs7, "more than one signer");
  assert_bad (&two, pkcs7, "more than one signer");
}

static void
test_no_signer (void)
{
  static const uint8_t nobody[] = {
    0x30, 0x23, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, /* signedData */
    0x01, 0x07, 0x02, 0xa0, 0x16, 0x30, 0x14, 0x02, 0x01, 0x01, /* version 1 */
    0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, /* data */
    0xf7, 0x0d, 0x01, 0x07, 0x01, 0x31, 0x00,
  };
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = g_bytes_new_static (nobody, sizeof nobody);
  assert_bad (&one, pkcs7, "no signer");
}

static void
test_another_type_of_content (void)
{
  const unsigned flags = CMS_DETACHED | CMS_BINARY;
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  CMS_ContentInfo *cms = begin (flags);
  CMS_set1_eContentType (cms, OBJ_nid2obj (NID_pkcs7_encrypted));
  CMS_add1_signer (cms, one.x509, one.pkey, NULL, flags);
  g_autoptr (GBytes) pkcs7 = finish (cms, flags);
  assert_bad (&one, pkcs7, "another type of content");
}

static void
test_sha1 (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("RSA 2048"), "one", 1);
  g_autoptr (GBytes) pkcs7 = certified_cms (&one, MESSAGE, CMS_DETACHED, EVP_sha1 ());
  assert_bad (&one, pkcs7, "none of SHA-256");
}

static void
test_pss (void)
{
  const unsigned flags = CMS_DETACHED | CMS_BINARY;
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("RSA 2048"), "one", 1);
  CMS_ContentInfo *cms = begin (flags);
  CMS_SignerInfo *info
    = CMS_add1_signer (cms, one.x509, one.pkey, EVP_sha256 (), flags | CMS_KEY_PARAM);
  g_assert_cmpint (EVP_PKEY_CTX_set_rsa_padding (CMS_SignerInfo_get0_pkey_ctx (info),
                                                 RSA_PKCS1_PSS_PADDING),
                   ==, 1);
  g_autoptr (GBytes) pkcs7 = finish (cms, flags);
  assert_bad (&one, pkcs7, "its algorithm is none of");
}

static void
test_enveloped (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("RSA 2048"), "one", 1);
  STACK_OF (X509) *to = sk_X509_new_null ();
  sk_X509_push (to, one.x509);
  BIO *content = BIO_new_mem_buf (MESSAGE, -1);
  CMS_ContentInfo *cms = CMS_encrypt (to, content, EVP_aes_128_cbc (), CMS_BINARY);
  uint8_t *der = NULL;
  int size = i2d_CMS_ContentInfo (cms, &der);
  g_autoptr (GBytes) pkcs7 = g_bytes_new (der, (size_t) size);
  OPENSSL_free (der);
  CMS_ContentInfo_free (cms);
  BIO_free (content);
  sk_X509_free (to);
  assert_bad (&one, pkcs7, "not signed data");
}

/* --- the two forms are not taken for each other ----------------------------------- */

/* What is signed without attributes and begins as a SET could be taken for attributes
 * elsewhere, and attributes for such a message: there are none. */
static void
test_attributes_are_no_message (void)
{
  const char *const set = "1\x02\x04";
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = certified_cms (&one, set, CMS_DETACHED | CMS_NOATTR, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_false (
    vtree_pkcs7_verify (one.certificate, span (set), span_of (pkcs7), &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, NULL);
}

static void
test_too_large (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autofree uint8_t *zeros = g_malloc0 (VTREE_PKCS7_MAX + 1);
  g_autoptr (GBytes) pkcs7 = g_bytes_new (zeros, VTREE_PKCS7_MAX + 1);
  assert_bad (&one, pkcs7, "more than 65536 bytes");
}

/* Ten thousand elements within each other: nothing here descends for them. */
static void
test_nested (void)
{
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  for (size_t i = 0; i < 30000; i++)
    g_byte_array_append (bytes, (const uint8_t *) "\x30\x80", 2);
  g_autoptr (GBytes) pkcs7 = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
  assert_bad (&one, pkcs7, "not one element of DER");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/pkcs7/ours", test_ours);
  g_test_add_func ("/core/pkcs7/openssl-verifies-ours", test_openssl_verifies_ours);
  g_test_add_func ("/core/pkcs7/openssls", test_openssls);
  g_test_add_func ("/core/pkcs7/no-byte-is-free", test_no_byte_is_free);
  g_test_add_func ("/core/pkcs7/cut-off", test_cut_off_anywhere);
  g_test_add_func ("/core/pkcs7/same-key", test_same_key_is_not_same_certificate);
  g_test_add_func ("/core/pkcs7/same-name", test_same_name_is_not_same_key);
  g_test_add_func ("/core/pkcs7/another-kind", test_another_kind_of_key);
  g_test_add_func ("/core/pkcs7/embedded", test_embedded_certificates_are_not_asked);
  g_test_add_func ("/core/pkcs7/attached", test_attached);
  g_test_add_func ("/core/pkcs7/two-signers", test_two_signers);
  g_test_add_func ("/core/pkcs7/no-signer", test_no_signer);
  g_test_add_func ("/core/pkcs7/content-type", test_another_type_of_content);
  g_test_add_func ("/core/pkcs7/sha1", test_sha1);
  g_test_add_func ("/core/pkcs7/pss", test_pss);
  g_test_add_func ("/core/pkcs7/enveloped", test_enveloped);
  g_test_add_func ("/core/pkcs7/two-forms", test_attributes_are_no_message);
  g_test_add_func ("/core/pkcs7/too-large", test_too_large);
  g_test_add_func ("/core/pkcs7/nested", test_nested);
  return vtree_test_run ();
}
