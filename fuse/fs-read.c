/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system's semantics: contents. Owns the way from an inode to verified bytes,
 * and what becomes of an object that fails.
 */
#include "fuse/fs-private.h"

#include "core/verity.h"

#include <errno.h>

static bool
make_spec (VtreeFs *fs, const VtreeInode *inode, VtreeObjectSpec *spec, GError **error)
{
  spec->policy = fs->options.verity;
  return vtree_view_object (fs->view, inode->object, &spec->digest, &spec->size, error);
}

VtreeObject *
vtree_fs_open_object (VtreeFs *fs, const VtreeInode *inode, int *result)
{
  g_autoptr (GError) error = NULL;
  VtreeObjectSpec spec;
  VtreeObject *object = NULL;
  if (make_spec (fs, inode, &spec, &error))
    object = vtree_cache_open (fs->cache, inode->object, &spec, &error);
  *result = object != NULL ? 0 : vtree_fs_fail (fs, inode->index, inode->object, error);
  return object;
}

/* OBJECT did not pass: it is not kept, so that the next reader sees a repaired one. */
static int
fail_object (VtreeFs *fs, const VtreeInode *inode, const VtreeObject *object,
             const GError *error)
{
  vtree_cache_drop (fs->cache, inode->object, object);
  return vtree_fs_fail (fs, inode->index, inode->object, error);
}

/* The inode of NODE, which must be a regular file. */
static int
get_regular (VtreeFs *fs, uint64_t node, VtreeInode *inode)
{
  int result = vtree_fs_inode (fs, node, inode);
  if (result == 0 && S_ISDIR (inode->mode))
    return -EISDIR;
  if (result == 0 && !S_ISREG (inode->mode))
    return -EINVAL;
  return result;
}

int
vtree_fs_open (VtreeFs *fs, uint64_t node)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  int result = get_regular (fs, node, &inode);
  if (result != 0 || inode.object == VTREE_VIEW_NO_OBJECT)
    return result;
  g_autoptr (VtreeObject) object = vtree_fs_open_object (fs, &inode, &result);
  if (object == NULL)
    return result;
  if (!vtree_object_measure (object, &error))
    return fail_object (fs, &inode, object, error);
  return 0;
}

/* SIZE bytes at OFFSET, which the file has. */
static ssize_t
read_object (VtreeFs *fs, const VtreeInode *inode, void *data, size_t size,
             uint64_t offset)
{
  g_autoptr (GError) error = NULL;
  int result = 0;
  size_t got = 0;
  g_autoptr (VtreeObject) object = vtree_fs_open_object (fs, inode, &result);
  if (object == NULL)
    return result;
  if (!vtree_object_read (object, data, size, offset, &got, &error))
    return fail_object (fs, inode, object, error);
  if (got < size) {
    vtree_error_set (&error, VTREE_ERROR_CORRUPT, "read the object: it ends early");
    return fail_object (fs, inode, object, error);
  }
  atomic_fetch_add_explicit (&fs->bytes_read, got, memory_order_relaxed);
  return (ssize_t) got;
}

ssize_t
vtree_fs_read (VtreeFs *fs, uint64_t node, void *data, size_t size, uint64_t offset)
{
  VtreeInode inode;
  int result = get_regular (fs, node, &inode);
  if (result != 0)
    return result;
  if (offset >= inode.size || size == 0)
    return 0;
  uint64_t left = inode.size - offset;
  return read_object (fs, &inode, data, size < left ? size : (size_t) left, offset);
}

int
vtree_fs_digest (VtreeFs *fs, const VtreeInode *inode, VtreeDigest *digest)
{
  g_autoptr (GError) error = NULL;
  const VtreeVerityParams empty = { .alg = fs->totals->alg, .merkle_fd = -1 };
  uint64_t size;
  bool ok = inode->object == VTREE_VIEW_NO_OBJECT
              ? vtree_verity_compute_data (&empty, "", digest, &error)
              : vtree_view_object (fs->view, inode->object, digest, &size, &error);
  return ok ? 0 : vtree_fs_fail (fs, inode->index, VTREE_VIEW_NO_OBJECT, error);
}

int
vtree_fs_measure (VtreeFs *fs, uint64_t node, VtreeDigest *digest)
{
  VtreeInode inode;
  int result = vtree_fs_inode (fs, node, &inode);
  if (result != 0)
    return result;
  if (!S_ISREG (inode.mode))
    return -ENOTTY;
  if (fs->options.verity == VTREE_VERITY_OFF)
    return -ENODATA;
  return vtree_fs_digest (fs, &inode, digest);
}
