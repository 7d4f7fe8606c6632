/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the computing of digests: contents in, digest and Merkle file out. What has one
 * block is libfsverity's, what has a tree is built here: libfsverity hashes block by
 * block, on one processor.
 */
#include "core/verity.h"

#include "core/bytes.h"
#include "core/verity-crew.h"
#include <errno.h>
#include <libfsverity.h>
#include <stdlib.h>
#include <string.h>

/* libfsverity_read_fn_t, of a VtreeSpan that has all of it */
static int
hand_out (void *data, void *buffer, size_t count)
{
  const VtreeSpan *contents = data;
  g_assert (count == contents->size);
  memcpy (buffer, contents->data, count);
  return 0;
}

/* Contents of at most one block. */
static bool
compute_block (const VtreeVerityParams *params, const void *data, VtreeDigest *digest,
               GError **error)
{
  VtreeSpan contents = { data, (size_t) params->size };
  struct libfsverity_merkle_tree_params tree = {
    .version = 1,
    .hash_algorithm = (uint32_t) params->alg,
    .file_size = params->size,
    .block_size = VTREE_BLOCK_SIZE,
  };
  struct libfsverity_digest *computed = NULL;
  int result = libfsverity_compute_digest (&contents, hand_out, &tree, &computed);
  if (result != 0)
    return vtree_error_set_errno (error, -result, "compute fs-verity digest");
  g_assert (computed->digest_size == vtree_digest_alg_size (params->alg));
  vtree_digest_init (digest, params->alg, computed->digest);
  free (computed);
  return true;
}

static bool
build_tree (const VtreeVerityParams *params, const VtreeCrewContents *contents,
            const EVP_MD *md, VtreeDigest *digest, GError **error)
{
  g_auto (VtreeMerkleBuild) build = { 0 };
  return vtree_merkle_build_init (&build, params, md, error)
         && vtree_crew_hash (contents, md, &build, error)
         && vtree_merkle_build_finish (&build, digest, error);
}

/* Contents of more than one block. */
static bool
compute_tree (const VtreeVerityParams *params, const VtreeCrewContents *contents,
              VtreeDigest *digest, GError **error)
{
  EVP_MD *md = vtree_hash_fetch (params->alg, error);
  if (md == NULL)
    return false;
  bool ok = build_tree (params, contents, md, digest, error);
  EVP_MD_free (md);
  return ok;
}

bool
vtree_verity_compute (const VtreeVerityParams *params, VtreeVerityRead read,
                      void *context, VtreeDigest *digest, GError **error)
{
  VtreeCrewContents contents = {
    .size = params->size, .read = read, .context = context, .helpers = params->helpers
  };
  uint8_t block[VTREE_BLOCK_SIZE];
  if (params->size > sizeof block)
    return compute_tree (params, &contents, digest, error);
  return (params->size == 0 || read (context, block, (size_t) params->size, 0, error))
         && compute_block (params, block, digest, error);
}

typedef struct {
  int fd;
  const VtreeWhile *wanted; /* NULL: always */
} FileSource;

static bool
read_file (void *context, void *data, size_t size, uint64_t offset, GError **error)
{
  const FileSource *source = context;
  size_t got;
  if (source->wanted != NULL && !source->wanted->go_on (source->wanted->context))
    return vtree_error_set_errno (error, EINTR, "read");
  if (!vtree_fd_pread (source->fd, data, size, offset, &got, error))
    return false;
  if (got == size)
    return true;
  return vtree_error_set (
    error, VTREE_ERROR_CORRUPT,
    "read: the file ends early, after %" G_GUINT64_FORMAT " bytes", offset + got);
}

bool
vtree_verity_compute_fd (const VtreeVerityParams *params, int fd, VtreeDigest *digest,
                         GError **error)
{
  return vtree_verity_compute_fd_while (params, fd, NULL, digest, error);
}

bool
vtree_verity_compute_fd_while (const VtreeVerityParams *params, int fd,
                               const VtreeWhile *wanted, VtreeDigest *digest,
                               GError **error)
{
  FileSource source = { .fd = fd, .wanted = wanted };
  return vtree_verity_compute (params, read_file, &source, digest, error);
}

bool
vtree_verity_compute_data (const VtreeVerityParams *params, const void *data,
                           VtreeDigest *digest, GError **error)
{
  VtreeCrewContents contents
    = { .size = params->size, .data = data, .helpers = params->helpers };
  g_assert (params->size <= SIZE_MAX);
  if (params->size <= VTREE_BLOCK_SIZE)
    return compute_block (params, data, digest, error);
  return compute_tree (params, &contents, digest, error);
}
