/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates for tests, made by OpenSSL on the spot. */
#pragma once

#include "core/certificate.h"
#include <openssl/x509.h>

typedef struct {
  EVP_PKEY *pkey;
  X509 *x509;
  char *pem;
  VtreeCertificate *certificate; /* NULL where it is none of ours */
  VtreePrivateKey *key;          /* likewise */
} Certified;

/* A new key: "RSA 2048", "EC P-256", "ED25519", or what else EVP_PKEY_Q_keygen
 * knows. */
EVP_PKEY *certified_key (const char *algorithm);

/* A self-signed certificate of CN=NAME for PKEY, which is taken, with the given serial
 * number, valid for the next hour. */
void certified_init (Certified *certified, EVP_PKEY *pkey, const char *name,
                     long serial);
void certified_clear (Certified *certified);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Certified, certified_clear)

/* The same key's certificate again, with another serial number. */
void certified_renew (Certified *renewed, const Certified *certified, const char *name,
                      long serial);

/* PKCS #7 over MESSAGE as OpenSSL makes it with these CMS flags; HASH may be NULL. */
GBytes *certified_cms (const Certified *certified, const char *message, unsigned flags,
                       const EVP_MD *hash);

/* The id of KEY's public key. */
VtreeKeyId certified_key_id (const VtreePrivateKey *key);
