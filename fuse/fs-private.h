/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of fs share; nobody else includes this.
 */
#pragma once

#include "fuse/fs.h"

#include <stdatomic.h>

/* The objects that failed last, for status: a bounded memory of what was logged. */
#define VTREE_FS_FAILED_MAX 64

struct VtreeFs {
  VtreeView *view;
  const VtreeViewTotals *totals;
  VtreeLog *log;
  VtreeCache *cache;
  VtreeFsOptions options;
  struct vtree_status status; /* what never changes in it */
  atomic_uint_fast64_t requests[VTREE_REQUEST_KINDS];
  atomic_uint_fast64_t failures, bytes_read, reads_spliced, reads_ahead;
  GMutex failed_lock;
  uint32_t failed[VTREE_FS_FAILED_MAX]; /* object index + 1, 0: free */
  unsigned failed_next;
};

/* Inode of NODE, or -ESTALE, -EIO. */
int vtree_fs_inode (VtreeFs *fs, uint64_t node, VtreeInode *inode);

/* Counts and logs ERROR, which befell inode INDEX and (unless VTREE_VIEW_NO_OBJECT) its
 * object; the -errno to answer. */
int vtree_fs_fail (VtreeFs *fs, uint32_t index, uint32_t object, const GError *error);

/* The digest of INODE's contents, empty ones included. */
int vtree_fs_digest (VtreeFs *fs, const VtreeInode *inode, VtreeDigest *digest);

/* Opens and measures INODE's object (there must be one): a new reference, or -errno,
 * also VTREE_FS_LATER. */
int vtree_fs_object (VtreeFs *fs, const VtreeInode *inode, VtreeObject **object);

/* The value of the magic xattr NAME ("user.vtree.…"): a new string, or NULL with
 * *RESULT = -errno. */
char *vtree_fs_magic (VtreeFs *fs, const VtreeInode *inode, const char *name,
                      int *result);

/* "user.vtree." is ours: what the signer put there is not shown. */
bool vtree_fs_is_reserved (VtreeSpan name);
