/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A .sig file: at most 16 lines of "ed25519 <key id> <base64>" or "pkcs7 <certificate
 * id> <base64>" (see pkcs7.h for what that holds). Parser of untrusted bytes: printable
 * ASCII, one space between the fields, every line ended by LF. Lines of an unknown kind
 * are kept as they are; a line that is malformed within its kind is an error, and so is
 * a second one with the same kind and id. The empty file has no signatures.
 */
#pragma once

#include "core/key.h"

#define VTREE_SIGNATURE_ED25519 "ed25519"
#define VTREE_SIGNATURE_PKCS7 "pkcs7"

#define VTREE_SIGNATURE_LINES_MAX 16
/* bytes of a whole .sig file (room for pkcs7 lines) */
#define VTREE_SIGNATURE_FILE_MAX 262144

typedef struct VtreeSignatures VtreeSignatures;

typedef struct {
  const char *kind;     /* "ed25519", "pkcs7", … borrowed from the VtreeSignatures */
  VtreeKeyId id;        /* zero for an unknown kind */
  const uint8_t *value; /* decoded; NULL for an unknown kind */
  size_t size;          /* bytes at value; 64 for ed25519 */
} VtreeSignatureLine;

/* Without any line. */
VtreeSignatures *vtree_signatures_new (void);
/* Errors: VTREE_ERROR_CORRUPT with the line's number, VTREE_ERROR_LIMIT. */
VtreeSignatures *vtree_signatures_parse (const void *data, size_t size, GError **error);
void vtree_signatures_free (VtreeSignatures *signatures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeSignatures, vtree_signatures_free)
size_t vtree_signatures_count (const VtreeSignatures *signatures);
/* Line INDEX < count; borrowed. */
const VtreeSignatureLine *vtree_signatures_peek (const VtreeSignatures *signatures,
                                                 size_t index);
/* Adds an ed25519 line, or replaces that key's. Errors: VTREE_ERROR_LIMIT. */
bool vtree_signatures_add (VtreeSignatures *signatures, const VtreeKeyId *id,
                           const uint8_t value[VTREE_SIGNATURE_SIZE], GError **error);
/* Adds a pkcs7 line with the SIZE bytes at PKCS7 (1 to VTREE_PKCS7_MAX), or replaces
 * that certificate's. Errors: VTREE_ERROR_LIMIT. */
bool vtree_signatures_add_pkcs7 (VtreeSignatures *signatures, const VtreeKeyId *id,
                                 const void *pkcs7, size_t size, GError **error);
/* Adds LINE, of another VtreeSignatures, if it is of a known kind, as _add does. */
bool vtree_signatures_add_line (VtreeSignatures *signatures,
                                const VtreeSignatureLine *line, GError **error);
/* Adds every line of OTHER; one by the same signer is replaced, as in _add. Errors:
 * VTREE_ERROR_LIMIT. */
bool vtree_signatures_merge (VtreeSignatures *signatures, const VtreeSignatures *other,
                             GError **error);
/* The file's bytes. */
GBytes *vtree_signatures_serialize (const VtreeSignatures *signatures);
