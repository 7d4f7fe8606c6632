/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the makers and the readers of Merkle trees agree on: where the blocks of a tree
 * stand, and what its root hash has to do with the digest (fs-verity's documentation in
 * the kernel; doc/formats.md, "Merkle file").
 *
 * Level 0 is the lowest, the hashes of the contents' blocks; each higher level has the
 * hashes of the blocks of the one below; the highest is one block, the root, which
 * comes first.
 */
#pragma once

#include "core/hash.h"

/* 2^63 bytes are 2^51 blocks; 64 hashes of SHA-512 a block make 9 levels of them. */
#define VTREE_MERKLE_LEVELS_MAX 10

typedef struct {
  unsigned count; /* levels; 0 for contents of at most one block */
  /* The number of each level's first block within the tree. */
  uint64_t start[VTREE_MERKLE_LEVELS_MAX];
  uint64_t blocks; /* of the whole tree */
} VtreeMerkleLevels;

/* 128, or 64 of SHA-512. */
size_t vtree_merkle_hashes_per_block (VtreeDigestAlg alg);

/* For contents of SIZE bytes. */
VtreeMerkleLevels vtree_merkle_levels (VtreeDigestAlg alg, uint64_t size);

/* VALUE = the fs-verity digest of contents of SIZE bytes whose tree has this root hash:
 * the hash of struct fsverity_descriptor (include/uapi/linux/fsverity.h). VALUE has
 * room for VTREE_DIGEST_MAX_SIZE bytes. False when OpenSSL fails. */
bool vtree_merkle_digest_of_root (VtreeHasher *hasher, VtreeDigestAlg alg,
                                  uint64_t size, const uint8_t *root, uint8_t *value);
