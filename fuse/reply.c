/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers. Owns every call of fuse_reply_*, and what the kernel is told to remember.
 * What is signed never changes while it is mounted, so the kernel may keep names,
 * attributes and absences as long as it likes.
 */
#include "fuse/reply.h"

#include "fuse/backing.h"

#include <errno.h>

/* Seconds: some thirty years. libfuse makes whole seconds and nanoseconds of it, and
 * the kernel jiffies; all of them far from an overflow. */
#define FOR_EVER 1e9

void
vtree_reply_result (fuse_req_t req, int result)
{
  fuse_reply_err (req, -result);
}

static struct fuse_entry_param
make_entry (const struct stat *st)
{
  return (struct fuse_entry_param){
    .ino = st->st_ino,
    .attr = *st,
    .attr_timeout = FOR_EVER,
    .entry_timeout = FOR_EVER,
  };
}

void
vtree_reply_entry (fuse_req_t req, const struct stat *st)
{
  struct fuse_entry_param entry = make_entry (st);
  fuse_reply_entry (req, &entry);
}

void
vtree_reply_no_entry (fuse_req_t req)
{
  struct fuse_entry_param entry = { .entry_timeout = FOR_EVER };
  fuse_reply_entry (req, &entry);
}

void
vtree_reply_attr (fuse_req_t req, const struct stat *st)
{
  fuse_reply_attr (req, st, FOR_EVER);
}

void
vtree_reply_target (fuse_req_t req, const char *target)
{
  fuse_reply_readlink (req, target);
}

bool
vtree_reply_open (fuse_req_t req, struct fuse_file_info *fi, int32_t backing)
{
  /* With a backing file there is nothing to keep, and the kernel refuses to be told. */
  fi->keep_cache = backing == 0;
  fi->cache_readdir = backing == 0;
  vtree_backing_set (fi, backing);
  return fuse_reply_open (req, fi) == 0;
}

void
vtree_reply_data (fuse_req_t req, const char *data, size_t size)
{
  fuse_reply_buf (req, data, size);
}

void
vtree_reply_pieces (fuse_req_t req, const struct iovec *pieces, unsigned count)
{
  fuse_reply_iov (req, pieces, (int) count);
}

/* libfuse moves the pages into a pipe of its own, behind the answer's header; where
 * that is too small it reads them. Both end early only if the pipe does, which has SIZE
 * bytes. Where its own pipe fails it answers with that error instead, and returns 0
 * with bytes left in ours: that one is then taken for empty, until vtree_pipe_fill()
 * counts more in it than was filled in, and it goes. */
bool
vtree_reply_pipe (fuse_req_t req, const VtreePipe *pipe, size_t size)
{
  struct fuse_bufvec vector = FUSE_BUFVEC_INIT (size);
  vector.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_RETRY;
  vector.buf[0].fd = pipe->read_fd;
  return fuse_reply_data (req, &vector, 0) == 0;
}

void
vtree_reply_length (fuse_req_t req, size_t length)
{
  fuse_reply_xattr (req, length);
}

void
vtree_reply_statfs (fuse_req_t req, const struct statvfs *st)
{
  fuse_reply_statfs (req, st);
}

void
vtree_reply_ioctl (fuse_req_t req, const void *data, size_t size)
{
  fuse_reply_ioctl (req, 0, data, size);
}

/* The bytes that ENTRY needs; more than SPACE: it was not written. */
static size_t
add_plus (const VtreeReplyEntries *entries, size_t space, const VtreeDirent *entry)
{
  struct fuse_entry_param param = make_entry (&entry->st);
  /* The kernel takes no reference for these two. */
  if (entry->is_dot)
    param.ino = 0;
  return fuse_add_direntry_plus (entries->req, entries->data + entries->used, space,
                                 entry->name, &param, (off_t) entry->next);
}

bool
vtree_reply_add_entry (void *context, const VtreeDirent *entry)
{
  VtreeReplyEntries *entries = context;
  size_t space = entries->size - entries->used;
  size_t needed
    = entries->plus
        ? add_plus (entries, space, entry)
        : fuse_add_direntry (entries->req, entries->data + entries->used, space,
                             entry->name, &entry->st, (off_t) entry->next);
  if (needed > space)
    return false;
  entries->used += needed;
  return true;
}
