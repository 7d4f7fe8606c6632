/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the Merkle file's layout and the walk from a block up to the digest. May not
 * read the contents: they are handed in. Layout: doc/formats.md, "Merkle file".
 */
#include "core/merkle.h"

#include "core/hash.h"
#include "core/merkle-levels.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

/* Hash blocks kept for one file: a sequential reader needs one of each level. */
#define CACHE_BLOCKS 16
#define NO_BLOCK UINT64_MAX

/* Verified hash blocks, the least recently used goes first. */
typedef struct {
  GMutex lock; /* for all below; held for copying, not for reading or hashing */
  uint64_t clock;
  uint64_t block[CACHE_BLOCKS]; /* number within the tree, or NO_BLOCK */
  uint64_t used[CACHE_BLOCKS];
  uint8_t *data[CACHE_BLOCKS]; /* NULL until first needed */
} Cache;

typedef struct {
  VtreeMerkleLevels levels;
  GRWLock lock; /* for the descriptor, which _replace_take () changes */
  VtreeFd fd;
  atomic_bool damaged;
  Cache cache;
} Tree;

struct VtreeMerkle {
  VtreeDigest digest; /* of the contents */
  EVP_MD *md;
  size_t hash_size;
  uint64_t size; /* of the contents, bytes */
  uint8_t root_hash[VTREE_DIGEST_MAX_SIZE];
  uint8_t *leaves; /* the hash of each block of the contents, or NULL: then */
  Tree *tree;      /* is there */
};

static uint64_t
div_up (uint64_t n, uint64_t by)
{
  return n / by + (n % by != 0);
}

uint64_t
vtree_merkle_file_size (VtreeDigestAlg alg, uint64_t size)
{
  VtreeMerkleLevels levels = vtree_merkle_levels (alg, size);
  if (levels.count == 0)
    return 0;
  return VTREE_MERKLE_HEADER_SIZE + levels.blocks * VTREE_BLOCK_SIZE;
}

void
vtree_merkle_put_header (uint8_t header[VTREE_MERKLE_HEADER_SIZE], VtreeDigestAlg alg,
                         uint64_t size)
{
  memset (header, 0, VTREE_MERKLE_HEADER_SIZE);
  memcpy (header, VTREE_MERKLE_MAGIC, 8);
  vtree_bytes_put_u32 (header + 8, VTREE_MERKLE_VERSION);
  vtree_bytes_put_u32 (header + 12, (uint32_t) alg);
  vtree_bytes_put_u64 (header + 16, size);
}

static bool
set_hash_failed (GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_FAILED, "hash a block: OpenSSL failed");
}

/* Whether this root hash leads to the digest. */
static bool
check_root_hash (const VtreeMerkle *merkle, VtreeHasher *hasher, GError **error)
{
  uint8_t value[VTREE_DIGEST_MAX_SIZE];
  if (!vtree_merkle_digest_of_root (hasher, merkle->digest.alg, merkle->size,
                                    merkle->root_hash, value))
    return set_hash_failed (error);
  if (memcmp (value, merkle->digest.value, merkle->hash_size) == 0)
    return true;
  VtreeDigest found;
  char expected_text[VTREE_DIGEST_TEXT_MAX], found_text[VTREE_DIGEST_TEXT_MAX];
  vtree_digest_init (&found, merkle->digest.alg, value);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "expected %s, found %s",
                          vtree_digest_format (&merkle->digest, expected_text),
                          vtree_digest_format (&found, found_text));
}

static VtreeMerkle *
merkle_new (const VtreeDigest *digest, uint64_t size, GError **error)
{
  EVP_MD *md = vtree_hash_fetch (digest->alg, error);
  if (md == NULL)
    return NULL;
  VtreeMerkle *merkle = g_new0 (VtreeMerkle, 1);
  merkle->digest = *digest;
  merkle->md = md;
  merkle->hash_size = vtree_digest_alg_size (digest->alg);
  merkle->size = size;
  return merkle;
}

static Tree *
tree_new_take (int fd, const VtreeMerkleLevels *levels)
{
  Tree *tree = g_new0 (Tree, 1);
  tree->levels = *levels;
  tree->fd = fd;
  g_rw_lock_init (&tree->lock);
  g_mutex_init (&tree->cache.lock);
  for (unsigned i = 0; i < CACHE_BLOCKS; i++)
    tree->cache.block[i] = NO_BLOCK;
  return tree;
}

static void
tree_free (Tree *tree)
{
  if (tree == NULL)
    return;
  for (unsigned i = 0; i < CACHE_BLOCKS; i++)
    g_free (tree->cache.data[i]);
  g_mutex_clear (&tree->cache.lock);
  g_rw_lock_clear (&tree->lock);
  vtree_fd_close (tree->fd);
  g_free (tree);
}

void
vtree_merkle_free (VtreeMerkle *merkle)
{
  if (merkle == NULL)
    return;
  tree_free (merkle->tree);
  EVP_MD_free (merkle->md);
  g_free (merkle->leaves);
  g_free (merkle);
}

/* A piece of one hash block. */
typedef struct {
  uint64_t block; /* within the tree */
  size_t offset;  /* bytes within the block */
  size_t size;
} Piece;

/* Copies PIECE to OUT if its block is in the cache. */
static bool
cache_get (Cache *cache, Piece piece, uint8_t *out)
{
  bool found = false;
  g_mutex_lock (&cache->lock);
  for (unsigned i = 0; i < CACHE_BLOCKS && !found; i++) {
    found = cache->block[i] == piece.block;
    if (found) {
      cache->used[i] = ++cache->clock;
      memcpy (out, cache->data[i] + piece.offset, piece.size);
    }
  }
  g_mutex_unlock (&cache->lock);
  return found;
}

/* Where BLOCK is to be kept: the root in the first place, for good, another one instead
 * of what was not used for longest. The caller holds the lock. */
static unsigned
choose_place (const Cache *cache, uint64_t block)
{
  if (block == 0)
    return 0;
  unsigned oldest = 1;
  for (unsigned i = 2; i < CACHE_BLOCKS; i++) {
    if (cache->used[i] < cache->used[oldest])
      oldest = i;
  }
  return oldest;
}

/* Remembers a verified hash block. Two threads may both do so: the same bytes. */
static void
cache_put (Cache *cache, uint64_t block, const uint8_t *data)
{
  g_mutex_lock (&cache->lock);
  unsigned i = choose_place (cache, block);
  if (cache->data[i] == NULL)
    cache->data[i] = g_malloc (VTREE_BLOCK_SIZE);
  memcpy (cache->data[i], data, VTREE_BLOCK_SIZE);
  cache->block[i] = block;
  cache->used[i] = ++cache->clock;
  g_mutex_unlock (&cache->lock);
}

static bool
set_damaged (Tree *tree, uint64_t block, GError **error)
{
  atomic_store (&tree->damaged, true);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "Merkle file: hash block %" G_GUINT64_FORMAT " is wrong",
                          block);
}

bool
vtree_merkle_is_damaged (const VtreeMerkle *merkle)
{
  return merkle->tree != NULL && atomic_load (&merkle->tree->damaged);
}

static bool
read_hash_block (Tree *tree, uint64_t block, uint8_t *data, GError **error)
{
  size_t got;
  uint64_t offset = VTREE_MERKLE_HEADER_SIZE + block * VTREE_BLOCK_SIZE;
  g_rw_lock_reader_lock (&tree->lock);
  bool ok = vtree_fd_pread (tree->fd, data, VTREE_BLOCK_SIZE, offset, &got, error);
  g_rw_lock_reader_unlock (&tree->lock);
  if (!ok) {
    atomic_store (&tree->damaged, true);
    g_prefix_error (error, "Merkle file: ");
    return false;
  }
  return got == VTREE_BLOCK_SIZE || set_damaged (tree, block, error);
}

static bool get_hashes (VtreeMerkle *merkle, VtreeHasher *hasher, unsigned level,
                        uint64_t first, size_t count, uint8_t *out, GError **error);

/* Reads hash block INDEX of LEVEL into DATA and checks it against the level above. */
static bool
load_hash_block (VtreeMerkle *merkle, VtreeHasher *hasher, unsigned level,
                 uint64_t index, uint8_t *data, GError **error)
{
  Tree *tree = merkle->tree;
  uint64_t block = tree->levels.start[level] + index;
  uint8_t expected[VTREE_DIGEST_MAX_SIZE], found[VTREE_DIGEST_MAX_SIZE];
  if (level + 1 == tree->levels.count)
    memcpy (expected, merkle->root_hash, merkle->hash_size);
  else if (!get_hashes (merkle, hasher, level + 1, index, 1, expected, error))
    return false;
  if (!read_hash_block (tree, block, data, error))
    return false;
  if (!vtree_hasher_hash (hasher, data, VTREE_BLOCK_SIZE, VTREE_BLOCK_SIZE, found))
    return set_hash_failed (error);
  if (memcmp (expected, found, merkle->hash_size) != 0)
    return set_damaged (tree, block, error);
  cache_put (&tree->cache, block, data);
  return true;
}

/* OUT = COUNT verified hashes of LEVEL from number FIRST on, all in one hash block. */
static bool
get_hashes (VtreeMerkle *merkle, VtreeHasher *hasher, unsigned level, uint64_t first,
            size_t count, uint8_t *out, GError **error)
{
  uint64_t per_block = vtree_merkle_hashes_per_block (merkle->digest.alg);
  uint64_t index = first / per_block;
  Piece piece = {
    .block = merkle->tree->levels.start[level] + index,
    .offset = (size_t) (first % per_block) * merkle->hash_size,
    .size = count * merkle->hash_size,
  };
  if (cache_get (&merkle->tree->cache, piece, out))
    return true;
  uint8_t data[VTREE_BLOCK_SIZE];
  if (!load_hash_block (merkle, hasher, level, index, data, error))
    return false;
  memcpy (out, data + piece.offset, piece.size);
  return true;
}

/* The hashes of COUNT blocks of the contents, at most one hash block's worth. */
static bool
get_leaves (VtreeMerkle *merkle, VtreeHasher *hasher, uint64_t first, size_t count,
            uint8_t *out, GError **error)
{
  if (merkle->leaves == NULL)
    return get_hashes (merkle, hasher, 0, first, count, out, error);
  memcpy (out, merkle->leaves + (size_t) first * merkle->hash_size,
          count * merkle->hash_size);
  return true;
}

static bool
check_blocks (const VtreeMerkle *merkle, VtreeHasher *hasher, uint64_t first,
              const uint8_t *data, VtreeSpan hashes, GError **error)
{
  size_t count = hashes.size / merkle->hash_size;
  size_t good = 0;
  uint8_t found[VTREE_BLOCK_SIZE];
  g_assert (hashes.size <= sizeof found);
  if (!vtree_hasher_hash_blocks (hasher, data, count, found))
    return set_hash_failed (error);
  if (memcmp (found, hashes.data, hashes.size) == 0)
    return true;
  while (memcmp (found + good * merkle->hash_size,
                 hashes.data + good * merkle->hash_size, merkle->hash_size)
         == 0)
    good++;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "block %" G_GUINT64_FORMAT " is wrong", first + good);
}

bool
vtree_merkle_verify (VtreeMerkle *merkle, uint64_t first, const uint8_t *data,
                     size_t count, GError **error)
{
  uint64_t blocks = div_up (merkle->size, VTREE_BLOCK_SIZE);
  g_assert (first <= blocks && count <= blocks - first);
  g_auto (VtreeHasher) hasher = { 0 };
  if (!vtree_hasher_init (&hasher, merkle->md, error))
    return false;
  size_t per_block = vtree_merkle_hashes_per_block (merkle->digest.alg);
  while (count > 0) {
    size_t n = MIN (count, per_block - (size_t) (first % per_block));
    uint8_t hashes[VTREE_BLOCK_SIZE];
    if (!get_leaves (merkle, &hasher, first, n, hashes, error))
      return false;
    VtreeSpan span = { hashes, n * merkle->hash_size };
    if (!check_blocks (merkle, &hasher, first, data, span, error))
      return false;
    first += n;
    count -= n;
    data += n * VTREE_BLOCK_SIZE;
  }
  return true;
}

/* Reads and checks the header, and the root block into ROOT. */
static bool
read_top (const VtreeMerkle *merkle, int fd, uint8_t *root, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  uint64_t expected = vtree_merkle_file_size (merkle->digest.alg, merkle->size);
  if (!S_ISREG (st.st_mode) || (uint64_t) st.st_size != expected)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "not a file of %" G_GUINT64_FORMAT " bytes", expected);
  uint8_t top[VTREE_MERKLE_HEADER_SIZE + VTREE_BLOCK_SIZE];
  size_t got;
  if (!vtree_fd_pread (fd, top, sizeof top, 0, &got, error))
    return false;
  uint8_t header[VTREE_MERKLE_HEADER_SIZE];
  vtree_merkle_put_header (header, merkle->digest.alg, merkle->size);
  if (got != sizeof top || memcmp (top, header, sizeof header) != 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "wrong header");
  memcpy (root, top + sizeof header, VTREE_BLOCK_SIZE);
  return true;
}

/* The root block has to lead to the digest. */
static bool
check_top (VtreeMerkle *merkle, GError **error)
{
  uint8_t root[VTREE_BLOCK_SIZE];
  g_auto (VtreeHasher) hasher = { 0 };
  if (!read_top (merkle, merkle->tree->fd, root, error)
      || !vtree_hasher_init (&hasher, merkle->md, error))
    return false;
  if (!vtree_hasher_hash (&hasher, root, VTREE_BLOCK_SIZE, VTREE_BLOCK_SIZE,
                          merkle->root_hash))
    return set_hash_failed (error);
  if (!check_root_hash (merkle, &hasher, error))
    return false;
  cache_put (&merkle->tree->cache, 0, root);
  return true;
}

VtreeMerkle *
vtree_merkle_new_take (int fd, const VtreeDigest *digest, uint64_t size, GError **error)
{
  g_auto (VtreeFd) owned = fd;
  VtreeMerkleLevels levels = vtree_merkle_levels (digest->alg, size);
  g_assert (levels.count > 0);
  g_autoptr (VtreeMerkle) merkle = merkle_new (digest, size, error);
  if (merkle == NULL)
    return NULL;
  merkle->tree = tree_new_take (vtree_fd_steal (&owned), &levels);
  if (check_top (merkle, error))
    return g_steal_pointer (&merkle);
  g_prefix_error (error, "Merkle file: ");
  return NULL;
}

void
vtree_merkle_replace_take (VtreeMerkle *merkle, int fd)
{
  Tree *tree = merkle->tree;
  g_assert (tree != NULL);
  g_rw_lock_writer_lock (&tree->lock);
  vtree_fd_replace_take (&tree->fd, fd);
  g_rw_lock_writer_unlock (&tree->lock);
}

/* The root hash over the leaves: level by level, in place of a copy of them. */
static bool
hash_leaves (VtreeMerkle *merkle, VtreeHasher *hasher, size_t count)
{
  uint8_t level[VTREE_MERKLE_MIN_BLOCKS * VTREE_DIGEST_MAX_SIZE];
  memcpy (level, merkle->leaves, count * merkle->hash_size);
  while (count > 1) {
    VtreeSpan below = { level, count * merkle->hash_size };
    uint8_t above[sizeof level / VTREE_BLOCK_SIZE * VTREE_DIGEST_MAX_SIZE];
    if (!vtree_hasher_hash_all (hasher, below.data, below.size, above))
      return false;
    count = (size_t) div_up (below.size, VTREE_BLOCK_SIZE);
    memcpy (level, above, count * merkle->hash_size);
  }
  memcpy (merkle->root_hash, level, count * merkle->hash_size);
  return true;
}

VtreeMerkle *
vtree_merkle_new_from_data (const void *data, uint64_t size, const VtreeDigest *digest,
                            GError **error)
{
  g_assert (size <= (uint64_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE);
  g_autoptr (VtreeMerkle) merkle = merkle_new (digest, size, error);
  if (merkle == NULL)
    return NULL;
  size_t count = (size_t) div_up (size, VTREE_BLOCK_SIZE);
  merkle->leaves = g_malloc (MAX (count, 1) * merkle->hash_size);
  g_auto (VtreeHasher) hasher = { 0 };
  if (!vtree_hasher_init (&hasher, merkle->md, error))
    return NULL;
  if (!vtree_hasher_hash_all (&hasher, data, (size_t) size, merkle->leaves)
      || !hash_leaves (merkle, &hasher, count)) {
    set_hash_failed (error);
    return NULL;
  }
  if (!check_root_hash (merkle, &hasher, error))
    return NULL;
  return g_steal_pointer (&merkle);
}
