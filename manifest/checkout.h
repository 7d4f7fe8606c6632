/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a checked manifest out as real files. Everything is created beneath
 * descriptors, never through a symlink; owners, then xattrs, then modes, so that set-id
 * bits come last; times at the end of each directory.
 *
 * A target that does not exist is written beside its place, as .vtree-checkout.XXXXXX,
 * synced, and renamed: it appears whole or not at all, and after an error nothing is
 * left. An empty directory is filled in place, and emptied again after an error. An
 * update replaces one file after the other, each as a whole (written elsewhere, then
 * renamed over it); after an error the files are old or new ones. It descends into no
 * mount point, and fails on one that is in the way.
 *
 * Without keep_owner everything belongs to who runs it, and what would hand out his
 * rights or needs more than them is left away and counted: owners, set-id bits of files
 * that belong to others in the tree, security.* and trusted.* xattrs. Device nodes are
 * an error then, unless the system lets one make them.
 */
#pragma once

#include "core/store.h"
#include "manifest/view.h"

/* What was done, for who wants to tell. */
typedef struct {
  uint64_t files, bytes;    /* inodes written, and their contents */
  uint64_t kept, removed;   /* update: names that were right, and names that went */
  uint64_t owners, set_ids; /* left away without keep_owner: inodes */
  uint64_t xattrs;          /* left away without keep_owner: xattrs */
} VtreeCheckoutReport;

typedef struct {
  const char *path; /* subtree, or a single file ("" or NULL: all) */
  bool update;      /* DIR exists: make it equal, touching only what differs */
  bool keep_owner;  /* owners, set-id bits and all xattrs; an error where one can't */
  unsigned threads; /* 0: one a processor */
  void (*progress) (void *context, uint64_t files, uint64_t bytes); /* may be NULL */
  void *progress_context;
  VtreeCheckoutReport *report; /* may be NULL; filled in on success */
} VtreeCheckoutOptions;

/* Runs the full check first. TARGET must not exist, or be an empty directory, unless
 * update. A single file goes to the path TARGET itself. Errors name the path:
 * VTREE_ERROR_CORRUPT or MISSING for an object, VTREE_ERRNO_ERROR, VTREE_ERROR_FAILED
 * where TARGET is not empty. */
bool vtree_checkout (VtreeView *view, const VtreeStore *store, const char *target,
                     const VtreeCheckoutOptions *options, GError **error);
