/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/core/certificate-fixture.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

EVP_PKEY *
certified_key (const char *algorithm)
{
  g_auto (GStrv) words = g_strsplit (algorithm, " ", 2);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name (NULL, words[0], NULL);
  EVP_PKEY *pkey = NULL;
  g_assert_cmpint (EVP_PKEY_keygen_init (context), ==, 1);
  if (g_str_has_prefix (words[0], "RSA"))
    EVP_PKEY_CTX_set_rsa_keygen_bits (context,
                                      (int) g_ascii_strtoll (words[1], NULL, 10));
  else if (words[1] != NULL)
    EVP_PKEY_CTX_set_group_name (context, words[1]);
  g_assert_cmpint (EVP_PKEY_generate (context, &pkey), ==, 1);
  EVP_PKEY_CTX_free (context);
  return pkey;
}

static char *
dup_bio (BIO *bio)
{
  char *text;
  long size = BIO_get_mem_data (bio, &text);
  char *copy = g_strndup (text, (size_t) size);
  BIO_free (bio);
  return copy;
}

/* Through a file, as a person's key comes. */
static VtreePrivateKey *
load_key (EVP_PKEY *pkey)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "key.pem", NULL);
  BIO *bio = BIO_new (BIO_s_mem ());
  g_assert_cmpint (PEM_write_bio_PrivateKey (bio, pkey, NULL, NULL, 0, NULL, NULL), ==,
                   1);
  g_autofree char *pem = dup_bio (bio);
  g_assert_true (
    g_file_set_contents_full (path, pem, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  return vtree_private_key_load_any (path, NULL);
}

static void
add_identifier (X509 *x509)
{
  X509V3_CTX context;
  X509V3_set_ctx (&context, x509, x509, NULL, NULL, 0);
  X509_EXTENSION *extension
    = X509V3_EXT_conf_nid (NULL, &context, NID_subject_key_identifier, "hash");
  g_assert_nonnull (extension);
  g_assert_cmpint (X509_add_ext (x509, extension, -1), ==, 1);
  X509_EXTENSION_free (extension);
}

static X509 *
make_x509 (EVP_PKEY *pkey, const char *name, long serial)
{
  X509 *x509 = X509_new ();
  X509_set_version (x509, X509_VERSION_3);
  ASN1_INTEGER_set (X509_get_serialNumber (x509), serial);
  X509_gmtime_adj (X509_getm_notBefore (x509), 0);
  X509_gmtime_adj (X509_getm_notAfter (x509), 3600);
  X509_set_pubkey (x509, pkey);
  X509_NAME *subject = X509_get_subject_name (x509);
  X509_NAME_add_entry_by_txt (subject, "CN", MBSTRING_UTF8, (const uint8_t *) name, -1,
                              -1, 0);
  X509_set_issuer_name (x509, subject);
  add_identifier (x509);
  const EVP_MD *hash
    = EVP_PKEY_get_id (pkey) == EVP_PKEY_ED25519 ? NULL : EVP_sha256 ();
  g_assert_cmpint (X509_sign (x509, pkey, hash), >, 0);
  return x509;
}

void
certified_init (Certified *certified, EVP_PKEY *pkey, const char *name, long serial)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  *certified = (Certified){ .pkey = pkey, .x509 = make_x509 (pkey, name, serial) };
  g_assert_cmpint (PEM_write_bio_X509 (bio, certified->x509), ==, 1);
  certified->pem = dup_bio (bio);
  certified->certificate
    = vtree_certificate_new_from_pem (certified->pem, strlen (certified->pem), NULL);
  certified->key = load_key (pkey);
}

void
certified_renew (Certified *renewed, const Certified *certified, const char *name,
                 long serial)
{
  g_assert_cmpint (EVP_PKEY_up_ref (certified->pkey), ==, 1);
  certified_init (renewed, certified->pkey, name, serial);
}

void
certified_clear (Certified *certified)
{
  g_clear_pointer (&certified->pkey, EVP_PKEY_free);
  g_clear_pointer (&certified->x509, X509_free);
  g_clear_pointer (&certified->pem, g_free);
  g_clear_pointer (&certified->certificate, vtree_certificate_free);
  g_clear_pointer (&certified->key, vtree_private_key_free);
}

GBytes *
certified_cms (const Certified *certified, const char *message, unsigned flags,
               const EVP_MD *hash)
{
  BIO *content = BIO_new_mem_buf (message, -1);
  CMS_ContentInfo *cms
    = CMS_sign (NULL, NULL, NULL, NULL, flags | CMS_PARTIAL | CMS_BINARY);
  g_assert_nonnull (
    CMS_add1_signer (cms, certified->x509, certified->pkey, hash, flags | CMS_BINARY));
  g_assert_cmpint (CMS_final (cms, content, NULL, flags | CMS_BINARY), ==, 1);
  uint8_t *der = NULL;
  int size = i2d_CMS_ContentInfo (cms, &der);
  g_assert_cmpint (size, >, 0);
  GBytes *bytes = g_bytes_new (der, (size_t) size);
  OPENSSL_free (der);
  CMS_ContentInfo_free (cms);
  BIO_free (content);
  return bytes;
}

VtreeKeyId
certified_key_id (const VtreePrivateKey *key)
{
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (key, NULL);
  g_assert_nonnull (public);
  return *vtree_public_key_id (public);
}
