/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The signature algorithms that count, the one list of them (OpenSSL EVP): RSA
 * (PKCS #1 v1.5) from 2048 to 8192 bits with an exponent of at least 65537, ECDSA on
 * P-256, P-384 and P-521, both with SHA-256, SHA-384 or SHA-512; Ed25519. For key.c,
 * certificate.c and pkcs7*.c.
 */
#pragma once

#include "core/bytes.h"
#include "core/error.h"
#include <openssl/evp.h>

typedef enum {
  VTREE_ASYMMETRIC_RSA,
  VTREE_ASYMMETRIC_ECDSA,
  VTREE_ASYMMETRIC_ED25519,
} VtreeAsymmetric;

/* In front of RSA's and ECDSA's; Ed25519 hashes by itself. */
typedef enum {
  VTREE_ASYMMETRIC_SHA256,
  VTREE_ASYMMETRIC_SHA384,
  VTREE_ASYMMETRIC_SHA512,
} VtreeAsymmetricHash;

#define VTREE_ASYMMETRIC_HASH_MAX 64

/* What PKEY is. VTREE_ERROR_INVALID, with the cause alone as the message, where it is
 * none of the above. */
bool vtree_asymmetric_check (EVP_PKEY *pkey, VtreeAsymmetric *kind, GError **error);

/* The hash that goes with PKEY's strength when we sign ourselves. */
VtreeAsymmetricHash vtree_asymmetric_hash_for (EVP_PKEY *pkey);

/* Writes the hash of DATA to VALUE and returns its bytes; 0 if OpenSSL can't. */
size_t vtree_asymmetric_digest (VtreeAsymmetricHash hash, VtreeSpan data,
                                uint8_t value[VTREE_ASYMMETRIC_HASH_MAX]);

/* True if SIGNATURE is PKEY's over DATA. PKEY has passed vtree_asymmetric_check(). */
bool vtree_asymmetric_verify (EVP_PKEY *pkey, VtreeAsymmetricHash hash, VtreeSpan data,
                              VtreeSpan signature);

/* PKEY's signature over DATA. Errors: VTREE_ERROR_FAILED. */
GBytes *vtree_asymmetric_sign (EVP_PKEY *pkey, VtreeAsymmetricHash hash, VtreeSpan data,
                               GError **error);
