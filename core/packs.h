/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The packs of a store: which there are, and what they have. Packs come and go while a
 * store is in use (commits add them, repack and gc remove them); what is looked for and
 * not found is looked for again where the directory has changed. Thread-safe.
 */
#pragma once

#include "core/pack.h"

typedef struct VtreePacks VtreePacks;

/* Takes TOP_FD, the directory packs/; -1: there are none, and never will be. */
VtreePacks *vtree_packs_new_take (int top_fd, VtreeDigestAlg alg);
void vtree_packs_free (VtreePacks *packs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePacks, vtree_packs_free)

/* The directory, borrowed; -1: there is none. */
int vtree_packs_peek_fd (const VtreePacks *packs);

/* Looks at the directory if nobody has yet, or if it has changed since. Errors:
 * VTREE_ERRNO_ERROR. */
bool vtree_packs_refresh (VtreePacks *packs, GError **error);
/* A number that changes with the set of packs: after a search that found nothing and a
 * refresh it tells whether another search can find more. */
guint vtree_packs_generation (VtreePacks *packs);

/* Calls EACH for every copy of DIGEST in a pack, until it returns false; the pack is
 * valid during the call, or longer with a reference. What is no readable pack is passed
 * over. Looks at the directory only if nobody has yet. */
typedef bool (*VtreePacksEach) (void *context, VtreePack *pack, uint64_t index,
                                const VtreePackEntry *entry);
bool vtree_packs_find (VtreePacks *packs, const VtreeDigest *digest, uint64_t size,
                       VtreePacksEach each, void *context, GError **error);
/* for SIZE above */
#define VTREE_PACKS_ANY_SIZE UINT64_MAX

/* All names of packs in the directory (VtreeDigest), sorted; freed by the caller.
 * Always looks. */
GArray *vtree_packs_list (VtreePacks *packs, GError **error);
/* Opens the pack NAME, held by this set or not. Errors: as vtree_pack_new_take(),
 * VTREE_ERROR_MISSING. */
VtreePack *vtree_packs_open (VtreePacks *packs, const VtreeDigest *name,
                             GError **error);

/* Opens the pack NAME and calls EACH for its entries. *WHOLE false, and the result
 * true: it is no pack that can be read, or not to its end; EACH may have been called.
 * *PACK (may be NULL; a reference): what was opened, NULL where nothing could be.
 * Errors: those that are not the pack's fault. EACH returns true. */
bool vtree_packs_scan (VtreePacks *packs, const VtreeDigest *name, VtreePackEach each,
                       void *context, VtreePack **pack, bool *whole, GError **error);

/* Reads all of the pack NAME: its own digest, and its index. Errors:
 * VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING, VTREE_ERRNO_ERROR. */
bool vtree_packs_check (VtreePacks *packs, const VtreeDigest *name, GError **error);

/* Removes the pack NAME; absence is no error. The caller holds the repository's
 * exclusive lock. */
bool vtree_packs_remove (VtreePacks *packs, const VtreeDigest *name, GError **error);
