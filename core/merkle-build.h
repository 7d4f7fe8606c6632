/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a Merkle tree and the fs-verity digest over it from the hashes of the blocks
 * of the contents, which come in order. Memory: one block a level.
 *
 *   g_auto (VtreeMerkleBuild) build = { 0 };
 *   if (!vtree_merkle_build_init (&build, &params, md, error)) …
 *   while (…) if (!vtree_merkle_build_add (&build, hashes, count, error)) …
 *   ok = vtree_merkle_build_finish (&build, &digest, error);
 */
#pragma once

#include "core/hash.h"
#include "core/merkle-levels.h"
#include "core/verity.h"

typedef struct {
  VtreeVerityParams params; /* merkle_fd is borrowed */
  VtreeHasher hasher;
  VtreeMerkleLevels levels;
  size_t hash_size;
  uint8_t *blocks; /* of each level the one that is being filled; owned */
  size_t filled[VTREE_MERKLE_LEVELS_MAX];    /* bytes of it */
  uint64_t written[VTREE_MERKLE_LEVELS_MAX]; /* blocks of the level before it */
  uint8_t root[VTREE_DIGEST_MAX_SIZE];
} VtreeMerkleBuild;

/* For contents of more than one block, as PARAMS has it. MD must outlive BUILD. */
bool vtree_merkle_build_init (VtreeMerkleBuild *build, const VtreeVerityParams *params,
                              const EVP_MD *md, GError **error);
void vtree_merkle_build_clear (VtreeMerkleBuild *build);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeMerkleBuild, vtree_merkle_build_clear)

/* The hashes of the next COUNT blocks of the contents, one behind the other. */
bool vtree_merkle_build_add (VtreeMerkleBuild *build, const uint8_t *hashes,
                             size_t count, GError **error);

/* All blocks have been added. */
bool vtree_merkle_build_finish (VtreeMerkleBuild *build, VtreeDigest *digest,
                                GError **error);
