/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the layout of a Merkle tree and the descriptor above it. Reads and writes none.
 */
#include "core/merkle-levels.h"

#include "core/bytes.h"
#include "core/verity.h"
#include <string.h>

static uint64_t
div_up (uint64_t n, uint64_t by)
{
  return n / by + (n % by != 0);
}

size_t
vtree_merkle_hashes_per_block (VtreeDigestAlg alg)
{
  return VTREE_BLOCK_SIZE / vtree_digest_alg_size (alg);
}

VtreeMerkleLevels
vtree_merkle_levels (VtreeDigestAlg alg, uint64_t size)
{
  VtreeMerkleLevels levels = { 0 };
  uint64_t counts[VTREE_MERKLE_LEVELS_MAX] = { 0 };
  for (uint64_t n = div_up (size, VTREE_BLOCK_SIZE); n > 1; levels.count++) {
    g_assert (levels.count < VTREE_MERKLE_LEVELS_MAX);
    n = div_up (n, vtree_merkle_hashes_per_block (alg));
    counts[levels.count] = n;
  }
  for (unsigned level = levels.count; level-- > 0;) {
    levels.start[level] = levels.blocks;
    levels.blocks += counts[level];
  }
  return levels;
}

bool
vtree_merkle_digest_of_root (VtreeHasher *hasher, VtreeDigestAlg alg, uint64_t size,
                             const uint8_t *root, uint8_t *value)
{
  uint8_t descriptor[256] = {
    1,                 /* version */
    (uint8_t) alg, 12, /* log2 of the block size; no salt */
  };
  vtree_bytes_put_u64 (descriptor + 8, size);
  memcpy (descriptor + 16, root, vtree_digest_alg_size (alg));
  return vtree_hasher_hash (hasher, descriptor, sizeof descriptor, sizeof descriptor,
                            value);
}
