/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded worker pool that stops at the first error. Used by commit, checkout, fsck.
 *
 *   pool = vtree_pool_new (threads, work, drop, context);
 *   while (…) if (!vtree_pool_push (pool, item)) break;  blocks while the queue is full
 *   ok = vtree_pool_finish (&pool, error);                 waits; first error wins
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct VtreePool VtreePool;

/* Does one ITEM on a worker thread; owns it. */
typedef bool (*VtreePoolWork) (void *context, void *item, GError **error);

/* Processors available to this process (sched_getaffinity), at least 1. */
unsigned vtree_pool_default_threads (void);

/* THREADS 0 means the default; DROP frees items that are never worked on (may be
 * NULL). */
VtreePool *vtree_pool_new (unsigned threads, VtreePoolWork work, GDestroyNotify drop,
                           void *context);

/* Hands ITEM (not NULL) over, waiting while the queue is full. False once any work has
 * failed (ITEM was dropped): stop pushing and call _finish. */
bool vtree_pool_push (VtreePool *pool, void *item);

/* Waits for everything, frees *POOL, and reports the first error. */
bool vtree_pool_finish (VtreePool **pool, GError **error);
