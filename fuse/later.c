/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting requests. Owns: the queue and the one thread that works for it, started with
 * the first request. Knows nothing of what a request is.
 */
#include "fuse/later.h"

#include <errno.h>
#include <stdatomic.h>

/* The interrupted ones are looked for after so many questions whether to go on: some
 * 16 MiB of contents. */
#define QUESTIONS_PER_SWEEP 64

typedef struct {
  GList link; /* in the queue, or a list of who is to be answered */
  uint64_t node;
  void *request;
} Waiting;

struct VtreeLater {
  const VtreeLaterCalls *calls;
  void *context;
  atomic_uint questions;
  GMutex ending; /* whoever comes second waits for the end too */
  GMutex lock;   /* all below */
  GCond changed;
  GQueue queue;    /* of Waiting, in the order in which they came */
  GThread *worker; /* NULL until it is needed */
  bool ends;
};

VtreeLater *
vtree_later_new (const VtreeLaterCalls *calls, void *context)
{
  VtreeLater *later = g_new0 (VtreeLater, 1);
  later->calls = calls;
  later->context = context;
  g_mutex_init (&later->ending);
  g_mutex_init (&later->lock);
  g_cond_init (&later->changed);
  g_queue_init (&later->queue);
  return later;
}

/* Which of those who wait are taken out. */
typedef bool (*Choose) (const VtreeLater *later, const Waiting *waiting, uint64_t node);

static bool
is_for_node (const VtreeLater *later, const Waiting *waiting, uint64_t node)
{
  (void) later;
  return waiting->node == node;
}

static bool
is_interrupted (const VtreeLater *later, const Waiting *waiting, uint64_t node)
{
  (void) node;
  return later->calls->is_interrupted (waiting->request);
}

static bool
is_anyone (const VtreeLater *later, const Waiting *waiting, uint64_t node)
{
  (void) later, (void) waiting, (void) node;
  return true;
}

/* Takes out whom CHOOSE chooses, and answers them, without the lock. */
static void
answer (VtreeLater *later, Choose choose, uint64_t node, int result)
{
  GQueue chosen = G_QUEUE_INIT;
  GList *link;
  GList *next;
  g_mutex_lock (&later->lock);
  for (link = later->queue.head; link != NULL; link = next) {
    next = link->next;
    if (!choose (later, link->data, node))
      continue;
    g_queue_unlink (&later->queue, link);
    g_queue_push_tail_link (&chosen, link);
  }
  g_mutex_unlock (&later->lock);
  while ((link = g_queue_pop_head_link (&chosen)) != NULL) {
    g_autofree Waiting *waiting = link->data;
    later->calls->answer (later->context, waiting->request, result);
  }
}

/* VtreeWhile: asked by all who hash for the worker. */
static bool
go_on (void *context)
{
  VtreeLater *later = context;
  g_mutex_lock (&later->lock);
  bool ends = later->ends;
  g_mutex_unlock (&later->lock);
  if (!ends && atomic_fetch_add (&later->questions, 1) % QUESTIONS_PER_SWEEP == 0)
    answer (later, is_interrupted, 0, -EINTR);
  return !ends;
}

/* Waits for the next inode to be prepared; false at the end. */
static bool
next_node (VtreeLater *later, uint64_t *node)
{
  g_mutex_lock (&later->lock);
  while (later->queue.head == NULL && !later->ends)
    g_cond_wait (&later->changed, &later->lock);
  bool ends = later->ends;
  if (!ends)
    *node = ((const Waiting *) later->queue.head->data)->node;
  g_mutex_unlock (&later->lock);
  return !ends;
}

static gpointer
work (gpointer data)
{
  VtreeLater *later = data;
  const VtreeWhile wanted = { go_on, later };
  uint64_t node = 0;
  while (next_node (later, &node)) {
    int result = later->calls->prepare (later->context, node, &wanted);
    /* What was given up is answered with the rest. */
    if (go_on (later))
      answer (later, is_for_node, node, result);
  }
  answer (later, is_anyone, 0, -ENOTCONN);
  return NULL;
}

void
vtree_later_end (VtreeLater *later)
{
  g_mutex_lock (&later->ending);
  g_mutex_lock (&later->lock);
  later->ends = true;
  GThread *worker = g_steal_pointer (&later->worker);
  g_cond_signal (&later->changed);
  g_mutex_unlock (&later->lock);
  if (worker != NULL)
    g_thread_join (worker);
  g_mutex_unlock (&later->ending);
}

void
vtree_later_free (VtreeLater *later)
{
  if (later == NULL)
    return;
  vtree_later_end (later);
  g_mutex_clear (&later->ending);
  g_mutex_clear (&later->lock);
  g_cond_clear (&later->changed);
  g_free (later);
}

/* With the lock. */
static bool
can_take (VtreeLater *later)
{
  if (later->ends || later->queue.length >= VTREE_LATER_MAX)
    return false;
  if (later->worker == NULL)
    later->worker = g_thread_try_new ("vtree-later", work, later, NULL);
  return later->worker != NULL;
}

bool
vtree_later_push (VtreeLater *later, uint64_t node, void *request)
{
  g_mutex_lock (&later->lock);
  bool taken = can_take (later);
  if (taken) {
    Waiting *waiting = g_new0 (Waiting, 1);
    waiting->link.data = waiting;
    waiting->node = node;
    waiting->request = request;
    g_queue_push_tail_link (&later->queue, &waiting->link);
    g_cond_signal (&later->changed);
  }
  g_mutex_unlock (&later->lock);
  return taken;
}
