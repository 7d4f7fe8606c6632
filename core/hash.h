/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hashing of fs-verity blocks (OpenSSL EVP). The algorithm is fetched once a process; a
 * VtreeHasher belongs to one thread and is made for one run of blocks: making it costs
 * a fraction of hashing one block.
 *
 *   g_auto (VtreeHasher) hasher = { 0 };
 *   if (!vtree_hasher_init (&hasher, alg, error)) …
 */
#pragma once

#include "core/digest.h"
#include <openssl/evp.h>

typedef struct {
  EVP_MD_CTX *context; /* owned */
  const EVP_MD *md;
  size_t size; /* bytes of a hash */
} VtreeHasher;

/* Errors: VTREE_ERROR_FAILED when OpenSSL has no memory or not this algorithm. */
bool vtree_hasher_init (VtreeHasher *hasher, VtreeDigestAlg alg, GError **error);
void vtree_hasher_clear (VtreeHasher *hasher);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeHasher, vtree_hasher_clear)

/* HASH = hash of SIZE bytes of DATA, followed by zeros up to PADDED bytes (SIZE <=
 * PADDED <= SIZE + VTREE_BLOCK_SIZE). HASH has room for VTREE_DIGEST_MAX_SIZE bytes.
 * False when OpenSSL fails. */
bool vtree_hasher_hash (VtreeHasher *hasher, const void *data, size_t size,
                        size_t padded, uint8_t *hash);
