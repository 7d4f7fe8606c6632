/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the use of EVP for hashing, and the choice where two blocks go at once. Keeps
 * nothing between calls.
 */
#include "core/hash.h"

#include "core/sha256-pair.h"
#include "core/verity.h"

EVP_MD *
vtree_hash_fetch (VtreeDigestAlg alg, GError **error)
{
  const char *name = alg == VTREE_DIGEST_SHA512 ? "SHA2-512" : "SHA2-256";
  EVP_MD *md = EVP_MD_fetch (NULL, name, NULL);
  if (md == NULL)
    vtree_error_set (error, VTREE_ERROR_FAILED, "hash: OpenSSL has no %s", name);
  return md;
}

bool
vtree_hasher_init (VtreeHasher *hasher, const EVP_MD *md, GError **error)
{
  EVP_MD_CTX *context = EVP_MD_CTX_new ();
  if (context == NULL)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "hash: OpenSSL has no memory");
  *hasher = (VtreeHasher){ context, md };
  return true;
}

void
vtree_hasher_clear (VtreeHasher *hasher)
{
  EVP_MD_CTX_free (hasher->context);
  *hasher = (VtreeHasher){ 0 };
}

bool
vtree_hasher_hash (VtreeHasher *hasher, const void *data, size_t size, size_t padded,
                   uint8_t *hash)
{
  static const uint8_t zeros[VTREE_BLOCK_SIZE];
  g_assert (padded >= size && padded - size <= sizeof zeros);
  return EVP_DigestInit_ex2 (hasher->context, hasher->md, NULL) == 1
         && EVP_DigestUpdate (hasher->context, data, size) == 1
         && (padded == size
             || EVP_DigestUpdate (hasher->context, zeros, padded - size) == 1)
         && EVP_DigestFinal_ex (hasher->context, hash, NULL) == 1;
}

bool
vtree_hasher_hash_blocks (VtreeHasher *hasher, const uint8_t *data, size_t count,
                          uint8_t *hashes)
{
  size_t hash_size = (size_t) EVP_MD_get_size (hasher->md);
  bool pairs = hash_size == VTREE_SHA256_SIZE && vtree_sha256_pair_is_there ();
  size_t done = 0;
  for (; pairs && count - done >= 2; done += 2) {
    const uint8_t *block = data + done * VTREE_BLOCK_SIZE;
    uint8_t *hash = hashes + done * hash_size;
    vtree_sha256_pair (block, block + VTREE_BLOCK_SIZE, VTREE_BLOCK_SIZE, hash,
                       hash + VTREE_SHA256_SIZE);
  }
  for (; done < count; done++) {
    if (!vtree_hasher_hash (hasher, data + done * VTREE_BLOCK_SIZE, VTREE_BLOCK_SIZE,
                            VTREE_BLOCK_SIZE, hashes + done * hash_size))
      return false;
  }
  return true;
}

bool
vtree_hasher_hash_all (VtreeHasher *hasher, const uint8_t *data, size_t size,
                       uint8_t *hashes)
{
  size_t whole = size / VTREE_BLOCK_SIZE;
  size_t rest = size % VTREE_BLOCK_SIZE;
  size_t hash_size = (size_t) EVP_MD_get_size (hasher->md);
  return vtree_hasher_hash_blocks (hasher, data, whole, hashes)
         && (rest == 0
             || vtree_hasher_hash (hasher, data + whole * VTREE_BLOCK_SIZE, rest,
                                   VTREE_BLOCK_SIZE, hashes + whole * hash_size));
}
