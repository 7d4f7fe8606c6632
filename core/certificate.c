/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading certificates (OpenSSL's X509). They come from the person and from
 * certs.d; what an attacker sends along with a signature is never parsed here. Builds
 * and checks no chain: see the header.
 */
#include "core/certificate.h"

#include "core/certificate-private.h"
#include "core/pem.h"

#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define PEM_LABEL "CERTIFICATE"

struct VtreeCertificate {
  X509 *x509;
  EVP_PKEY *pkey; /* borrowed from x509 */
  VtreeAsymmetric kind;
  GBytes *der;
  GBytes *issuer_der;
  GBytes *serial_der;
  VtreeKeyId id;
  char *subject;
  char *issuer;
  char *algorithm;
  int64_t not_before;
  int64_t not_after;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIO, BIO_free_all)

bool
vtree_certificate_is_pem (const void *pem, size_t size)
{
  return vtree_pem_is (pem, size, PEM_LABEL);
}

void
vtree_certificate_free (VtreeCertificate *certificate)
{
  if (certificate == NULL)
    return;
  X509_free (certificate->x509);
  g_clear_pointer (&certificate->der, g_bytes_unref);
  g_clear_pointer (&certificate->issuer_der, g_bytes_unref);
  g_clear_pointer (&certificate->serial_der, g_bytes_unref);
  g_free (certificate->subject);
  g_free (certificate->issuer);
  g_free (certificate->algorithm);
  g_free (certificate);
}

static bool
set_invalid (GError **error, const char *fault)
{
  return vtree_error_set (error, VTREE_ERROR_INVALID, "parse certificate: %s", fault);
}

/* NAME in one line that no terminal takes amiss; NULL if OpenSSL can't print it. */
static char *
dup_name (const X509_NAME *name)
{
  const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long) ASN1_STRFLGS_ESC_MSB;
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());
  if (bio == NULL || X509_NAME_print_ex (bio, name, 0, flags) < 0)
    return NULL;
  char *text;
  long size = BIO_get_mem_data (bio, &text);
  g_autofree char *copy = g_strndup (text, (size_t) size);
  return vtree_error_line (copy);
}

static bool
read_time (const ASN1_TIME *time, int64_t *seconds)
{
  struct tm fields;
  if (time == NULL || ASN1_TIME_to_tm (time, &fields) != 1)
    return false;
  *seconds = timegm (&fields);
  return true;
}

static char *
dup_algorithm (const VtreeCertificate *certificate)
{
  int bits = EVP_PKEY_get_bits (certificate->pkey);
  if (certificate->kind == VTREE_ASYMMETRIC_ED25519)
    return g_strdup ("Ed25519");
  return certificate->kind == VTREE_ASYMMETRIC_RSA
           ? g_strdup_printf ("RSA %d", bits)
           : g_strdup_printf ("ECDSA P-%d", bits);
}

static bool
read_key (VtreeCertificate *certificate, GError **error)
{
  certificate->pkey = X509_get0_pubkey (certificate->x509);
  if (certificate->pkey == NULL)
    return set_invalid (error, "it has no key that OpenSSL can read");
  if (!vtree_asymmetric_check (certificate->pkey, &certificate->kind, error)) {
    g_prefix_error (error, "parse certificate: ");
    return false;
  }
  certificate->algorithm = dup_algorithm (certificate);
  return true;
}

/* Takes what OpenSSL allocated; NULL if that is nothing. */
static GBytes *
bytes_take_der (uint8_t *der, int size)
{
  GBytes *bytes = size > 0 ? g_bytes_new (der, (size_t) size) : NULL;
  OPENSSL_free (der);
  return bytes;
}

static bool
read_names (VtreeCertificate *certificate, GError **error)
{
  const X509_NAME *issuer = X509_get_issuer_name (certificate->x509);
  uint8_t *der = NULL;
  int size = i2d_X509_NAME (issuer, &der);
  certificate->issuer_der = bytes_take_der (der, size);
  der = NULL;
  size = i2d_ASN1_INTEGER (X509_get0_serialNumber (certificate->x509), &der);
  certificate->serial_der = bytes_take_der (der, size);
  certificate->subject = dup_name (X509_get_subject_name (certificate->x509));
  certificate->issuer = dup_name (issuer);
  if (certificate->issuer_der == NULL || certificate->serial_der == NULL
      || certificate->subject == NULL || certificate->issuer == NULL)
    return set_invalid (error, "its names can't be read");
  return true;
}

static bool
read_fields (VtreeCertificate *certificate, GError **error)
{
  const X509 *x509 = certificate->x509;
  if (!read_time (X509_get0_notBefore (x509), &certificate->not_before)
      || !read_time (X509_get0_notAfter (x509), &certificate->not_after))
    return set_invalid (error, "its dates can't be read");
  /* Reads the extensions, so that what is shared between threads is complete. */
  X509_get_extension_flags (certificate->x509);
  return read_names (certificate, error) && read_key (certificate, error);
}

/* All of DER, nothing behind it. */
static X509 *
parse_der (GBytes *der, GError **error)
{
  size_t size;
  const uint8_t *data = g_bytes_get_data (der, &size);
  const uint8_t *at = data;
  X509 *x509 = d2i_X509 (NULL, &at, (long) size);
  if (x509 != NULL && at == data + size)
    return x509;
  X509_free (x509);
  set_invalid (error, "not an X.509 certificate");
  return NULL;
}

VtreeCertificate *
vtree_certificate_new_from_pem (const void *pem, size_t size, GError **error)
{
  g_autoptr (VtreeCertificate) certificate = g_new0 (VtreeCertificate, 1);
  certificate->der = vtree_pem_decode (pem, size, PEM_LABEL, "certificate", error);
  if (certificate->der == NULL)
    return NULL;
  certificate->x509 = parse_der (certificate->der, error);
  if (certificate->x509 == NULL || !read_fields (certificate, error))
    return NULL;
  VtreeSpan der = vtree_certificate_der (certificate);
  SHA256 (der.data, der.size, certificate->id.bytes);
  return g_steal_pointer (&certificate);
}

const VtreeKeyId *
vtree_certificate_id (const VtreeCertificate *certificate)
{
  return &certificate->id;
}

const char *
vtree_certificate_subject (const VtreeCertificate *certificate)
{
  return certificate->subject;
}

const char *
vtree_certificate_issuer (const VtreeCertificate *certificate)
{
  return certificate->issuer;
}

int64_t
vtree_certificate_not_before (const VtreeCertificate *certificate)
{
  return certificate->not_before;
}

int64_t
vtree_certificate_not_after (const VtreeCertificate *certificate)
{
  return certificate->not_after;
}

const char *
vtree_certificate_algorithm (const VtreeCertificate *certificate)
{
  return certificate->algorithm;
}

static VtreeSpan
span_of (GBytes *bytes)
{
  VtreeSpan span;
  span.data = g_bytes_get_data (bytes, &span.size);
  return span;
}

VtreeSpan
vtree_certificate_der (const VtreeCertificate *certificate)
{
  return span_of (certificate->der);
}

char *
vtree_certificate_to_pem (const VtreeCertificate *certificate)
{
  VtreeSpan der = vtree_certificate_der (certificate);
  return vtree_pem_encode (der.data, der.size, PEM_LABEL);
}

bool
vtree_certificate_key_id (const VtreeCertificate *certificate, VtreeKeyId *id)
{
  uint8_t raw[32];
  size_t size = sizeof raw;
  if (certificate->kind != VTREE_ASYMMETRIC_ED25519
      || EVP_PKEY_get_raw_public_key (certificate->pkey, raw, &size) != 1
      || size != sizeof raw)
    return false;
  SHA256 (raw, sizeof raw, id->bytes);
  return true;
}

bool
vtree_certificate_has_key (const VtreeCertificate *certificate,
                           const VtreePrivateKey *key)
{
  return EVP_PKEY_eq (certificate->pkey, vtree_private_key_peek_key (key)) == 1;
}

EVP_PKEY *
vtree_certificate_peek_key (const VtreeCertificate *certificate)
{
  return certificate->pkey;
}

VtreeAsymmetric
vtree_certificate_kind (const VtreeCertificate *certificate)
{
  return certificate->kind;
}

VtreeSpan
vtree_certificate_issuer_der (const VtreeCertificate *certificate)
{
  return span_of (certificate->issuer_der);
}

VtreeSpan
vtree_certificate_serial (const VtreeCertificate *certificate)
{
  return span_of (certificate->serial_der);
}

VtreeSpan
vtree_certificate_identifier (const VtreeCertificate *certificate)
{
  const ASN1_OCTET_STRING *id = X509_get0_subject_key_id (certificate->x509);
  if (id == NULL)
    return (VtreeSpan){ NULL, 0 };
  return (VtreeSpan){ ASN1_STRING_get0_data (id), (size_t) ASN1_STRING_length (id) };
}
