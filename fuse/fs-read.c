/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system's semantics: contents. Owns the way from an inode to verified bytes,
 * and what becomes of an object that fails.
 */
#include "fuse/fs-private.h"

#include "core/verity.h"
#include "fuse/errno.h"

#include <errno.h>

/* Other readers of a bad object hold it again and again; that has to end. */
#define ATTEMPTS 3
/* What is no larger is hashed whole at the first READ. */
#define AHEAD_MIN ((uint64_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE)

/* Does something with an open object. */
typedef bool (*UseObject) (VtreeObject *object, void *context, GError **error);

/* No fault of the object: it is still being prepared, or that was given up. */
static bool
is_passing (const GError *error)
{
  return g_error_matches (error, VTREE_ERROR, VTREE_ERROR_BUSY)
         || g_error_matches (error, VTREE_ERRNO_ERROR, EINTR);
}

/* Opens INODE's object and has USE use it. An object that does not pass is not kept, so
 * that the next reader sees a repaired one; one that was held when it failed is tried
 * again from the store at once, which may have been repaired since. */
static bool
use_object (VtreeFs *fs, const VtreeInode *inode, UseObject use, void *context,
            GError **error)
{
  VtreeObjectSpec spec = { .policy = fs->options.verity, .deferred = true };
  bool held = true;
  bool ok = false;
  if (!vtree_view_object (fs->view, inode->object, &spec.digest, &spec.size, error))
    return false;
  for (int attempts = 0; !ok && held && attempts < ATTEMPTS; attempts++) {
    g_clear_error (error);
    g_autoptr (VtreeObject) object
      = vtree_cache_open (fs->cache, inode->object, &spec, &held, error);
    ok = object != NULL && use (object, context, error);
    if (object == NULL || (!ok && is_passing (*error)))
      return false;
    if (!ok)
      vtree_cache_drop (fs->cache, inode->object, object);
  }
  return ok;
}

/* The -errno for what befell INODE's object, told where it is a fault. */
static int
fail (VtreeFs *fs, const VtreeInode *inode, const GError *error)
{
  if (is_passing (error))
    return -vtree_errno_from_error (error);
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

static bool
measure_object (VtreeObject *object, void *context, GError **error)
{
  VtreeObject **measured = context;
  if (!vtree_object_measure (object, error))
    return false;
  *measured = vtree_object_ref (object);
  return true;
}

int
vtree_fs_object (VtreeFs *fs, const VtreeInode *inode, VtreeObject **object)
{
  g_autoptr (GError) error = NULL;
  if (use_object (fs, inode, measure_object, object, &error))
    return 0;
  return fail (fs, inode, error);
}

static bool
prepare_object (VtreeObject *object, void *context, GError **error)
{
  const VtreeWhile *wanted = context;
  return vtree_object_prepare (object, wanted, error);
}

int
vtree_fs_prepare (VtreeFs *fs, uint64_t node, const VtreeWhile *wanted)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  int result = get_regular (fs, node, &inode);
  if (result != 0 || inode.object == VTREE_VIEW_NO_OBJECT)
    return result;
  if (use_object (fs, &inode, prepare_object, (void *) wanted, &error))
    return 0;
  return fail (fs, &inode, error);
}

int
vtree_fs_open (VtreeFs *fs, uint64_t node, VtreeObject **object)
{
  VtreeInode inode;
  g_autoptr (VtreeObject) opened = NULL;
  int result = get_regular (fs, node, &inode);
  if (result == 0 && inode.object != VTREE_VIEW_NO_OBJECT)
    result = vtree_fs_object (fs, &inode, &opened);
  if (result == 0 && object != NULL)
    *object = g_steal_pointer (&opened);
  return result;
}

/* What one READ wants: bytes that the file has. */
typedef struct {
  void *data;
  size_t size;
  uint64_t offset;
} Range;

static bool
read_object (VtreeObject *object, void *context, GError **error)
{
  const Range *range = context;
  size_t got = 0;
  if (!vtree_object_read (object, range->data, range->size, range->offset, &got, error))
    return false;
  return got == range->size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "read the object: it ends early");
}

ssize_t
vtree_fs_read (VtreeFs *fs, uint64_t node, void *data, size_t size, uint64_t offset)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  int result = get_regular (fs, node, &inode);
  if (result != 0)
    return result;
  if (offset >= inode.size || size == 0)
    return 0;
  Range range = { data, (size_t) MIN (size, inode.size - offset), offset };
  if (!use_object (fs, &inode, read_object, &range, &error))
    return fail (fs, &inode, error);
  atomic_fetch_add_explicit (&fs->bytes_read, range.size, memory_order_relaxed);
  return (ssize_t) range.size;
}

bool
vtree_fs_wants_ahead (VtreeFs *fs, uint64_t node, size_t size, uint64_t offset,
                      VtreeAheadWanted *wanted)
{
  VtreeInode inode;
  if (fs->options.verity == VTREE_VERITY_OFF || get_regular (fs, node, &inode) != 0
      || inode.size <= AHEAD_MIN || offset >= inode.size || size == 0)
    return false;
  *wanted = (VtreeAheadWanted){ .node = node,
                                .file_size = inode.size,
                                .offset = offset,
                                .size = (size_t) MIN (size, inode.size - offset) };
  return true;
}

/* What is read ahead, and whether that is the daemon's to verify. */
typedef struct {
  Range range;
  bool daemon;
} Ahead;

static bool
read_object_ahead (VtreeObject *object, void *context, GError **error)
{
  Ahead *wanted = context;
  wanted->daemon = vtree_object_enforcer (object) == VTREE_ENFORCER_DAEMON;
  return !wanted->daemon || read_object (object, &wanted->range, error);
}

VtreeAheadResult
vtree_fs_read_ahead (VtreeFs *fs, uint64_t node, void *data, size_t size,
                     uint64_t offset)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  Ahead wanted = { .range = { data, size, offset } };
  if (get_regular (fs, node, &inode) != 0)
    return VTREE_AHEAD_FAILED;
  if (!use_object (fs, &inode, read_object_ahead, &wanted, &error))
    return is_passing (error) ? VTREE_AHEAD_LATER : VTREE_AHEAD_FAILED;
  return wanted.daemon ? VTREE_AHEAD_READ : VTREE_AHEAD_FAILED;
}

void
vtree_fs_count_ahead (VtreeFs *fs, size_t size)
{
  atomic_fetch_add_explicit (&fs->reads_ahead, 1, memory_order_relaxed);
  atomic_fetch_add_explicit (&fs->bytes_read, size, memory_order_relaxed);
}

/* What one spliced READ wants, and gets. */
typedef struct {
  VtreePipes *pipes;
  size_t size;
  uint64_t offset;
  VtreePipe *pipe;
} Splice;

/* What fails is tried again by read_object(), which knows the errors. */
static bool
splice_object (VtreeObject *object, void *context, GError **error)
{
  Splice *wanted = context;
  int fd = vtree_object_peek_fd (object);
  (void) error;
  if (fd < 0 || vtree_object_enforcer (object) == VTREE_ENFORCER_DAEMON)
    return true;
  VtreePipe *pipe = vtree_pipes_get (wanted->pipes, wanted->size);
  if (pipe == NULL)
    return true;
  if (vtree_pipe_fill (pipe, fd, wanted->size, wanted->offset))
    wanted->pipe = pipe;
  else
    vtree_pipes_put (wanted->pipes, pipe, false);
  return true;
}

VtreePipe *
vtree_fs_splice (VtreeFs *fs, uint64_t node, VtreePipes *pipes, size_t size,
                 uint64_t offset, size_t *got)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  if (get_regular (fs, node, &inode) != 0 || offset >= inode.size || size == 0)
    return NULL;
  Splice wanted = { pipes, (size_t) MIN (size, inode.size - offset), offset, NULL };
  if (!use_object (fs, &inode, splice_object, &wanted, &error) || wanted.pipe == NULL)
    return NULL;
  *got = wanted.size;
  atomic_fetch_add_explicit (&fs->reads_spliced, 1, memory_order_relaxed);
  atomic_fetch_add_explicit (&fs->bytes_read, wanted.size, memory_order_relaxed);
  return wanted.pipe;
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
