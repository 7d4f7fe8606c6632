/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which keys are trusted, for which refs, and which are revoked.
 *
 * keys.d: files NAME.pem, one public key each; one that stands in a subdirectory
 * (a/b/key.pem) may sign only refs under that prefix ("a/b", "a/b/c", never "a/bc").
 * The same key in several files may sign what any of them allows. Files with other
 * names are ignored (editors' backups, a README).
 *
 * revoked.d: files NAME.pem, or files named by a key id (64 hexadecimal digits,
 * contents ignored), at any depth: a revocation is for every ref, in any of the
 * directories, and beats every trusted key. A file of another name is an error, because
 * a revocation must not be overlooked; names that end in "~" are backups.
 *
 * In both, names that begin with a dot are ignored, and symlinks inside are an error
 * (the directories themselves may be symlinks). Every directory and file that counts
 * must belong to root or this user and be writable by no one else. Otherwise loading
 * fails: a trust store that can't be read whole is no trust store.
 */
#pragma once

#include "core/paths.h"
#include "core/signature.h"

typedef struct VtreeTrust VtreeTrust;

/* One file of keys.d, or a revocation of a key that no file of keys.d has (then path is
 * the revocation's). */
typedef struct {
  VtreeKeyId id;
  const char *path;       /* file it came from */
  const char *name;       /* file name without ".pem" */
  const char *prefix;     /* "" for any ref */
  const char *revoked_by; /* path of the revocation; NULL if it is not revoked */
  bool revoked;
} VtreeTrustKey;

/* Reads all directories of PATHS. KEY_FILE (may be NULL), one PEM public key for any
 * ref, replaces the keys.d directories, never the revocations; it may be a symlink, and
 * its owner and mode are checked as theirs. Errors: VTREE_ERROR_UNTRUSTED,
 * VTREE_ERROR_MISSING and VTREE_ERROR_INVALID (KEY_FILE), VTREE_ERRNO_ERROR. */
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
