/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names in a directory, all read at once, so that no directory stream stays open.
 */
#pragma once

#include "core/error.h"
#include <stdint.h>

typedef struct {
  const char *name; /* borrowed from the listing; never "." or ".." */
  uint64_t ino;
  unsigned char type; /* DT_*, DT_UNKNOWN where the filesystem does not tell */
} VtreeListingEntry;

typedef struct VtreeListing VtreeListing;

/* Reads the directory FD from its beginning (its offset moves). Sorted by inode number,
 * the order in which a disk gives the inodes fastest. Errors: VTREE_ERRNO_ERROR. */
VtreeListing *vtree_listing_read (int fd, GError **error);
void vtree_listing_free (VtreeListing *listing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeListing, vtree_listing_free)

/* How many names there are. */
size_t vtree_listing_count (const VtreeListing *listing);
/* INDEX < count; borrowed. */
const VtreeListingEntry *vtree_listing_peek (const VtreeListing *listing, size_t index);
