/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The callbacks that libfuse calls, and what they work on.
 */
#pragma once

#include "fuse/ahead.h"
#include "fuse/buffers.h"
#include "fuse/fs.h"
#include "fuse/later.h"
#include "fuse/library.h"
#include "fuse/passthrough.h"
#include "fuse/prefetch.h"
#include "fuse/splice.h"
#include "fuse/uring.h"

/* The userdata of a session; all of it is borrowed. */
typedef struct {
  VtreeFs *fs;
  VtreeBuffers *buffers;
  VtreePassthrough *passthrough; /* NULL: not asked for */
  VtreeLater *later;             /* of vtree_ops_later_calls() */
  VtreePrefetch *prefetch;       /* NULL: none */
  VtreeUring *uring;             /* NULL: not asked for, or not to be had */
  VtreePipes *pipes;
  VtreeAhead *ahead; /* of vtree_ops_ahead(); NULL: one processor */
  /* set at INIT: the kernel does without OPENDIR; it takes spliced replies */
  bool no_opendir, splices;
} VtreeOps;

/* What _later needs; its context has to be the VtreeOps. */
const VtreeLaterCalls *vtree_ops_later_calls (void);

/* What _ahead needs; its context has to be the VtreeFs. */
VtreeAheadResult vtree_ops_ahead (void *context, uint64_t node, void *data, size_t size,
                                  uint64_t offset);

/* The table; userdata has to be a VtreeOps. */
const struct fuse_lowlevel_ops *vtree_ops_table (void);
