/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hashing of fs-verity blocks (OpenSSL EVP). The algorithm is fetched once by whoever
 * hashes again and again: the implicit fetch in each EVP_DigestInit_ex() costs a tenth
 * of hashing a block and takes a lock that all threads share. A VtreeHasher belongs to
 * one thread and is made for one run of blocks.
 *
 *   EVP_MD *md = vtree_hash_fetch (alg, error);        EVP_MD_free () in the end
 *   g_auto (VtreeHasher) hasher = { 0 };
 *   if (!vtree_hasher_init (&hasher, md, error)) …
 */
#pragma once

#include "core/digest.h"
#include <openssl/evp.h>

typedef struct {
  EVP_MD_CTX *context; /* owned */
  const EVP_MD *md;    /* borrowed */
} VtreeHasher;

/* The algorithm, owned by the caller; may be used from several threads. NULL and
 * VTREE_ERROR_FAILED where OpenSSL does not have it. */
EVP_MD *vtree_hash_fetch (VtreeDigestAlg alg, GError **error);

/* MD must outlive HASHER. Errors: VTREE_ERROR_FAILED when OpenSSL has no memory. */
bool vtree_hasher_init (VtreeHasher *hasher, const EVP_MD *md, GError **error);

/* Frees what _init made; nothing for a zeroed one. */
void vtree_hasher_clear (VtreeHasher *hasher);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeHasher, vtree_hasher_clear)

/* HASH = hash of SIZE bytes of DATA, followed by zeros up to PADDED bytes (SIZE <=
 * PADDED <= SIZE + VTREE_BLOCK_SIZE). HASH has room for VTREE_DIGEST_MAX_SIZE bytes.
 * False when OpenSSL fails. */
bool vtree_hasher_hash (VtreeHasher *hasher, const void *data, size_t size,
                        size_t padded, uint8_t *hash);

/* HASHES = the hashes of COUNT blocks of VTREE_BLOCK_SIZE bytes at DATA, one behind the
 * other. Faster than one by one where the processor can do two at once. False when
 * OpenSSL fails. */
bool vtree_hasher_hash_blocks (VtreeHasher *hasher, const uint8_t *data, size_t count,
                               uint8_t *hashes);

/* The same for all blocks of SIZE bytes at DATA, the last one padded with zeros. */
bool vtree_hasher_hash_all (VtreeHasher *hasher, const uint8_t *data, size_t size,
                            uint8_t *hashes);
