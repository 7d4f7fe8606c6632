/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding objects. A store is the objects/ (and merkle/, later packs/) of a repository,
 * or a bare directory of that layout. Thread-safe, immutable.
 */
#pragma once

#include "core/object.h"
#include "core/repo.h"

typedef struct VtreeStore VtreeStore;

/* Over a repository (borrowed descriptors are duplicated). */
VtreeStore *vtree_store_new (const VtreeRepo *repo, GError **error);
/* Over PATH: a repository, or a directory that itself holds ab/cdef… (mount's
 * objects=). */
VtreeStore *vtree_store_open (const char *path, VtreeDigestAlg alg, GError **error);
void vtree_store_free (VtreeStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeStore, vtree_store_free)

/* Opens the object named by SPEC. Errors: VTREE_ERROR_MISSING, _CORRUPT (also for what
 * is no regular file), _UNSUPPORTED. */
VtreeObject *vtree_store_open_object (const VtreeStore *store,
                                      const VtreeObjectSpec *spec, GError **error);

/* Calls EACH for every loose object name in the store, in no order; a false from it
 * stops. SIZE is the file's. Files whose name is no digest are passed over. */
typedef bool (*VtreeStoreEach) (void *context, const VtreeDigest *digest, uint64_t size,
                                GError **error);
bool vtree_store_foreach (const VtreeStore *store, VtreeStoreEach each, void *context,
                          GError **error);

/* Removes an object and its Merkle file; absence is no error. The caller holds the
 * repository's exclusive lock. */
bool vtree_store_remove (const VtreeStore *store, const VtreeDigest *digest,
                         GError **error);
