/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a checked manifest out as real files. Everything is created beneath
 * descriptors, never through a symlink; owners, then xattrs, then modes, so that set-id
 * bits come last; times at the end of each directory.
 *
 * In this order: what the filesystem can hold is tried out, and names and types that
 * it can't are errors; all files are written in a directory of their own,
 * .vtree-checkout.XXXXXXXX; the filesystem is synced; verity is enabled on each, its
 * digest measured, and the file gets its attributes; then they get their names. So a
 * file is the old or the new one at any time, whole, also after a power cut.
 *
 * A target that does not exist is made as such a directory beside its place, which is
 * renamed: it appears whole or not at all. In a directory that exists, names that are
 * new come first; then, after a sync, what replaces something, symlinks, and what
 * tells a boot loader of others (*.conf, *.cfg); then, after another, removals. Where a
 * directory makes way for a file it is removed just before. After an error before the
 * first name nothing has changed. An update descends into no mount point, and fails on
 * one that is in the way.
 *
 * What a killed process left is removed by the next checkout to the same place.
 *
 * Without keep_owner everything belongs to who runs it, and what would hand out his
 * rights or needs more than them is left away and counted: owners, set-id bits of files
 * that belong to others in the tree, security.* and trusted.* xattrs. Device nodes are
 * an error then, unless the system lets one make them. A filesystem without permission
 * bits (vfat) gets neither owners, modes nor xattrs; one without hard links gets
 * copies; coarser times are rounded by it: all counted.
 */
#pragma once

#include "core/object-signer.h"
#include "core/policy.h"
#include "core/store.h"
#include "manifest/view.h"

/* What was done, for who wants to tell. */
typedef struct {
  uint64_t files, bytes;    /* inodes written, and their contents */
  uint64_t cloned, linked;  /* of these: reflinked, hard links to the store's objects */
  uint64_t sealed;          /* of these: verity enabled, and the digest measured */
  uint64_t kept, removed;   /* update: names that were right, and names that went */
  uint64_t owners, set_ids; /* left away: inodes */
  uint64_t modes, times;    /* the same, by a filesystem that has none such */
  uint64_t exposed; /* of these modes: others may do what the tree denies them */
  uint64_t xattrs;  /* left away: xattrs */
  uint64_t copies;  /* further names that are files of their own */
  uint64_t omitted; /* names left out by omit_unsupported */
  bool sealing;     /* the target's files get verity */
} VtreeCheckoutReport;

typedef struct {
  const char *path; /* subtree, or a single file ("" or NULL: all) */
  bool update;      /* DIR exists: make it equal, touching only what differs */
  bool keep_owner;  /* owners, set-id bits and all xattrs; an error where one can't */
  bool hard_links;  /* to the store's objects where that is safe, see checkout-file.h */
  bool omit_unsupported;    /* leave out symlinks and special files where there are
                               none */
  VtreeVerityPolicy verity; /* auto: where the target's filesystem can */
  const VtreeObjectSigner *signer; /* signs what is sealed, borrowed; NULL: nobody. Then
                                      auto is as good as require, and what is sealed
                                      without a signature is replaced */
  unsigned threads;                /* 0: one a processor */
  void (*progress) (void *context, uint64_t files, uint64_t bytes); /* may be NULL */
  void *progress_context;
  VtreeCheckoutReport *report; /* may be NULL; filled in on success */
} VtreeCheckoutOptions;

/* Runs the full check first. TARGET must not exist, or be an empty directory (the
 * lost+found of a filesystem aside, which is left alone), unless update. A single file
 * goes to the path TARGET itself. Errors name the path: VTREE_ERROR_CORRUPT or MISSING
 * for an object, VTREE_ERRNO_ERROR, VTREE_ERROR_FAILED where TARGET is not empty,
 * VTREE_ERROR_UNSUPPORTED for verity=require and for what the filesystem can't hold,
 * VTREE_ERROR_BUSY where another checkout is at TARGET. */
bool vtree_checkout (VtreeView *view, const VtreeStore *store, const char *target,
                     const VtreeCheckoutOptions *options, GError **error);
