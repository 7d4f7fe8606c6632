/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a user's own files lie. Root uses the system directories whatever HOME and
 * XDG_* say; a user's come from absolute XDG_* variables or else from getpwuid(3)'s
 * home.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct VtreePaths VtreePaths;

/* For the effective uid. Errors: VTREE_ERROR_FAILED if a user has no home. */
VtreePaths *vtree_paths_new (GError **error);
/* Root's places as they lie below DIR (absolute; "" for the running system): another
 * system's tree, a test's. */
VtreePaths *vtree_paths_new_for_system (const char *dir);
/* A plain user's places with the home directory HOME (absolute), NULL where there is
 * none: then every XDG_* variable is needed, else VTREE_ERROR_FAILED. */
VtreePaths *vtree_paths_new_for_user (const char *home, GError **error);
void vtree_paths_free (VtreePaths *paths);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePaths, vtree_paths_free)

/* True if the effective uid was 0. */
bool vtree_paths_is_root (const VtreePaths *paths);
/* /var/lib/vtree/repo or $XDG_DATA_HOME/vtree/repo ($VTREE_REPO is the cli's). */
const char *vtree_paths_repo (const VtreePaths *paths);
/* /var/lib/vtree/marks or $XDG_STATE_HOME/vtree/marks. */
const char *vtree_paths_marks (const VtreePaths *paths);
/* The log of what this user has sealed: /var/lib/vtree/sealed or
 * $XDG_STATE_HOME/vtree/sealed. */
const char *vtree_paths_sealed (const VtreePaths *paths);
/* Where deployments are: /var/lib/vtree/deploy or $XDG_DATA_HOME/vtree/deploy. */
const char *vtree_paths_deploy (const VtreePaths *paths);
/* What can be lost at any time: /var/lib/vtree/cache or $XDG_CACHE_HOME/vtree. */
const char *vtree_paths_cache (const VtreePaths *paths);
/* The user's home directory, absolute; NULL for root, whose files go by their absolute
 * paths, and where there is none. */
const char *vtree_paths_home (const VtreePaths *paths);
/* /etc/vtree/private or $XDG_CONFIG_HOME/vtree/private. */
const char *vtree_paths_private (const VtreePaths *paths);
/* Where this user's own trusted keys go: /etc/vtree/keys.d or $XDG_CONFIG_HOME/…; the
 * certificates are beside it in certs.d, the revocations in revoked.d. */
const char *vtree_paths_keys (const VtreePaths *paths);
const char *vtree_paths_certificates (const VtreePaths *paths);
const char *vtree_paths_revoked (const VtreePaths *paths);
/* All keys.d directories that are read, NULL-terminated; likewise certs.d,
 * revoked.d. */
const char *const *vtree_paths_all_keys (const VtreePaths *paths);
const char *const *vtree_paths_all_certificates (const VtreePaths *paths);
const char *const *vtree_paths_all_revoked (const VtreePaths *paths);
/* vtree.conf files in the order of precedence, NULL-terminated. */
const char *const *vtree_paths_settings (const VtreePaths *paths);

/* Opens DIR (absolute; symlinks on the way to it are followed), made with its missing
 * parents if MAKE: what is made is 0755 for root and 0700 for a user, the directory
 * itself always 0700 unless it is, or is beneath, a keys.d, certs.d or revoked.d.
 * Checks it, and the one that it is in, with vtree_paths_check_owner(). Returns an
 * owned descriptor, or -1; *MISSING (may be NULL only with MAKE) tells absence from an
 * error. */
int vtree_paths_open_directory (const char *dir, bool make, bool *missing,
                                GError **error);

/* Opens the regular file FILE (absolute) read-only, checked likewise, with the
 * directory that it is in; where that can't be relied on, neither can the file's
 * absence. Returns an owned descriptor, or -1; *MISSING as above. VTREE_ERROR_INVALID:
 * no regular file. */
int vtree_paths_open_file (const char *file, bool *missing, GError **error);

/* Set by who has checked all of the system's directories and files above, and then has
 * entered a user namespace that has no root: in there root's uid reads as the overflow
 * uid, which is taken for root's as long as this stands in the environment. */
#define VTREE_PATHS_CHECKED_ENV "VTREE_OWNERS_CHECKED"

/* True if what FD is open on belongs to root or the effective user and neither group
 * nor others may write to it (the group bits are an ACL's mask, so ACLs are covered).
 * Else VTREE_ERROR_UNTRUSTED with what to do; PATH is for the message. */
bool vtree_paths_check_owner (int fd, const char *path, GError **error);
