/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a manifest: verified blocks to answers. Opening checks the header and the
 * section bounds and costs the same for any size; every later access checks what it
 * touches and validates what it hands out, because a signed manifest can still be
 * hostile. All answers borrow from the view. Thread-safe, immutable to see.
 *
 * Any malformed byte is VTREE_ERROR_CORRUPT; a version or incompatible feature that
 * this code does not know is VTREE_ERROR_UNSUPPORTED.
 */
#pragma once

#include "core/digest.h"
#include "core/pages.h"
#include <sys/types.h>

typedef struct VtreeView VtreeView;

#define VTREE_VIEW_NO_OBJECT UINT32_MAX

/* Header's promises about the tree (same bits as VTREE_VTM_HAS_*). */
typedef enum {
  VTREE_VIEW_HAS_XATTR = 1 << 0,
  VTREE_VIEW_HAS_ACL = 1 << 1,
  VTREE_VIEW_HAS_DEVICE = 1 << 2,
  VTREE_VIEW_HAS_SETID = 1 << 3,
} VtreeViewFlags;

typedef struct {
  VtreeDigestAlg alg;
  VtreeViewFlags flags;
  uint32_t inodes, entries, objects;
  uint64_t directories, regular, symlinks, special;
  uint64_t bytes, blocks; /* totals over regular inodes; blocks of 4096 */
} VtreeViewTotals;

typedef struct {
  uint32_t index; /* node id - 1 */
  uint32_t mode;  /* st_mode: type and permissions, type validated */
  uint32_t uid, gid, nlink;
  uint32_t rdev;       /* 12:20 bits as the kernel's new_encode_dev; devices only */
  uint32_t object;     /* regular, not empty; else VTREE_VIEW_NO_OBJECT */
  uint32_t directory;  /* directories: index of the directory record */
  uint32_t attributes; /* index of the attribute record */
  uint32_t xattrs;     /* offset + 1 of the set, 0 for none */
  uint32_t target;     /* symlinks: offset of the target */
  uint32_t nsec;       /* < 10^9 */
  int64_t mtime;       /* seconds since the epoch */
  uint64_t size;       /* regular: contents; symlink: target's length; else 0 */
} VtreeInode;

typedef struct {
  uint32_t inode;  /* its own */
  uint32_t parent; /* inode of the parent */
  uint32_t first;  /* entry index */
  uint32_t count;
} VtreeDirectory;

typedef struct {
  VtreeSpan name; /* validated: 1..255 bytes, no '/', NUL, "." or ".." */
  uint32_t inode;
} VtreeEntry;

typedef struct {
  VtreeSpan name; /* 1..255 bytes, no NUL */
  VtreeSpan value;
} VtreeXattr;

/* Takes a reference to PAGES. */
VtreeView *vtree_view_new (VtreePages *pages, GError **error);
VtreeView *vtree_view_ref (VtreeView *view);
void vtree_view_unref (VtreeView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeView, vtree_view_unref)

/* Borrowed, as long as VIEW. */
const VtreeViewTotals *vtree_view_totals (const VtreeView *view);
VtreePages *vtree_view_peek_pages (VtreeView *view);

/* INDEX from 0 (root) to inodes - 1; beyond that VTREE_ERROR_CORRUPT. */
bool vtree_view_inode (VtreeView *view, uint32_t index, VtreeInode *inode,
                       GError **error);

/* INODE must be a directory (else VTREE_ERROR_INVALID). Its parent's index is smaller
 * than its own (the root's is 0), so that a walk upwards ends. */
bool vtree_view_directory (VtreeView *view, const VtreeInode *inode,
                           VtreeDirectory *directory, GError **error);

/* Entry number N (< directory->count) of a directory. */
bool vtree_view_entry (VtreeView *view, const VtreeDirectory *directory, uint32_t n,
                       VtreeEntry *entry, GError **error);

/* Binary search. *FOUND tells; INODE is the entry's inode number. */
bool vtree_view_lookup (VtreeView *view, const VtreeDirectory *directory,
                        VtreeSpan name, bool *found, uint32_t *inode, GError **error);

/* vtree_view_inode() for what an entry of DIRECTORY names: beyond that, a directory
 * must name this one as its parent. Whoever descends through here, and no other way,
 * meets neither a cycle nor a directory in two places. */
bool vtree_view_child (VtreeView *view, const VtreeDirectory *directory, uint32_t index,
                       VtreeInode *inode, GError **error);

/* Symlink's target, 1..4095 bytes, no NUL; not NUL-terminated. */
bool vtree_view_target (VtreeView *view, const VtreeInode *inode, VtreeSpan *target,
                        GError **error);

/* Object INDEX < totals.objects: digest and size (> 0). */
bool vtree_view_object (VtreeView *view, uint32_t index, VtreeDigest *digest,
                        uint64_t *size, GError **error);

/* The inode's xattrs in the order of their names, as an array of VtreeXattr that the
 * caller frees with g_array_unref; empty array for none. */
GArray *vtree_view_xattrs (VtreeView *view, const VtreeInode *inode, GError **error);

/* One xattr by its full name; *VALUE is set where it was found. */
bool vtree_view_xattr (VtreeView *view, const VtreeInode *inode, VtreeSpan name,
                       bool *found, VtreeSpan *value, GError **error);

/* Walks PATH ("a/b/c", "" or "/" for the root; no symlink is followed). MISSING:
 * VTREE_ERROR_MISSING. */
bool vtree_view_resolve (VtreeView *view, const char *path, VtreeInode *inode,
                         GError **error);

/* About where the first name of inode INDEX stands: at, or somewhat before, entry *N of
 * *DIRECTORY. O(log n), and a hint: exact but where hard links are about. False where
 * nothing is found, as for the root. */
bool vtree_view_place (VtreeView *view, uint32_t index, VtreeDirectory *directory,
                       uint32_t *n);

/* A path of inode INDEX for messages (escaped, "/usr/bin/x"; the first of its names;
 * "?" where the manifest does not tell). Linear in the entries: for errors and logs. */
char *vtree_view_path (VtreeView *view, uint32_t index);
