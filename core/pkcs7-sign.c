/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the writing of detached signatures. OpenSSL 3.0's own writer of CMS can't do it
 * with Ed25519, and later ones read that with signed attributes alone: so these are
 * always written.
 */
#include "core/certificate-private.h"
#include "core/der.h"
#include "core/pkcs7-private.h"
#include "core/pkcs7.h"

#define WRAP(tag, ...)                                                                 \
  vtree_der_wrap_take ((tag), (GBytes *[]){ __VA_ARGS__ },                             \
                       G_N_ELEMENTS (((GBytes *[]){ __VA_ARGS__ })))

static GBytes *
bytes_of (VtreeSpan span)
{
  return g_bytes_new (span.data, span.size);
}

static GBytes *
write_integer (uint8_t value)
{
  return WRAP (VTREE_DER_INTEGER, g_bytes_new (&value, 1));
}

static GBytes *
write_algorithm (VtreeSpan oid, bool has_null)
{
  GBytes *name = WRAP (VTREE_DER_OID, bytes_of (oid));
  if (!has_null)
    return WRAP (VTREE_DER_SEQUENCE, name);
  GBytes *null = vtree_der_wrap_take (VTREE_DER_NULL, NULL, 0);
  return WRAP (VTREE_DER_SEQUENCE, name, null);
}

/* RFC 5754: SHA-2 has no parameters. */
static GBytes *
write_hash (VtreeAsymmetricHash hash)
{
  return write_algorithm (vtree_pkcs7_oid_hash (hash), false);
}

/* Takes VALUE. */
static GBytes *
write_attribute (VtreeSpan name, GBytes *value)
{
  GBytes *oid = WRAP (VTREE_DER_OID, bytes_of (name));
  GBytes *values = WRAP (VTREE_DER_SET, value);
  return WRAP (VTREE_DER_SEQUENCE, oid, values);
}

/* What is signed: the SET of contentType and messageDigest, which stand in the order
 * that DER wants. */
static GBytes *
write_attributes (VtreeAsymmetricHash hash, VtreeSpan message, GError **error)
{
  uint8_t digest[VTREE_ASYMMETRIC_HASH_MAX];
  size_t size = vtree_asymmetric_digest (hash, message, digest);
  if (size == 0) {
    vtree_error_set (error, VTREE_ERROR_FAILED, "sign: OpenSSL can't hash");
    return NULL;
  }
  GBytes *data = WRAP (VTREE_DER_OID, bytes_of (vtree_pkcs7_oid_data ()));
  GBytes *octets = WRAP (VTREE_DER_OCTETS, g_bytes_new (digest, size));
  return WRAP (VTREE_DER_SET, write_attribute (vtree_pkcs7_oid_content_type (), data),
               write_attribute (vtree_pkcs7_oid_message_digest (), octets));
}

/* ATTRIBUTES with the tag that they have in their place. */
static GBytes *
retag (GBytes *attributes)
{
  size_t size;
  const uint8_t *set = g_bytes_get_data (attributes, &size);
  uint8_t *copy = g_memdup2 (set, size);
  copy[0] = VTREE_DER_CONTEXT (0);
  return g_bytes_new_take (copy, size);
}

/* The one SignerInfo; takes SIGNATURE. */
static GBytes *
write_info (const VtreeCertificate *certificate, VtreeAsymmetricHash hash,
            GBytes *attributes, GBytes *signature)
{
  bool has_null;
  VtreeSpan algorithm
    = vtree_pkcs7_oid_signature (vtree_certificate_kind (certificate), hash, &has_null);
  GBytes *signer
    = WRAP (VTREE_DER_SEQUENCE, bytes_of (vtree_certificate_issuer_der (certificate)),
            bytes_of (vtree_certificate_serial (certificate)));
  GBytes *value = WRAP (VTREE_DER_OCTETS, signature);
  return WRAP (VTREE_DER_SEQUENCE, write_integer (1), signer, write_hash (hash),
               retag (attributes), write_algorithm (algorithm, has_null), value);
}

/* Takes INFO. */
static GBytes *
write_signed_data (VtreeAsymmetricHash hash, GBytes *info)
{
  GBytes *type = WRAP (VTREE_DER_OID, bytes_of (vtree_pkcs7_oid_data ()));
  GBytes *content = WRAP (VTREE_DER_SEQUENCE, type);
  GBytes *hashes = WRAP (VTREE_DER_SET, write_hash (hash));
  GBytes *infos = WRAP (VTREE_DER_SET, info);
  return WRAP (VTREE_DER_SEQUENCE, write_integer (1), hashes, content, infos);
}

GBytes *
vtree_pkcs7_sign (const VtreeCertificate *certificate, const VtreePrivateKey *key,
                  VtreeSpan message, GError **error)
{
  EVP_PKEY *pkey = vtree_private_key_peek_key (key);
  VtreeAsymmetricHash hash = vtree_asymmetric_hash_for (pkey);
  g_autoptr (GBytes) attributes = write_attributes (hash, message, error);
  if (attributes == NULL)
    return NULL;
  VtreeSpan set;
  set.data = g_bytes_get_data (attributes, &set.size);
  GBytes *signature = vtree_asymmetric_sign (pkey, hash, set, error);
  if (signature == NULL)
    return NULL;
  GBytes *info = write_info (certificate, hash, attributes, signature);
  GBytes *type = WRAP (VTREE_DER_OID, bytes_of (vtree_pkcs7_oid_signed_data ()));
  GBytes *inner = WRAP (VTREE_DER_CONTEXT (0), write_signed_data (hash, info));
  return WRAP (VTREE_DER_SEQUENCE, type, inner);
}
