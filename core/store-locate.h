/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to core: where an object's bytes lie. Nothing of what is found is verified.
 */
#pragma once

#include "core/store.h"

typedef struct {
  VtreeFd fd;        /* the contents, read-only, a regular file; -1: not in the store */
  VtreeFd merkle_fd; /* -1: none */
  uint64_t size;     /* of the file, bytes */
} VtreeLocated;

#define VTREE_LOCATED_INIT                                                             \
  {                                                                                    \
    -1, -1, 0                                                                          \
  }

/* Closes both. */
void vtree_located_clear (VtreeLocated *located);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeLocated, vtree_located_clear)

/* WITH_MERKLE: look for the Merkle file too, where the size says that there is one.
 * Errors: VTREE_ERROR_CORRUPT (no regular file, or a path that leads elsewhere),
 * VTREE_ERRNO_ERROR. */
bool vtree_store_locate (const VtreeStore *store, const VtreeDigest *digest,
                         bool with_merkle, VtreeLocated *located, GError **error);

/* Looks at a store that changes under our hands. */
#define VTREE_STORE_ATTEMPTS 4

/* *CHANGED: packs have come or gone since *GENERATION was that of the set; then another
 * look may find what this one has not. */
bool vtree_store_has_changed (const VtreeStore *store, guint generation, bool *changed,
                              GError **error);
