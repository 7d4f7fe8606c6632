/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * X.509 certificates, as holders of a public key and nothing more. A certificate is
 * trusted because it lies in certs.d, never because of who issued it: its own
 * signature, its issuer, its extensions and what it may be used for are not looked at,
 * and what it has issued is not trusted by it. Certificate id = SHA-256 of the DER
 * form.
 */
#pragma once

#include "core/bytes.h"
#include "core/key.h"

typedef struct VtreeCertificate VtreeCertificate;

/* True if the SIZE bytes at PEM begin as a certificate in PEM does. */
bool vtree_certificate_is_pem (const void *pem, size_t size);

/* Parses one PEM block "CERTIFICATE", as `openssl x509` writes it, without text or
 * other blocks beside it, with an RSA, ECDSA or Ed25519 key as core/asymmetric.h wants
 * it. Errors: VTREE_ERROR_INVALID. */
VtreeCertificate *vtree_certificate_new_from_pem (const void *pem, size_t size,
                                                  GError **error);
void vtree_certificate_free (VtreeCertificate *certificate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeCertificate, vtree_certificate_free)

/* All of these are borrowed from CERTIFICATE. The subject is one line as in RFC 2253
 * ("CN=Release,O=Example"), valid UTF-8, control characters escaped; it may be empty.
 * Times are seconds since the epoch. */
const VtreeKeyId *vtree_certificate_id (const VtreeCertificate *certificate);
const char *vtree_certificate_subject (const VtreeCertificate *certificate);
const char *vtree_certificate_issuer (const VtreeCertificate *certificate);
int64_t vtree_certificate_not_before (const VtreeCertificate *certificate);
int64_t vtree_certificate_not_after (const VtreeCertificate *certificate);

/* The kind of its key in words ("RSA 3072", "ECDSA P-256", "Ed25519"); static or
 * borrowed. */
const char *vtree_certificate_algorithm (const VtreeCertificate *certificate);

/* Its DER form. */
VtreeSpan vtree_certificate_der (const VtreeCertificate *certificate);

/* PEM text as OpenSSL writes it, to be freed. */
char *vtree_certificate_to_pem (const VtreeCertificate *certificate);

/* *ID: the key id of its key; false where that is no Ed25519 key. */
bool vtree_certificate_key_id (const VtreeCertificate *certificate, VtreeKeyId *id);

/* Whether KEY is the private key to its public one. */
bool vtree_certificate_has_key (const VtreeCertificate *certificate,
                                const VtreePrivateKey *key);
