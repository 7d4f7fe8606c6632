/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns worker threads and the bounded queue before them. Knows nothing of the items.
 */
#include "core/pool.h"

#include <sched.h>

/* Waiting items a thread: enough that a worker never waits for the producer's turn. */
#define QUEUE_PER_THREAD 8

struct VtreePool {
  VtreePoolWork work;
  GDestroyNotify drop; /* may be NULL */
  void *context;
  GPtrArray *threads; /* of GThread; empty where none could be started */
  unsigned room;      /* most items that wait */

  GMutex lock; /* for all below */
  GCond item_came;
  GCond item_went;
  GQueue items;
  bool closed;   /* no item comes any more */
  GError *error; /* the first one */
};

unsigned
vtree_pool_default_threads (void)
{
  cpu_set_t set;
  CPU_ZERO (&set);
  if (sched_getaffinity (0, sizeof set, &set) == 0)
    return (unsigned) MAX (CPU_COUNT (&set), 1);
  return g_get_num_processors (); /* more than 1024 processors */
}

static void
drop_item (VtreePool *pool, void *item)
{
  if (pool->drop != NULL)
    pool->drop (item);
}

/* Does ITEM without the lock; keeps the first error. */
static void
work_on (VtreePool *pool, void *item)
{
  g_autoptr (GError) error = NULL;
  if (pool->work (pool->context, item, &error))
    return;
  g_assert (error != NULL);
  g_mutex_lock (&pool->lock);
  if (pool->error == NULL)
    pool->error = g_steal_pointer (&error);
  g_cond_broadcast (&pool->item_went);
  g_mutex_unlock (&pool->lock);
}

/* Waits for the next item; NULL at the end. *FAILED tells whether to drop it. */
static void *
next_item (VtreePool *pool, bool *failed)
{
  g_mutex_lock (&pool->lock);
  while (g_queue_is_empty (&pool->items) && !pool->closed)
    g_cond_wait (&pool->item_came, &pool->lock);
  void *item = g_queue_pop_head (&pool->items);
  *failed = pool->error != NULL;
  g_cond_signal (&pool->item_went);
  g_mutex_unlock (&pool->lock);
  return item;
}

static gpointer
run_worker (gpointer data)
{
  VtreePool *pool = data;
  bool failed;
  void *item;
  while ((item = next_item (pool, &failed)) != NULL) {
    if (failed)
      drop_item (pool, item);
    else
      work_on (pool, item);
  }
  return NULL;
}

VtreePool *
vtree_pool_new (unsigned threads, VtreePoolWork work, GDestroyNotify drop,
                void *context)
{
  VtreePool *pool = g_new0 (VtreePool, 1);
  pool->work = work;
  pool->drop = drop;
  pool->context = context;
  pool->threads = g_ptr_array_new ();
  g_mutex_init (&pool->lock);
  g_cond_init (&pool->item_came);
  g_cond_init (&pool->item_went);
  g_queue_init (&pool->items);
  if (threads == 0)
    threads = vtree_pool_default_threads ();
  pool->room = threads * QUEUE_PER_THREAD;
  for (unsigned i = 0; i < threads; i++) {
    GThread *thread = g_thread_try_new ("vtree-worker", run_worker, pool, NULL);
    if (thread == NULL)
      break; /* at the limit of threads: fewer do the same work */
    g_ptr_array_add (pool->threads, thread);
  }
  return pool;
}

/* Waits for room and queues ITEM; false if some work has failed. */
static bool
enqueue (VtreePool *pool, void *item)
{
  g_mutex_lock (&pool->lock);
  while (pool->items.length >= pool->room && pool->error == NULL)
    g_cond_wait (&pool->item_went, &pool->lock);
  bool failed = pool->error != NULL;
  if (!failed) {
    g_queue_push_tail (&pool->items, item);
    g_cond_signal (&pool->item_came);
  }
  g_mutex_unlock (&pool->lock);
  return !failed;
}

bool
vtree_pool_push (VtreePool *pool, void *item)
{
  g_assert (item != NULL);
  if (pool->threads->len > 0) {
    bool queued = enqueue (pool, item);
    if (!queued)
      drop_item (pool, item);
    return queued;
  }
  if (pool->error != NULL) {
    drop_item (pool, item);
    return false;
  }
  work_on (pool, item);
  return pool->error == NULL;
}

bool
vtree_pool_finish (VtreePool **pool_pointer, GError **error)
{
  VtreePool *pool = g_steal_pointer (pool_pointer);
  g_mutex_lock (&pool->lock);
  pool->closed = true;
  g_cond_broadcast (&pool->item_came);
  g_mutex_unlock (&pool->lock);
  for (guint i = 0; i < pool->threads->len; i++)
    g_thread_join (pool->threads->pdata[i]);

  bool ok = pool->error == NULL;
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&pool->error));
  g_ptr_array_unref (pool->threads);
  g_mutex_clear (&pool->lock);
  g_cond_clear (&pool->item_came);
  g_cond_clear (&pool->item_went);
  g_free (pool);
  return ok;
}
