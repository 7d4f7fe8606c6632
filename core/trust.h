/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which keys and certificates are trusted, for which refs, and which are revoked.
 *
 * keys.d: files NAME.pem, one public key each; one that stands in a subdirectory
 * (a/b/key.pem) may sign only refs under that prefix ("a/b", "a/b/c", never "a/bc").
 * The same key in several files may sign what any of them allows. Files with other
 * names are ignored (editors' backups, a README).
 *
 * certs.d: the same for certificates. Each is an anchor by itself, pinned by its
 * digest: none vouches for another, and the system's certificates are never asked. A
 * certificate's dates are shown, not judged: who stole its key writes any date into a
 * statement, and by the clock good releases would fail one day. Who is no longer
 * trusted is taken out or revoked.
 *
 * revoked.d: files NAME.pem, a public key or a certificate, or files named by the id of
 * either (64 hexadecimal digits, contents ignored), at any depth: a revocation is for
 * every ref, in any of the directories, and beats all trust. That of an Ed25519 key is
 * for the certificates with that key too; that of a certificate is for it alone. A file
 * of another name is an error, because a revocation must not be overlooked; names that
 * end in "~" are backups.
 *
 * In all of them, names that begin with a dot are ignored, and symlinks inside are an
 * error (the directories themselves may be symlinks). Every directory and file that
 * counts must belong to root or this user and be writable by no one else. Otherwise
 * loading fails: a trust store that can't be read whole is no trust store.
 */
#pragma once

#include "core/certificate.h"
#include "core/paths.h"
#include "core/signature.h"

typedef struct VtreeTrust VtreeTrust;

/* One file of keys.d or certs.d, or a revocation of what none of them has (then path is
 * the revocation's). */
typedef struct {
  VtreeKeyId id;          /* of the key or the certificate */
  const char *kind;       /* VTREE_SIGNATURE_ED25519, _PKCS7; NULL: revoked by its id */
  const char *path;       /* file it came from */
  const char *name;       /* file name without ".pem" */
  const char *prefix;     /* "" for any ref */
  const char *revoked_by; /* path of the revocation; NULL if it is not revoked */
  bool revoked;
  const VtreeCertificate *certificate; /* NULL for a key */
} VtreeTrustKey;

/* Reads all directories of PATHS. KEY_FILE (may be NULL), one PEM public key or
 * certificate for any ref, replaces keys.d and certs.d, never the revocations; it may
 * be a symlink, and its owner and mode are checked as theirs. Errors:
 * VTREE_ERROR_UNTRUSTED, VTREE_ERROR_MISSING and VTREE_ERROR_INVALID (KEY_FILE),
 * VTREE_ERRNO_ERROR. */
VtreeTrust *vtree_trust_load (const VtreePaths *paths, const char *key_file,
                              GError **error);
void vtree_trust_free (VtreeTrust *trust);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeTrust, vtree_trust_free)
size_t vtree_trust_count (const VtreeTrust *trust);
/* Borrowed. */
const VtreeTrustKey *vtree_trust_peek (const VtreeTrust *trust, size_t index);

/* Finds a signature over MESSAGE (SIZE bytes, not empty) by a trusted, unrevoked key or
 * certificate that may sign REF. *KEY is borrowed from TRUST. Errors, each with a
 * message of its own, all VTREE_ERROR_UNTRUSTED: no signature, none by a trusted key,
 * key revoked, key limited to another prefix, signature does not match the bytes. */
bool vtree_trust_verify (const VtreeTrust *trust, const char *ref, const void *message,
                         size_t size, const VtreeSignatures *signatures,
                         const VtreeTrustKey **key, GError **error);

/* Whether KEY's prefix covers REF. */
bool vtree_trust_key_covers (const VtreeTrustKey *key, const char *ref);
