/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: one inode of a manifest as a real file: making it, giving it
 * its attributes, comparing. Thread-safe for distinct names.
 */
#pragma once

#include "manifest/checkout.h"
#include "manifest/xattr.h"
#include <stdatomic.h>
#include <sys/stat.h>

typedef struct {
  VtreeView *view;
  const VtreeStore *store;
  const VtreeCheckoutOptions *options;
  VtreeXattrFilter *filter; /* what an update compares */
  uid_t euid;
  atomic_bool no_clone; /* the filesystem has no reflinks from the store's */
  atomic_uint_fast64_t files, bytes, kept, removed, owners, set_ids, xattrs;
} VtreeCheckoutState;

/* Where a name is or shall be. */
typedef struct {
  int dirfd;
  const char *name;
} VtreePlace;

/* Makes INODE, which is no directory, at PLACE, where nothing is, with all its
 * attributes. Errors: VTREE_ERRNO_ERROR, VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING. */
bool vtree_checkout_make (VtreeCheckoutState *state, VtreePlace place,
                          const VtreeInode *inode, GError **error);

/* Makes an empty regular file, 0600, to be filled by _fill. */
bool vtree_checkout_reserve (VtreePlace place, GError **error);

/* Gives a reserved file its contents and attributes. */
bool vtree_checkout_fill (VtreeCheckoutState *state, VtreePlace place,
                          const VtreeInode *inode, GError **error);

/* The permission bits that INODE gets here. A set-id bit goes with the owner it was
 * meant for, and only with him. */
mode_t vtree_checkout_permissions (const VtreeCheckoutState *state,
                                   const VtreeInode *inode);

/* INODE's xattrs as they are set here: a GArray of VtreeXattr, NULL on an error. */
GArray *vtree_checkout_xattrs (VtreeCheckoutState *state, const VtreeInode *inode,
                               GError **error);

/* Gives FD, a regular file or a directory, INODE's owner, xattrs, mode and times. */
bool vtree_checkout_set_attributes (VtreeCheckoutState *state, int fd,
                                    const VtreeInode *inode, GError **error);

/* The same for a directory, the last thing that happens to it: in an update it loses
 * the xattrs that INODE has not, and is not touched where all is right. */
bool vtree_checkout_finish_directory (VtreeCheckoutState *state, int fd,
                                      const VtreeInode *inode, GError **error);

/* Whether what is at PLACE is INODE in every respect, its link count aside. ST is what
 * fstatat(2) says of it. */
bool vtree_checkout_is_equal (VtreeCheckoutState *state, VtreePlace place,
                              const struct stat *st, const VtreeInode *inode,
                              bool *equal, GError **error);
