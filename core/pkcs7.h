/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A detached PKCS #7 signature: CMS SignedData (RFC 5652) with one signer, in DER.
 * Parser of untrusted bytes, by hand, and stricter than OpenSSL's: definite lengths,
 * the content type `data`, no content inside, exactly one SignerInfo. Certificates and
 * revocation lists that come along are skipped unread: the certificate to check with is
 * the caller's, and nobody else's.
 *
 * With signed attributes their contentType must be `data` and their messageDigest that
 * of the message; other attributes (a signing time) are not looked at. Without them the
 * signature is over the message itself. Neither can be taken for the other: attributes
 * begin with the byte 0x31, a message with the name of its context, a letter.
 *
 * `openssl cms -sign -binary -outform DER` makes such, with and without -noattr,
 * -nocerts and -keyid; so does `openssl smime -sign`.
 */
#pragma once

#include "core/certificate.h"

/* bytes; a larger one is refused */
#define VTREE_PKCS7_MAX 65536

/* True if PKCS7 is a signature over MESSAGE by the key of CERTIFICATE, and names
 * CERTIFICATE as the signer's. Errors, each one line with the cause alone:
 * VTREE_ERROR_CORRUPT (malformed), VTREE_ERROR_UNTRUSTED (by another certificate, over
 * other bytes, an algorithm that does not count). */
bool vtree_pkcs7_verify (const VtreeCertificate *certificate, VtreeSpan message,
                         VtreeSpan pkcs7, GError **error);

/* Whether PKCS7 is well-formed and names CERTIFICATE as its signer's, which says
 * nothing about who made it. */
bool vtree_pkcs7_names (const VtreeCertificate *certificate, VtreeSpan pkcs7);

/* Makes one with the two attributes and without the certificate inside. KEY must be
 * CERTIFICATE's: see vtree_certificate_has_key(). Errors: VTREE_ERROR_FAILED. */
GBytes *vtree_pkcs7_sign (const VtreeCertificate *certificate,
                          const VtreePrivateKey *key, VtreeSpan message,
                          GError **error);
