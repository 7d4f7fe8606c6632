/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the use of EVP for hashing. The two fetched algorithms are all that is kept, and
 * never change: an implicit fetch in each EVP_DigestInit_ex() takes a lock that all
 * threads share.
 */
#include "core/hash.h"

#include "core/verity.h"
#include <pthread.h>

static EVP_MD *sha256, *sha512; /* written by fetch () alone */

static void
fetch (void)
{
  sha256 = EVP_MD_fetch (NULL, "SHA2-256", NULL);
  sha512 = EVP_MD_fetch (NULL, "SHA2-512", NULL);
}

static const EVP_MD *
fetched_md (VtreeDigestAlg alg)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, fetch);
  return alg == VTREE_DIGEST_SHA512 ? sha512 : sha256;
}

bool
vtree_hasher_init (VtreeHasher *hasher, VtreeDigestAlg alg, GError **error)
{
  const EVP_MD *md = fetched_md (alg);
  EVP_MD_CTX *context = md != NULL ? EVP_MD_CTX_new () : NULL;
  if (context == NULL)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "hash with %s: OpenSSL can't",
                            vtree_digest_alg_name (alg));
  *hasher = (VtreeHasher){ context, md, vtree_digest_alg_size (alg) };
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
