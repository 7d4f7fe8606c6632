/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the complete verification of one object in a store: every byte is read, the
 * Merkle file too. Only reads.
 */
#include "core/merkle.h"
#include "core/store-locate.h"

#include <errno.h>
#include <string.h>

#define RUN_SIZE ((size_t) 256 * 1024)

/* Turns FAILED (taken) into a verdict if it says something of the object. */
static bool
judge (GError *failed, VtreeStoreVerdict *verdict, char **message, GError **error)
{
  bool of_object = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT)
                   || g_error_matches (failed, VTREE_ERRNO_ERROR, EIO)
                   || g_error_matches (failed, VTREE_ERRNO_ERROR, EACCES)
                   || g_error_matches (failed, VTREE_ERRNO_ERROR, EISDIR)
                   || g_error_matches (failed, VTREE_ERRNO_ERROR, EBADMSG)
                   || g_error_matches (failed, VTREE_ERRNO_ERROR, EUCLEAN);
  if (!of_object) {
    g_propagate_error (error, failed);
    return false;
  }
  *verdict = VTREE_STORE_CORRUPT;
  *message = g_strdup (failed->message);
  g_error_free (failed);
  return true;
}

/* Reads blocks from OFFSET on, the last one padded; returns how many, 0 on error. */
static size_t
read_blocks (int fd, uint64_t size, uint64_t offset, uint8_t *run, GError **error)
{
  size_t wanted = (size_t) MIN (size - offset, RUN_SIZE);
  size_t got;
  if (!vtree_fd_pread (fd, run, wanted, offset, &got, error))
    return 0;
  if (got < wanted) {
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "read: the file ends early");
    return 0;
  }
  size_t blocks = (wanted + VTREE_BLOCK_SIZE - 1) / VTREE_BLOCK_SIZE;
  memset (run + wanted, 0, blocks * VTREE_BLOCK_SIZE - wanted);
  return blocks;
}

/* Checks every block against the Merkle file, and so every block of that, in one pass:
 * true means that both are good. */
static bool
check_with_merkle (VtreeLocated *located, const VtreeDigest *digest, GError **error)
{
  g_autofree uint8_t *run = g_malloc (RUN_SIZE);
  g_autoptr (VtreeMerkle) merkle = vtree_merkle_new_take (
    vtree_fd_steal (&located->merkle_fd), digest, located->size, error);
  if (merkle == NULL)
    return false;
  for (uint64_t offset = 0; offset < located->size; offset += RUN_SIZE) {
    size_t blocks = read_blocks (located->fd, located->size, offset, run, error);
    if (blocks == 0
        || !vtree_merkle_verify (merkle, offset / VTREE_BLOCK_SIZE, run, blocks, error))
      return false;
  }
  return true;
}

static bool
check_digest (const VtreeLocated *located, const VtreeDigest *digest, GError **error)
{
  VtreeVerityParams params
    = { .alg = digest->alg, .size = located->size, .merkle_fd = -1 };
  VtreeDigest found;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!vtree_verity_compute_fd (&params, located->fd, &found, error))
    return false;
  return vtree_digest_equal (&found, digest)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "its contents have the digest %s",
                             vtree_digest_format (&found, text));
}

static bool
check_size (const VtreeLocated *located, uint64_t size, GError **error)
{
  return size == VTREE_STORE_ANY_SIZE || located->size == size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "it has %" G_GUINT64_FORMAT
                             " bytes, not %" G_GUINT64_FORMAT,
                             located->size, size);
}

/* What the kernel enforces is also read whole: bad blocks show themselves. */
static bool
check_located (VtreeLocated *located, const VtreeDigest *digest,
               VtreeStoreVerdict *verdict, char **message, GError **error)
{
  g_autoptr (GError) merkle_failed = NULL;
  GError *failed = NULL;
  if (located->merkle_fd >= 0 && check_with_merkle (located, digest, &merkle_failed))
    return true;
  if (!check_digest (located, digest, &failed))
    return judge (failed, verdict, message, error);
  if (merkle_failed == NULL)
    return true;
  *verdict = VTREE_STORE_BAD_MERKLE;
  *message = g_strdup (merkle_failed->message);
  return true;
}

bool
vtree_store_check_object (const VtreeStore *store, const VtreeDigest *digest,
                          uint64_t size, VtreeStoreVerdict *verdict, char **message,
                          GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  GError *failed = NULL;
  *verdict = VTREE_STORE_GOOD;
  *message = NULL;
  if (!vtree_store_locate (store, digest, true, &located, &failed))
    return judge (failed, verdict, message, error);
  if (located.fd < 0) {
    *verdict = VTREE_STORE_MISSING;
    *message = g_strdup ("it is not in the store");
    return true;
  }
  if (!check_size (&located, size, &failed))
    return judge (failed, verdict, message, error);
  return check_located (&located, digest, verdict, message, error);
}
