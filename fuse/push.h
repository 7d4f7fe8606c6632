/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handing file contents to the kernel's page cache, for prefetch.h.
 *
 * The kernel can let a push wait, uninterruptibly, for a page that a READ has locked.
 * Should the daemon be killed then, it must not be this thread that keeps the connection
 * open, so that the READ is neither answered nor given up: it has descriptors of its
 * own, and the connection among them is another one to the same mount.
 */
#pragma once

#include "fuse/log.h"
#include "fuse/prefetch.h"

struct fuse_session;

/* All is borrowed. */
typedef struct {
  struct fuse_session *session;
  const VtreeStore *store;
  VtreeLog *log;
  int device; /* the session's */
  int keeper; /* whose end of file tells that the daemon has died, or -1 */
} VtreePush;

/* The calls for vtree_prefetch_new(), whose context is a VtreePush. */
const VtreePrefetchCalls *vtree_push_calls (void);
