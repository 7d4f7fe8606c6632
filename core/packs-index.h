/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to packs: which of many packs may have an object. In memory, 8 bytes an
 * object, made when there are so many packs that asking each costs more; no more
 * trusted than the packs' own indices are.
 *
 *   index = vtree_packs_index_new ();
 *   vtree_packs_index_add (index, number, pack, &error)   for each pack
 *   vtree_packs_index_finish (index)
 *   vtree_packs_index_next (index, &digest, &cursor, &number)
 */
#pragma once

#include "core/pack.h"

typedef struct VtreePacksIndex VtreePacksIndex;

/* Packs, and objects in all of them, beyond which there is no index: 32 MiB. */
#define VTREE_PACKS_INDEX_PACKS 65536
#define VTREE_PACKS_INDEX_OBJECTS (UINT64_C (4) << 20)

/* Empty. */
VtreePacksIndex *vtree_packs_index_new (void);
void vtree_packs_index_free (VtreePacksIndex *index);

/* Takes in what PACK has, as pack NUMBER (below VTREE_PACKS_INDEX_PACKS); one whose own
 * index can't be read whole may have anything. *FULL: it would be too much. Errors:
 * those of vtree_pack_foreach() that are not the pack's fault. */
bool vtree_packs_index_add (VtreePacksIndex *index, uint32_t number,
                            const VtreePack *pack, bool *full, GError **error);
/* Before the first _next, after the last _add. */
void vtree_packs_index_finish (VtreePacksIndex *index);

/* The next pack that may have DIGEST: false if there is none. *CURSOR is 0 first. Not
 * all that are named have it. */
bool vtree_packs_index_next (const VtreePacksIndex *index, const VtreeDigest *digest,
                             uint64_t *cursor, uint32_t *number);
