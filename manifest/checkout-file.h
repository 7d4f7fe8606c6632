/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: one inode of a manifest as a real file: making it, sealing it,
 * giving it its attributes, comparing. Thread-safe for distinct names.
 */
#pragma once

#include "manifest/checkout-ability.h"
#include "manifest/checkout.h"
#include "manifest/trail.h"
#include "manifest/xattr.h"
#include <stdatomic.h>
#include <sys/stat.h>

typedef struct {
  VtreeView *view;
  const VtreeStore *store;
  const VtreeCheckoutOptions *options;
  VtreeXattrFilter *filter; /* what an update compares */
  uid_t euid;
  bool fresh; /* the target does not exist: what has its name is new */

  /* Known since vtree_checkout_prepare(). */
  int staging; /* directory on the target's filesystem, borrowed */
  VtreeAbility ability;
  bool seal;         /* files get verity */
  VtreeDigest empty; /* digest of no contents */

  GMutex clock;         /* for clock_fd */
  VtreeFd clock_fd;     /* a file to try times on, where they are rounded, or -1 */
  atomic_bool no_clone; /* the filesystem has no reflinks from the store's */
  atomic_bool no_link;  /* it is not the store's */
  atomic_uint_fast64_t files, bytes, cloned, linked, sealed, kept, removed;
  atomic_uint_fast64_t owners, set_ids, modes, times, exposed, xattrs, copies, omitted;
} VtreeCheckoutState;

/* Where a name is or shall be. */
typedef struct {
  int dirfd;
  const char *name;
} VtreePlace;

/* Finds out, in the empty directory STAGING, what the target's filesystem can do, and
 * whether files get verity. Errors: VTREE_ERROR_UNSUPPORTED (verity=require). The
 * caller closes clock_fd, which is -1 before. */
bool vtree_checkout_prepare (VtreeCheckoutState *state, int staging, GError **error);

/* Whether INODE is left out, as the filesystem can't hold it and the options say so. */
bool vtree_checkout_leaves_out (const VtreeCheckoutState *state,
                                const VtreeInode *inode);

/* Whether INODE's names share one file here. */
bool vtree_checkout_is_shared (const VtreeCheckoutState *state,
                               const VtreeInode *inode);

/* Makes INODE, which is no directory, at PLACE, where nothing is. What shall get verity
 * is 0600 and without attributes until it is sealed; all else has them at once. Errors:
 * VTREE_ERRNO_ERROR, VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING. */
bool vtree_checkout_make (VtreeCheckoutState *state, VtreePlace place,
                          const VtreeInode *inode, GError **error);

/* Makes an empty regular file, 0600, to be filled by _fill. */
bool vtree_checkout_reserve (VtreePlace place, GError **error);

/* Gives a reserved file its contents, and its attributes as above. */
bool vtree_checkout_fill (VtreeCheckoutState *state, VtreePlace place,
                          const VtreeInode *inode, GError **error);

/* The contents of INODE, verified unless the kernel is going to do it, for FD, a new
 * empty file (readable and writable). Shares the object's blocks where the filesystem
 * can. */
bool vtree_checkout_write_contents (VtreeCheckoutState *state, int fd,
                                    const VtreeInode *inode, GError **error);

/* Makes PLACE a hard link to the store's object. *LINKED false, and no error, where
 * that is not wanted, not possible or not safe: only an object that the kernel
 * enforces, so that nobody can change it through the link, and only for a file that
 * then differs from INODE in nothing but write permission and time: readable by all,
 * not executable, no set-id, no xattrs, no second name, of the object's owner where
 * owners are kept. */
bool vtree_checkout_link (VtreeCheckoutState *state, VtreePlace place,
                          const VtreeInode *inode, bool *linked, GError **error);

/* Whether the file of ST is such a link. */
bool vtree_checkout_is_linked (VtreeCheckoutState *state, const struct stat *st,
                               const VtreeInode *inode, bool *linked, GError **error);

/* Enables verity on a regular file that _make has made and that has been synced,
 * measures it, and gives it its attributes. Errors: VTREE_ERROR_CORRUPT where the
 * contents are not INODE's. */
bool vtree_checkout_seal (VtreeCheckoutState *state, VtreePlace place,
                          const VtreeInode *inode, GError **error);

/* INODE's digest and size; those of no contents for an empty file. */
bool vtree_checkout_object (VtreeCheckoutState *state, const VtreeInode *inode,
                            VtreeObjectSpec *spec, GError **error);

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

/* The same for a directory, the last thing that happens to it: in a target that exists
 * it loses the xattrs that INODE has not, and is not touched where all is right. */
bool vtree_checkout_finish_directory (VtreeCheckoutState *state, int fd,
                                      const VtreeInode *inode, GError **error);

/* Whether what is at PLACE is INODE in every respect, verity included. ST is what
 * fstatat(2) says of it. */
bool vtree_checkout_is_equal (VtreeCheckoutState *state, VtreePlace place,
                              const struct stat *st, const VtreeInode *inode,
                              bool *equal, GError **error);
