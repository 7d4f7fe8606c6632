/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handing file contents to the kernel's page cache, for prefetch.h.
 *
 * The kernel can let a push wait, uninterruptibly, for a page that a READ has locked.
 * Should the daemon end then, it must not be this thread that keeps the connection
 * open, so that the READ is neither answered nor given up: it has descriptors of its
 * own, which are another connection to the same mount and a store's. What others open
 * and close meanwhile has other numbers, or none, here, so the thread uses nothing that
 * keeps descriptors: no log, no libfuse.
 */
#pragma once

#include "fuse/log.h"
#include "fuse/prefetch.h"

/* All is borrowed, and the thread's own from its begin on. */
typedef struct {
  const VtreeStore *store;
  VtreeLog *log;
  int device;                 /* the session's */
  VtreeContention contention; /* not to be filled in */
} VtreePush;

/* The calls for vtree_prefetch_new(), whose context is a VtreePush. */
const VtreePrefetchCalls *vtree_push_calls (void);
