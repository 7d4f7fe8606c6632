/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question whether a detached signature is a certificate's over a message.
 * Whether that certificate counts is trust.c's affair.
 */
#include "core/pkcs7.h"

#include "core/certificate-private.h"
#include "core/der.h"
#include "core/pkcs7-private.h"

#include <string.h>

/* Whether the signer that FIELDS names is CERTIFICATE. */
static bool
names (const VtreePkcs7 *fields, const VtreeCertificate *certificate)
{
  if (fields->identifier.data == NULL)
    return vtree_der_equal (fields->issuer, vtree_certificate_issuer_der (certificate))
           && vtree_der_equal (fields->serial, vtree_certificate_serial (certificate));
  VtreeSpan identifier = vtree_certificate_identifier (certificate);
  return identifier.data != NULL && vtree_der_equal (fields->identifier, identifier);
}

bool
vtree_pkcs7_names (const VtreeCertificate *certificate, VtreeSpan pkcs7)
{
  VtreePkcs7 fields;
  return vtree_pkcs7_parse (pkcs7, &fields, NULL) && names (&fields, certificate);
}

/* Whether the attribute messageDigest is MESSAGE's. */
static bool
has_digest (const VtreePkcs7 *fields, VtreeSpan message)
{
  uint8_t digest[VTREE_ASYMMETRIC_HASH_MAX];
  size_t size = vtree_asymmetric_digest (fields->hash, message, digest);
  return size > 0 && vtree_der_equal (fields->digest, (VtreeSpan){ digest, size });
}

/* What attributes are signed as: a SET, whatever tag they have in their place. */
static uint8_t *
dup_as_set (VtreeSpan attributes)
{
  uint8_t *copy = g_memdup2 (attributes.data, attributes.size);
  copy[0] = VTREE_DER_SET;
  return copy;
}

static bool
verify_fields (const VtreePkcs7 *fields, EVP_PKEY *key, VtreeSpan message)
{
  /* See the header: this is what keeps the two forms apart. */
  if (message.size == 0 || message.data[0] == VTREE_DER_SET)
    return false;
  if (fields->attributes.data == NULL)
    return vtree_asymmetric_verify (key, fields->hash, message, fields->signature);
  g_autofree uint8_t *set = dup_as_set (fields->attributes);
  return has_digest (fields, message)
         && vtree_asymmetric_verify (key, fields->hash,
                                     (VtreeSpan){ set, fields->attributes.size },
                                     fields->signature);
}

bool
vtree_pkcs7_verify (const VtreeCertificate *certificate, VtreeSpan message,
                    VtreeSpan pkcs7, GError **error)
{
  VtreePkcs7 fields;
  if (!vtree_pkcs7_parse (pkcs7, &fields, error))
    return false;
  if (!names (&fields, certificate))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "it names another certificate as its signer's");
  if (fields.kind != vtree_certificate_kind (certificate))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "its algorithm is not that of the certificate's key");
  if (!verify_fields (&fields, vtree_certificate_peek_key (certificate), message))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "it is not over these bytes, or not by this key");
  return true;
}
