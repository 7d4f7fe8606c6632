/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a manifest reaches: for gc and fsck, which judge objects by it and so look at no
 * manifest that has not passed the full check.
 */
#pragma once

#include "core/store.h"
#include "manifest/view.h"

/* Opens the manifest DIGEST of SIZE bytes, every block of it verified, and checks it.
 * Errors: VTREE_ERROR_MISSING, VTREE_ERROR_CORRUPT, VTREE_ERROR_UNSUPPORTED. */
VtreeView *vtree_reach_open (const VtreeStore *store, const VtreeDigest *digest,
                             uint64_t size, GError **error);

/* Says in ERROR (may be NULL, as with g_prefix_error()) that it was the manifest
 * DIGEST, in the place of the object of that digest, if that is named already. */
void vtree_reach_prefix_error (GError **error, const VtreeDigest *digest);

/* Calls EACH for every object that VIEW names; a false from it stops. */
bool vtree_reach_foreach (VtreeView *view, VtreeStoreEach each, void *context,
                          GError **error);

/* A set of digests: VtreeDigest *, owned by the table. */
GHashTable *vtree_digest_set_new (void);
/* True if DIGEST was not in SET before. */
bool vtree_digest_set_add (GHashTable *set, const VtreeDigest *digest);
