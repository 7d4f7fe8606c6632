/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a checked manifest out as real files. Everything is created beneath
 * descriptors, never through a symlink; owners, then modes, set-id bits last, times at
 * the end of each directory.
 */
#pragma once

#include "core/store.h"
#include "manifest/view.h"

typedef struct {
  const char *path; /* subtree ("" or NULL: all) */
  bool update;      /* DIR exists: make it equal, touching only what differs */
  bool keep_owner;  /* root: owners, devices, set-id, all xattrs; users: what they can,
                          and an error where the tree needs more */
  unsigned threads; /* 0: one a processor */
  void (*progress) (void *context, uint64_t files, uint64_t bytes);
  void *progress_context;
} VtreeCheckoutOptions;

/* Runs the full check first. TARGET must not exist, or be an empty directory, unless
 * update. Errors name the path. */
bool vtree_checkout (VtreeView *view, const VtreeStore *store, const char *target,
                     const VtreeCheckoutOptions *options, GError **error);
