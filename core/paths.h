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
void vtree_paths_free (VtreePaths *paths);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePaths, vtree_paths_free)

/* True if the effective uid was 0. */
bool vtree_paths_is_root (const VtreePaths *paths);
/* /var/lib/vtree/repo or $XDG_DATA_HOME/vtree/repo ($VTREE_REPO is the cli's). */
const char *vtree_paths_repo (const VtreePaths *paths);
/* /var/lib/vtree/marks or $XDG_STATE_HOME/vtree/marks. */
const char *vtree_paths_marks (const VtreePaths *paths);
/* /etc/vtree/private or $XDG_CONFIG_HOME/vtree/private. */
const char *vtree_paths_private (const VtreePaths *paths);
/* Where this user's own trusted keys go: /etc/vtree/keys.d or $XDG_CONFIG_HOME/…; the
 * revocations are beside it in revoked.d. */
const char *vtree_paths_keys (const VtreePaths *paths);
const char *vtree_paths_revoked (const VtreePaths *paths);
/* All keys.d directories that are read, NULL-terminated; likewise revoked.d. */
const char *const *vtree_paths_all_keys (const VtreePaths *paths);
const char *const *vtree_paths_all_revoked (const VtreePaths *paths);
/* vtree.conf files in the order of precedence, NULL-terminated. */
const char *const *vtree_paths_settings (const VtreePaths *paths);

/* Opens DIR, made with its missing parents (0700 for a user's, 0755 for system ones,
 * private and marks 0700) if MAKE. Checks that it belongs to root or this user and that
 * nobody else can write to it. Returns an owned descriptor, or -1; *MISSING (may be
 * NULL only with MAKE) tells absence from an error. */
int vtree_paths_open_directory (const char *dir, bool make, bool *missing,
                                GError **error);
