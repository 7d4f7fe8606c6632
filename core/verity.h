/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Computing fs-verity digests in software, with the Merkle file as a by-product; large
 * contents on several processors. Thread-safe.
 *
 * Merkle file: a 4096-byte header block, then the tree exactly as
 * FS_IOC_READ_VERITY_METADATA gives it (root level first), see doc/formats.md.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"
#include <stdatomic.h>

#define VTREE_BLOCK_SIZE 4096
/* Objects of more blocks than this have a Merkle file where the kernel does not
 * enforce them. */
#define VTREE_MERKLE_MIN_BLOCKS 128

/* Threads that help to hash large contents, for all computations that share one of
 * these: no more than there are processors. Initialise it to zeros. */
typedef struct {
  atomic_uint busy;
} VtreeVerityHelpers;

/* What is to be computed. merkle_fd: a writable, empty file that gets the Merkle file,
 * or -1; nothing is written for contents of at most one block. helpers: may be NULL,
 * then who calls does all the work. */
typedef struct {
  VtreeDigestAlg alg;
  uint64_t size; /* bytes */
  int merkle_fd;
  VtreeVerityHelpers *helpers;
} VtreeVerityParams;

/* Hands out SIZE bytes of the contents from OFFSET on; every byte is asked for once.
 * With helpers, several threads may call it at once. */
typedef bool (*VtreeVerityRead) (void *context, void *data, size_t size,
                                 uint64_t offset, GError **error);

/* Digest of what READ hands out, params->size bytes. The first error of READ comes back
 * as it is. */
bool vtree_verity_compute (const VtreeVerityParams *params, VtreeVerityRead read,
                           void *context, VtreeDigest *digest, GError **error);

/* Digest of params->size bytes of FD from offset 0 (pread, the offset stays). A shorter
 * file is VTREE_ERROR_CORRUPT. */
bool vtree_verity_compute_fd (const VtreeVerityParams *params, int fd,
                              VtreeDigest *digest, GError **error);

/* Whether something long is to go on; asked every 256 KiB or so, by who does it, which
 * can be several threads. */
typedef struct {
  bool (*go_on) (void *context);
  void *context;
} VtreeWhile;

/* The same as long as WANTED (NULL: always) says so; else EINTR as
 * VTREE_ERRNO_ERROR. */
bool vtree_verity_compute_fd_while (const VtreeVerityParams *params, int fd,
                                    const VtreeWhile *wanted, VtreeDigest *digest,
                                    GError **error);

/* Digest of memory. params->size bytes at DATA. */
bool vtree_verity_compute_data (const VtreeVerityParams *params, const void *data,
                                VtreeDigest *digest, GError **error);
