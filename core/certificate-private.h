/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pkcs7.c and pkcs7-sign.c need of certificates and keys; for them only. */
#pragma once

#include "core/asymmetric.h"
#include "core/certificate.h"

/* All borrowed. */
EVP_PKEY *vtree_certificate_peek_key (const VtreeCertificate *certificate);
VtreeAsymmetric vtree_certificate_kind (const VtreeCertificate *certificate);
EVP_PKEY *vtree_private_key_peek_key (const VtreePrivateKey *key);

/* DER of the issuer's name and of the serial number; the subject key identifier,
 * without data where there is none. Borrowed. */
VtreeSpan vtree_certificate_issuer_der (const VtreeCertificate *certificate);
VtreeSpan vtree_certificate_serial (const VtreeCertificate *certificate);
VtreeSpan vtree_certificate_identifier (const VtreeCertificate *certificate);
