/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a repository's store holds, and how much of it any manifest in it names.
 */
#pragma once

#include "core/repo.h"

typedef struct {
  uint64_t loose, loose_bytes;       /* objects that are files of their own */
  uint64_t unneeded, unneeded_bytes; /* of those: named by no manifest (nor one) */
  uint64_t packs, pack_bytes;        /* files */
  uint64_t packed;                   /* objects in them, copies too */
  uint64_t live, live_bytes;         /* of those: named by a manifest */
  uint64_t dead_bytes;
  /* What the live ones in packs would need on the disk as files of their own, in blocks
   * of 4096 bytes, less what the packs need. */
  int64_t saved_bytes;
} VtreeUsage;

/* Reads manifests and indices, no contents. WAIT seconds for the shared lock, -1: for
 * ever. Errors: VTREE_ERROR_BUSY; VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING for a
 * manifest that a version needs. */
bool vtree_usage_find (const VtreeRepo *repo, int wait, VtreeUsage *usage,
                       GError **error);
