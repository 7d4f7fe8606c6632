/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whoever makes a signature: an Ed25519 key, a certificate with its key, or a program
 * that has one of these (a token, an agent, another machine). A signature is verified
 * before it is handed out, whoever made it.
 */
#pragma once

#include "core/certificate.h"
#include "core/signature.h"

typedef struct VtreeSigner VtreeSigner;

/* What is to be signed. A program is told ref and version. */
typedef struct {
  GBytes *message; /* with the name of its context in front */
  const char *ref;
  uint64_t version;
} VtreeSigningRequest;

/* Signs with KEY (Ed25519), which is taken, on an error too. Errors:
 * VTREE_ERROR_FAILED. */
VtreeSigner *vtree_signer_new_for_key_take (VtreePrivateKey *key, GError **error);

/* Signs with CERTIFICATE, whose private key is KEY; both are taken, on an error too.
 * Errors: VTREE_ERROR_INVALID if they don't belong together. */
VtreeSigner *vtree_signer_new_for_certificate_take (VtreeCertificate *certificate,
                                                    VtreePrivateKey *key,
                                                    GError **error);

/* Has COMMAND sign for what PEM (SIZE bytes) is, an Ed25519 public key or a
 * certificate; FILE (a path) is told to it. COMMAND is run as vtree_command_run() does,
 * with the message as its input and
 *
 *   VTREE_SIGN_KIND      ed25519 or pkcs7
 *   VTREE_SIGN_ID        id of the key or the certificate
 *   VTREE_SIGN_FILE      FILE, absolute
 *   VTREE_SIGN_REF       the ref
 *   VTREE_SIGN_VERSION   its version, decimal
 *
 * in its environment, and prints the 64 raw bytes of the Ed25519 signature, or a
 * detached PKCS #7 signature in DER as core/pkcs7.h describes. Errors:
 * VTREE_ERROR_INVALID. */
VtreeSigner *vtree_signer_new_for_command (const char *command, const char *file,
                                           const void *pem, size_t size,
                                           GError **error);

void vtree_signer_free (VtreeSigner *signer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeSigner, vtree_signer_free)

/* An empty list of VtreeSigner *, which it owns. */
GPtrArray *vtree_signers_new (void);

/* The signatures of all SIGNERS, for REQUEST. Errors: VTREE_ERROR_UNTRUSTED (a
 * program's is none), VTREE_ERROR_LIMIT, and vtree_command_run()'s. */
VtreeSignatures *vtree_signers_sign (const GPtrArray *signers,
                                     const VtreeSigningRequest *request,
                                     GError **error);
