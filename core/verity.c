/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the use of libfsverity: contents in, digest and Merkle file out. libfsverity
 * asks for one block at a time; the source is read in runs of RUN_SIZE.
 */
#include "core/verity.h"

#include "core/merkle.h"
#include <errno.h>
#include <libfsverity.h>
#include <stdlib.h>
#include <string.h>

/* Bytes asked of a VtreeVerityRead at once. */
#define RUN_SIZE ((size_t) 256 * 1024)

typedef struct {
  VtreeVerityRead read; /* NULL: all bytes are ready */
  void *context;
  uint8_t *run;        /* what READ fills; NULL without it */
  uint64_t unread;     /* bytes that READ still has to hand out */
  const uint8_t *next; /* bytes that are ready */
  size_t ready;
  int merkle_fd;
  GError *error; /* of a callback */
} Computation;

/* Gets the next run from the source. */
static bool
refill (Computation *c)
{
  size_t size = (size_t) MIN (c->unread, RUN_SIZE);
  if (!c->read (c->context, c->run, size, &c->error))
    return false;
  c->unread -= size;
  c->next = c->run;
  c->ready = size;
  return true;
}

/* libfsverity_read_fn_t */
static int
hand_out (void *data, void *buffer, size_t count)
{
  Computation *c = data;
  uint8_t *out = buffer;
  while (count > 0) {
    if (c->ready == 0 && !refill (c))
      return -EIO;
    size_t n = MIN (count, c->ready);
    memcpy (out, c->next, n);
    out += n;
    count -= n;
    c->next += n;
    c->ready -= n;
  }
  return 0;
}

static int
write_merkle_block (void *data, const void *block, size_t size, uint64_t offset)
{
  Computation *c = data;
  uint64_t position = VTREE_MERKLE_HEADER_SIZE + offset;
  if (vtree_fd_pwrite (c->merkle_fd, block, size, position, &c->error))
    return 0;
  g_prefix_error (&c->error, "write Merkle file: ");
  return -EIO;
}

static bool
write_merkle_header (const VtreeVerityParams *params, GError **error)
{
  uint8_t header[VTREE_MERKLE_HEADER_SIZE];
  vtree_merkle_put_header (header, params->alg, params->size);
  if (vtree_fd_pwrite (params->merkle_fd, header, sizeof header, 0, error))
    return true;
  g_prefix_error (error, "write Merkle file: ");
  return false;
}

/* Runs libfsverity over C; its own errors are few: no memory, too large. */
static bool
run_libfsverity (const VtreeVerityParams *params, Computation *c, VtreeDigest *digest,
                 GError **error)
{
  struct libfsverity_metadata_callbacks callbacks
    = { .ctx = c, .merkle_tree_block = write_merkle_block };
  struct libfsverity_merkle_tree_params tree = {
    .version = 1,
    .hash_algorithm = (uint32_t) params->alg,
    .file_size = params->size,
    .block_size = VTREE_BLOCK_SIZE,
    .metadata_callbacks = c->merkle_fd >= 0 ? &callbacks : NULL,
  };
  struct libfsverity_digest *computed = NULL;
  int result = libfsverity_compute_digest (c, hand_out, &tree, &computed);
  if (c->error != NULL) {
    free (computed);
    g_propagate_error (error, g_steal_pointer (&c->error));
    return false;
  }
  if (result != 0)
    return vtree_error_set_errno (error, -result, "compute fs-verity digest");
  g_assert (computed->digest_size == vtree_digest_alg_size (params->alg));
  vtree_digest_init (digest, params->alg, computed->digest);
  free (computed);
  return true;
}

static bool
compute (const VtreeVerityParams *params, Computation *c, VtreeDigest *digest,
         GError **error)
{
  bool has_tree = vtree_merkle_file_size (params->alg, params->size) > 0;
  c->merkle_fd = has_tree ? params->merkle_fd : -1;
  if (c->merkle_fd >= 0 && !write_merkle_header (params, error))
    return false;
  return run_libfsverity (params, c, digest, error);
}

bool
vtree_verity_compute (const VtreeVerityParams *params, VtreeVerityRead read,
                      void *context, VtreeDigest *digest, GError **error)
{
  g_autofree uint8_t *run = g_malloc ((gsize) MIN (params->size, RUN_SIZE));
  Computation c
    = { .read = read, .context = context, .run = run, .unread = params->size };
  return compute (params, &c, digest, error);
}

typedef struct {
  int fd;
  uint64_t offset;
  const VtreeWhile *wanted; /* NULL: always */
} FileSource;

static bool
read_file (void *context, void *data, size_t size, GError **error)
{
  FileSource *source = context;
  size_t got;
  if (source->wanted != NULL && !source->wanted->go_on (source->wanted->context))
    return vtree_error_set_errno (error, EINTR, "read");
  if (!vtree_fd_pread (source->fd, data, size, source->offset, &got, error))
    return false;
  source->offset += got;
  if (got == size)
    return true;
  return vtree_error_set (
    error, VTREE_ERROR_CORRUPT,
    "read: the file ends early, after %" G_GUINT64_FORMAT " bytes", source->offset);
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
  Computation c = { .next = data, .ready = (size_t) params->size };
  g_assert (c.ready == params->size);
  return compute (params, &c, digest, error);
}
