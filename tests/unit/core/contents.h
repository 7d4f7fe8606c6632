/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random contents with their digest, as files in memory: what the tests of verity,
 * merkle, object and pages read, and damage.
 */
#pragma once

#include "core/digest.h"

typedef struct {
  uint8_t *data; /* owned */
  uint64_t size;
  VtreeDigest digest; /* by vtree_verity_compute_data () */
} Contents;

/* SIZE random bytes from the test's seed. */
void contents_init (Contents *contents, VtreeDigestAlg alg, uint64_t size);
void contents_clear (Contents *contents);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Contents, contents_clear)

/* A new file (memfd) that holds them, and their Merkle file; the caller owns each. */
int contents_file (const Contents *contents);
int contents_merkle_file (const Contents *contents);

/* Flips one bit of the byte at OFFSET of FD. */
void contents_flip (int fd, uint64_t offset);

/* A random number below LIMIT (at least 1). */
uint64_t contents_random (uint64_t limit);
