/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which keys are trusted, for which refs, and which are revoked.
 *
 * keys.d: PEM files; one that stands in a subdirectory (a/b/key.pem) may sign only refs
 * under that prefix ("a/b", "a/b/c", never "a/bc"). revoked.d: PEM files, or files
 * named by a key id; a revocation in any of the directories beats every trusted key.
 * Every directory and file must belong to root or this user and be writable by no one
 * else, otherwise loading fails: a trust store that can't be read whole is no trust
 * store.
 */
#pragma once

#include "core/paths.h"
#include "core/signature.h"

typedef struct VtreeTrust VtreeTrust;

typedef struct {
  VtreeKeyId id;
  const char *path;   /* file it came from */
  const char *name;   /* file name without ".pem" */
  const char *prefix; /* "" for any ref */
  bool revoked;
} VtreeTrustKey;

/* Reads all directories of PATHS. KEY_FILE (may be NULL) replaces the keys.d
 * directories, never the revocations. */
VtreeTrust *vtree_trust_load (const VtreePaths *paths, const char *key_file,
                              GError **error);
void vtree_trust_free (VtreeTrust *trust);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeTrust, vtree_trust_free)
size_t vtree_trust_count (const VtreeTrust *trust);
/* Borrowed. */
const VtreeTrustKey *vtree_trust_peek (const VtreeTrust *trust, size_t index);

/* Finds a signature over MESSAGE (SIZE bytes) by a trusted, unrevoked key that may sign
 * REF. *KEY is borrowed from TRUST. Errors, each with a message of its own, all
 * VTREE_ERROR_UNTRUSTED: no signature, none by a trusted key, key revoked, key limited
 * to another prefix, signature does not match the bytes. */
bool vtree_trust_verify (const VtreeTrust *trust, const char *ref, const void *message,
                         size_t size, const VtreeSignatures *signatures,
                         const VtreeTrustKey **key, GError **error);

/* Whether KEY's prefix covers REF. */
bool vtree_trust_key_covers (const VtreeTrustKey *key, const char *ref);
