/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be trusted: an Ed25519 public key or a certificate, as one PEM file holds
 * it.
 */
#pragma once

#include "core/certificate.h"

/* One of them, owned; both NULL before parsing and after clearing. */
typedef struct {
  VtreePublicKey *public;
  VtreeCertificate *certificate;
} VtreeAnchor;

/* Fills in the empty ANCHOR. Which of the two it is, the first line of PEM says.
 * Errors: VTREE_ERROR_INVALID. */
bool vtree_anchor_parse (VtreeAnchor *anchor, const void *pem, size_t size,
                         GError **error);

/* Frees what ANCHOR holds; a zeroed one is fine. */
void vtree_anchor_clear (VtreeAnchor *anchor);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeAnchor, vtree_anchor_clear)

/* The id of the key or the certificate; borrowed. */
const VtreeKeyId *vtree_anchor_id (const VtreeAnchor *anchor);

/* The kind of the signatures that it checks, VTREE_SIGNATURE_ED25519 or
 * VTREE_SIGNATURE_PKCS7; NULL for an empty one. Static. */
const char *vtree_anchor_kind (const VtreeAnchor *anchor);

/* PEM text as OpenSSL writes it, to be freed. */
char *vtree_anchor_to_pem (const VtreeAnchor *anchor);
