/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The callbacks of files: OPEN, READ and RELEASE. Owns the requests among them that
 * wait until their object has been prepared (later.h), and answers them from there.
 */
#include "fuse/ops-private.h"
#include "fuse/reply.h"

#include <errno.h>

/* An OPEN, or a READ of SIZE bytes at OFFSET. */
typedef struct File File;
struct File {
  /* Answers it, or keeps it for later. */
  void (*run) (VtreeOps *ops, const File *file);
  fuse_req_t req;
  fuse_ino_t node;
  size_t size;
  uint64_t offset;
  struct fuse_file_info fi;
};

/* An error, or VTREE_FS_LATER: then a copy of FILE waits. */
static void
reply_or_wait (VtreeOps *ops, const File *file, int result)
{
  if (result != VTREE_FS_LATER) {
    vtree_reply_result (file->req, result);
    return;
  }
  File *waiting = g_new (File, 1);
  *waiting = *file;
  if (vtree_uring_keep (ops->uring, file->req)
      && vtree_later_push (ops->later, file->node, waiting))
    return;
  g_free (waiting);
  vtree_reply_result (file->req, -ENOMEM);
}

static int
prepare (void *context, uint64_t node, const VtreeWhile *wanted)
{
  VtreeOps *ops = context;
  return vtree_fs_prepare (ops->fs, node, wanted);
}

static bool
is_interrupted (void *request)
{
  const File *file = request;
  return fuse_req_interrupted (file->req) != 0
         || vtree_uring_is_interrupted (file->req);
}

static void
answer (void *context, void *request, int result)
{
  g_autofree File *file = request;
  if (result == 0)
    file->run (context, file);
  else
    vtree_reply_result (file->req, result);
}

const VtreeLaterCalls *
vtree_ops_later_calls (void)
{
  static const VtreeLaterCalls calls = { prepare, is_interrupted, answer };
  return &calls;
}

static void
run_open (VtreeOps *ops, const File *file)
{
  struct fuse_file_info fi = file->fi;
  int32_t backing = 0;
  int result = ops->passthrough != NULL
                 ? vtree_passthrough_open (ops->passthrough, file->node, &backing)
                 : vtree_fs_open (ops->fs, file->node, NULL);
  if (result != 0)
    reply_or_wait (ops, file, result);
  else if (!vtree_reply_open (file->req, &fi, backing) && ops->passthrough != NULL)
    vtree_passthrough_release (ops->passthrough, file->node);
}

void
vtree_op_open (fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_OPEN);
  File file = { .run = run_open, .req = req, .node = node, .fi = *fi };
  /* Lazy: the kernel never asks again, and keeps the page cache by itself. */
  if (vtree_fs_open_checked (ops->fs))
    run_open (ops, &file);
  else
    vtree_reply_result (req, -ENOSYS);
}

void
vtree_op_release (fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_RELEASE);
  (void) fi;
  if (ops->passthrough != NULL)
    vtree_passthrough_release (ops->passthrough, node);
  vtree_reply_result (req, 0);
}

/* Below that, a copy costs less than the system calls that save it. Above, libfuse's
 * own pipe, which may be as large as pipe-max-size (1 MiB), can't take a whole
 * reply. */
#define SPLICE_MIN ((size_t) 64 * 1024)
#define SPLICE_MAX ((size_t) 512 * 1024)

/* False: it is not answered. */
static bool
splice_read (VtreeOps *ops, const File *file)
{
  size_t got;
  if (!ops->splices || file->size < SPLICE_MIN || file->size > SPLICE_MAX)
    return false;
  VtreePipe *pipe
    = vtree_fs_splice (ops->fs, file->node, ops->pipes, file->size, file->offset, &got);
  if (pipe == NULL)
    return false;
  vtree_pipes_put (ops->pipes, pipe, vtree_reply_pipe (file->req, pipe, got));
  return true;
}

VtreeAheadResult
vtree_ops_ahead (void *context, uint64_t node, void *data, size_t size, uint64_t offset)
{
  return vtree_fs_read_ahead (context, node, data, size, offset);
}

/* False: it is not answered. */
static bool
ahead_read (VtreeOps *ops, const File *file)
{
  VtreeAheadWanted wanted;
  VtreeAheadSpan span;
  if (ops->ahead == NULL
      || !vtree_fs_wants_ahead (ops->fs, file->node, file->size, file->offset, &wanted)
      || !vtree_ahead_get (ops->ahead, &wanted, &span))
    return false;
  vtree_fs_count_ahead (ops->fs, wanted.size);
  vtree_reply_pieces (file->req, span.data, span.count);
  vtree_ahead_put (ops->ahead, &span);
  return true;
}

static void
run_read (VtreeOps *ops, const File *file)
{
  if (splice_read (ops, file) || ahead_read (ops, file))
    return;
  VtreeBuffer *buffer = vtree_buffers_get (ops->buffers, file->size);
  if (buffer == NULL) {
    vtree_reply_result (file->req, -ENOMEM);
    return;
  }
  ssize_t got
    = vtree_fs_read (ops->fs, file->node, buffer->data, file->size, file->offset);
  if (got >= 0)
    vtree_reply_data (file->req, buffer->data, (size_t) got);
  else
    reply_or_wait (ops, file, (int) got);
  vtree_buffers_put (ops->buffers, buffer);
  if (got > 0 && file->offset == 0)
    vtree_prefetch_read (ops->prefetch, file->node);
}

void
vtree_op_read (fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
               struct fuse_file_info *fi)
{
  VtreeOps *ops = vtree_ops_count (req, VTREE_REQUEST_READ);
  File file = {
    .run = run_read, .req = req, .node = node, .size = size, .offset = (uint64_t) offset
  };
  (void) fi;
  if (offset < 0)
    vtree_reply_result (req, -EINVAL);
  else
    run_read (ops, &file);
}
