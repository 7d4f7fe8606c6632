/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to repack: what its parts share.
 *
 *   repack.c        the order of things
 *   repack-live.c   what is alive, and in which order
 *   repack-plan.c   which packs are folded, what moves
 */
#pragma once

#include "manifest/repack.h"

/* An object that is alive. */
typedef struct {
  VtreeDigest digest;
  uint64_t size;
  bool kept;     /* a pack that stays has it */
  bool folding;  /* a pack that goes has it */
  bool loose;    /* it is a file of its own */
  bool manifest; /* …and has to stay one */
  bool moved;    /* it is in its new place */
} VtreeRepackLive;

typedef struct {
  VtreeDigest name;
  uint64_t size, data_size; /* of its file, of its contents; bytes */
  uint64_t live_bytes;
  bool readable; /* and whole, where that was looked at */
  bool folds;
} VtreeRepackPack;

typedef struct {
  const VtreeRepo *repo;
  const VtreeRepackOptions *options;
  VtreeRepackResult *result;
  VtreeStore *store;
  bool all_sizes; /* objects of any size are looked for, not only small ones */
  uint32_t threshold;
  GPtrArray *order; /* VtreeRepackLive *, as the trees have them */
  GHashTable *live; /* digest -> the same, which it is in */
  GArray *packs;    /* VtreeRepackPack */
  bool unreadable;  /* one of them has an index that can't be read whole */
} VtreeRepack;

/* Opens the store of a repack that has the repository alone, makes the rest empty. */
bool vtree_repack_begin (VtreeRepack *repack, GError **error);
/* Frees what it holds; a zeroed one is fine. */
void vtree_repack_clear (VtreeRepack *repack);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeRepack, vtree_repack_clear)

/* Fills in order and live; RESULT (may be NULL) counts. Errors: VTREE_ERROR_CORRUPT,
 * VTREE_ERROR_MISSING for a manifest that a version needs. */
bool vtree_repack_find_live (VtreeRepack *repack, GError **error);

/* Fills in packs and decides which fold; says in live where each object is. */
bool vtree_repack_plan (VtreeRepack *repack, GError **error);

/* Lets packs fold that are many and small: sizes descending, each stays that is at
 * least twice as large as all smaller ones together. PACKS are readable. */
void vtree_repack_fold_small (GArray *packs);
