/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and hashing contents with several threads, each of which takes the next run
 * of them: who calls, and helpers where the contents are large.
 */
#pragma once

#include "core/merkle-build.h"

/* Bytes that a thread reads and hashes at once. */
#define VTREE_CREW_RUN ((size_t) 256 * 1024)
/* Smaller contents are hashed before a thread would have started. */
#define VTREE_CREW_MIN ((uint64_t) 4 * 1024 * 1024)

typedef struct {
  uint64_t size; /* bytes, more than 0 */
  /* Several threads may call it at once; NULL: the contents are at DATA. */
  VtreeVerityRead read;
  void *context;
  const uint8_t *data;
  VtreeVerityHelpers *helpers; /* may be NULL */
} VtreeCrewContents;

/* Hands the hashes of all blocks to BUILD, in order, the last block padded with zeros.
 * The first error of READ comes back as it is. */
bool vtree_crew_hash (const VtreeCrewContents *contents, const EVP_MD *md,
                      VtreeMerkleBuild *build, GError **error);
