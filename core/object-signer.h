/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes built-in signatures with a private key and its X.509 certificate, by
 * libfsverity: the bytes that `fsverity sign` writes. Thread-safe, immutable.
 */
#pragma once

#include "core/digest.h"
#include "core/error.h"

typedef struct VtreeObjectSigner VtreeObjectSigner;

/* KEY_FILE and CERT_FILE are PEM; both are read again for each signature. Tries them
 * once, so that a key that does not fit is found before anything is written. Errors:
 * VTREE_ERROR_MISSING, VTREE_ERROR_UNTRUSTED (a private key that others may read),
 * VTREE_ERROR_INVALID (no key, no certificate, not of each other, encrypted),
 * VTREE_ERROR_UNSUPPORTED (a libfsverity that can't). */
VtreeObjectSigner *vtree_object_signer_new (const char *key_file, const char *cert_file,
                                            GError **error);
void vtree_object_signer_free (VtreeObjectSigner *signer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeObjectSigner, vtree_object_signer_free)

/* The signature over DIGEST, PKCS#7 in DER; owned. NULL on error. */
GBytes *vtree_object_signer_sign (const VtreeObjectSigner *signer,
                                  const VtreeDigest *digest, GError **error);
