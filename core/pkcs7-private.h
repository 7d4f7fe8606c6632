/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields of a signature and the names of algorithms; for pkcs7*.c only. */
#pragma once

#include "core/asymmetric.h"

/* Spans are of the bytes that were parsed. */
typedef struct {
  VtreeSpan issuer;     /* DER; without data where identifier is set */
  VtreeSpan serial;     /* DER */
  VtreeSpan identifier; /* the subject key identifier */
  VtreeAsymmetricHash hash;
  VtreeAsymmetric kind;
  VtreeSpan attributes; /* the whole element [0]; without data where there are none */
  VtreeSpan digest;     /* the attribute messageDigest */
  VtreeSpan signature;
} VtreePkcs7;

/* Fills in FIELDS. VTREE_ERROR_CORRUPT, and VTREE_ERROR_UNTRUSTED for an algorithm that
 * does not count. */
bool vtree_pkcs7_parse (VtreeSpan bytes, VtreePkcs7 *fields, GError **error);

/* Contents of object identifiers; static. */
VtreeSpan vtree_pkcs7_oid_data (void);
VtreeSpan vtree_pkcs7_oid_signed_data (void);
VtreeSpan vtree_pkcs7_oid_content_type (void);
VtreeSpan vtree_pkcs7_oid_message_digest (void);
VtreeSpan vtree_pkcs7_oid_hash (VtreeAsymmetricHash hash);
/* Of the signature's algorithm; *HAS_NULL: NULL parameters belong to it. */
VtreeSpan vtree_pkcs7_oid_signature (VtreeAsymmetric kind, VtreeAsymmetricHash hash,
                                     bool *has_null);
