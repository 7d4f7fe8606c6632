/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the making of a Merkle tree. Sees no contents, only the hashes of their blocks.
 */
#include "core/merkle-build.h"

#include "core/merkle.h"
#include <string.h>

static bool
write_at (const VtreeMerkleBuild *build, const void *data, size_t size, uint64_t offset,
          GError **error)
{
  if (build->params.merkle_fd < 0
      || vtree_fd_pwrite (build->params.merkle_fd, data, size, offset, error))
    return true;
  g_prefix_error (error, "write Merkle file: ");
  return false;
}

bool
vtree_merkle_build_init (VtreeMerkleBuild *build, const VtreeVerityParams *params,
                         const EVP_MD *md, GError **error)
{
  uint8_t header[VTREE_MERKLE_HEADER_SIZE];
  *build = (VtreeMerkleBuild){ .params = *params };
  build->levels = vtree_merkle_levels (params->alg, params->size);
  g_assert (build->levels.count > 0);
  build->hash_size = vtree_digest_alg_size (params->alg);
  build->blocks = g_malloc_n (build->levels.count, VTREE_BLOCK_SIZE);
  if (!vtree_hasher_init (&build->hasher, md, error))
    return false;
  vtree_merkle_put_header (header, params->alg, params->size);
  return write_at (build, header, sizeof header, 0, error);
}

void
vtree_merkle_build_clear (VtreeMerkleBuild *build)
{
  vtree_hasher_clear (&build->hasher);
  g_clear_pointer (&build->blocks, g_free);
}

static uint8_t *
block_of (const VtreeMerkleBuild *build, unsigned level)
{
  return build->blocks + (size_t) level * VTREE_BLOCK_SIZE;
}

/* Ends the block that LEVEL is filling; HASH is then its hash. */
static bool
end_block (VtreeMerkleBuild *build, unsigned level, uint8_t *hash, GError **error)
{
  uint8_t *block = block_of (build, level);
  size_t filled = build->filled[level];
  uint64_t number = build->levels.start[level] + build->written[level]++;
  memset (block + filled, 0, VTREE_BLOCK_SIZE - filled);
  build->filled[level] = 0;
  if (!vtree_hasher_hash (&build->hasher, block, VTREE_BLOCK_SIZE, VTREE_BLOCK_SIZE,
                          hash))
    return vtree_error_set (error, VTREE_ERROR_FAILED, "hash a block: OpenSSL failed");
  return write_at (build, block, VTREE_BLOCK_SIZE,
                   VTREE_MERKLE_HEADER_SIZE + number * VTREE_BLOCK_SIZE, error);
}

/* Ends the block of LEVEL, and tells the level above of it, and so on as long as that
 * one is full then, or as ALL says. */
static bool
end_blocks (VtreeMerkleBuild *build, unsigned level, bool all, GError **error)
{
  for (; level < build->levels.count; level++) {
    uint8_t hash[VTREE_DIGEST_MAX_SIZE];
    if (build->filled[level] == 0)
      continue;
    if (!all && build->filled[level] < VTREE_BLOCK_SIZE)
      return true;
    if (!end_block (build, level, hash, error))
      return false;
    if (level + 1 == build->levels.count) {
      memcpy (build->root, hash, build->hash_size);
      return true;
    }
    memcpy (block_of (build, level + 1) + build->filled[level + 1], hash,
            build->hash_size);
    build->filled[level + 1] += build->hash_size;
  }
  return true;
}

bool
vtree_merkle_build_add (VtreeMerkleBuild *build, const uint8_t *hashes, size_t count,
                        GError **error)
{
  size_t size = count * build->hash_size;
  while (size > 0) {
    size_t n = MIN (size, VTREE_BLOCK_SIZE - build->filled[0]);
    memcpy (block_of (build, 0) + build->filled[0], hashes, n);
    build->filled[0] += n;
    hashes += n;
    size -= n;
    if (build->filled[0] == VTREE_BLOCK_SIZE && !end_blocks (build, 0, false, error))
      return false;
  }
  return true;
}

bool
vtree_merkle_build_finish (VtreeMerkleBuild *build, VtreeDigest *digest, GError **error)
{
  uint8_t value[VTREE_DIGEST_MAX_SIZE];
  if (!end_blocks (build, 0, true, error))
    return false;
  const VtreeMerkleLevels *levels = &build->levels;
  g_assert (build->written[levels->count - 1] == 1);
  if (!vtree_merkle_digest_of_root (&build->hasher, build->params.alg,
                                    build->params.size, build->root, value))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "hash a descriptor: OpenSSL failed");
  vtree_digest_init (digest, build->params.alg, value);
  return true;
}
