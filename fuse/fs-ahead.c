/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system's semantics: what is read ahead of who reads a directory. Nothing
 * here fails aloud: who reads the file itself is told.
 */
#include "fuse/fs-private.h"

uint32_t
vtree_fs_inodes (const VtreeFs *fs)
{
  return fs->totals->inodes;
}

bool
vtree_fs_place (VtreeFs *fs, uint64_t node, VtreeDirectory *directory, uint32_t *entry)
{
  return node > 0 && node <= fs->totals->inodes
         && vtree_view_place (fs->view, (uint32_t) (node - 1), directory, entry);
}

bool
vtree_fs_children (VtreeFs *fs, uint64_t node, VtreeDirectory *directory)
{
  VtreeInode inode;
  return node > 0 && node <= fs->totals->inodes
         && vtree_view_inode (fs->view, (uint32_t) (node - 1), &inode, NULL)
         && S_ISDIR (inode.mode)
         && vtree_view_directory (fs->view, &inode, directory, NULL);
}

bool
vtree_fs_small (VtreeFs *fs, const VtreeDirectory *directory, uint32_t n, uint32_t max,
                VtreeFsSmall *small)
{
  VtreeEntry entry;
  VtreeInode inode;
  uint64_t size;
  if (!vtree_view_entry (fs->view, directory, n, &entry, NULL)
      || !vtree_view_inode (fs->view, entry.inode, &inode, NULL)
      || !S_ISREG (inode.mode) || inode.object == VTREE_VIEW_NO_OBJECT
      || inode.size > max
      || !vtree_view_object (fs->view, inode.object, &small->digest, &size, NULL))
    return false;
  small->node = (uint64_t) inode.index + 1;
  small->size = (uint32_t) size;
  return true;
}

void
vtree_fs_load (const VtreeFs *fs, const VtreeStore *store, VtreeStoreLoad *loads,
               unsigned count)
{
  vtree_store_load (store, loads, count, fs->options.verity);
}
