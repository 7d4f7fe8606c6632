/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The user's own keys as files: private ones (NAME.pem in the private directory), and
 * the user's own keys.d, certs.d and revoked.d as places to write to. Who is trusted is
 * judged by core/trust.h alone.
 */
#pragma once

#include "core/anchor.h"
#include "core/paths.h"
#include "core/trust.h"

/* The name of a key that nobody named. */
#define VTREE_KEYRING_DEFAULT "default"

/* Fewest digits of an abbreviated key id. */
#define VTREE_KEYRING_ID_MIN 8

/* Names of the private keys, sorted, NULL-terminated; empty without a directory. */
char **vtree_keyring_names (const VtreePaths *paths, GError **error);

/* The contents of the PEM file FILE, a path, or of standard input for "-", at most
 * VTREE_KEY_FILE_MAX bytes. Errors: VTREE_ERRNO_ERROR, VTREE_ERROR_LIMIT. */
GBytes *vtree_keyring_read (const char *file, GError **error);

/* Loads the private key NAME, or for NULL the only one, or "default". Errors:
 * VTREE_ERROR_MISSING (none of that name; none at all), VTREE_ERROR_INVALID (several
 * and none is the default: choose with --key). */
VtreePrivateKey *vtree_keyring_load (const VtreePaths *paths, const char *name,
                                     GError **error);

/* The id of the private key NAME. */
bool vtree_keyring_id (const VtreePaths *paths, const char *name, VtreeKeyId *id,
                       GError **error);

/* Makes the private key NAME, never over another file, and trusts its public key for
 * all refs. *PRIVATE_PATH and *PUBLIC_PATH (to be freed) say where. If the trust
 * can't be written, no key is left behind. */
bool vtree_keyring_generate (const VtreePaths *paths, const char *name, VtreeKeyId *id,
                             char **private_path, char **public_path, GError **error);

/* Puts ANCHOR into the directory TRUST_DIR (a keys.d or certs.d, as it is a key or a
 * certificate), below PREFIX unless that is NULL, as NAME.pem, or as NAME-<id>.pem
 * where NAME.pem is another one. *PATH (to be freed) is where it now stands, be it new
 * or not. */
bool vtree_keyring_trust (const char *trust_dir, const char *prefix, const char *name,
                          const VtreeAnchor *anchor, char **path, GError **error);

/* The id that TEXT means: 64 hex digits, or the first 8 or more of exactly one key or
 * certificate in TRUST or key among the private ones. Errors: VTREE_ERROR_INVALID,
 * VTREE_ERROR_MISSING. */
bool vtree_keyring_find_id (const VtreePaths *paths, const VtreeTrust *trust,
                            const char *text, VtreeKeyId *id, GError **error);

/* Writes the revocation of ID to the user's own revoked.d; *PATH says where. */
bool vtree_keyring_revoke (const VtreePaths *paths, const VtreeKeyId *id, char **path,
                           GError **error);
