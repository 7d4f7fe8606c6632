/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers to the kernel. The one file behind this calls fuse_reply_*; each function
 * answers its request, once, and for good. A kernel that no longer wants the answer
 * (interrupted, unmounted) is no failure of ours, so nothing is returned.
 */
#pragma once

#include "core/digest.h"
#include "fuse/fs.h"
#include "fuse/library.h"
#include "fuse/splice.h"

/* RESULT: 0 or -errno. */
void vtree_reply_result (fuse_req_t req, int result);
void vtree_reply_entry (fuse_req_t req, const struct stat *st);
/* No such name, which the kernel may remember. */
void vtree_reply_no_entry (fuse_req_t req);
void vtree_reply_attr (fuse_req_t req, const struct stat *st);
void vtree_reply_target (fuse_req_t req, const char *target);
/* The file is opened without a handle. BACKING 0: what is cached of it stays; else the
 * kernel serves it by that id. True: the kernel has the answer, so that there will be a
 * RELEASE. */
bool vtree_reply_open (fuse_req_t req, struct fuse_file_info *fi, int32_t backing);
void vtree_reply_data (fuse_req_t req, const char *data, size_t size);
void vtree_reply_pieces (fuse_req_t req, const struct iovec *pieces, unsigned count);
/* SIZE bytes, which is what PIPE has. True: it is empty now. */
bool vtree_reply_pipe (fuse_req_t req, const VtreePipe *pipe, size_t size);
/* The length of an xattr or of a list. */
void vtree_reply_length (fuse_req_t req, size_t length);
void vtree_reply_statfs (fuse_req_t req, const struct statvfs *st);
void vtree_reply_ioctl (fuse_req_t req, const void *data, size_t size);

/* Directory entries on their way into an answer. */
typedef struct {
  fuse_req_t req;
  char *data;
  size_t size; /* room */
  size_t used;
  bool plus; /* with attributes */
} VtreeReplyEntries;

/* A VtreeFsEmit; CONTEXT is a VtreeReplyEntries. */
bool vtree_reply_add_entry (void *context, const VtreeDirent *entry);
