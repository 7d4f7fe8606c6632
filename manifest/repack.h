/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folding packs together: what is alive in packs that have too much that is not, or
 * that are many and small, and what is small and still a file of its own, goes into one
 * new pack, in the order of the trees. Changes no digest and needs no key; mounts go
 * on.
 *
 * Alive is what any manifest in the repository names, whether a ref leads to it or not:
 * a gc before it makes it thorough.
 */
#pragma once

#include "core/ingest.h"
#include "core/store.h"
#include "manifest/ref.h"

#define VTREE_REPACK_MIN_LIVE 70

typedef struct {
  unsigned min_live;  /* per cent of a pack's contents, 0 to 100; a pack that has less
                         alive is folded */
  bool all;           /* fold every pack */
  bool check;         /* read every pack, and fold those that are damaged */
  bool has_threshold; /* else the repository's own word */
  uint32_t
    threshold;  /* bytes, to VTREE_PACK_OBJECT_MAX; what is larger becomes a file of
                         its own if its pack is folded */
  bool dry_run; /* count alone */
  int wait;     /* seconds for the exclusive lock, -1: for ever */
  VtreeVerityPolicy verity;
  const VtreeObjectSigner *signer; /* built-in signatures; NULL: none */
  /* Called for each object that is damaged, and so stays where it is; may be NULL. */
  void (*damaged) (void *context, const char *object, const char *message);
  void *context;
} VtreeRepackOptions;

typedef struct {
  uint64_t packs_before, packs_after;
  uint64_t folded;       /* packs that are gone (dry_run: would be), for the new one */
  uint64_t moved;        /* objects in the new pack that were files of their own */
  uint64_t unpacked;     /* the other way */
  uint64_t bytes_before; /* sizes of packs and of small objects' own files */
  uint64_t bytes_after;  /* dry_run: 0 */
  uint64_t damaged;      /* objects without a good copy */
} VtreeRepackResult;

/* Killed at any moment it leaves everything readable, at worst twice. A damaged object
 * keeps the pack that it is in. A manifest that a version needs, or that a mount holds,
 * and that can't be read ends it before anything goes. Errors: VTREE_ERROR_BUSY for the
 * lock, VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING, VTREE_ERRNO_ERROR (ENOSPC: nothing is
 * lost). */
bool vtree_repack (const VtreeRepo *repo, const VtreeRepackOptions *options,
                   VtreeRepackResult *result, GError **error);

/* Whether there are so many packs that folding them would pay, by their sizes alone:
 * *FOLDED, how many. */
bool vtree_repack_pays (const VtreeStore *store, bool *pays, uint64_t *folded,
                        GError **error);
