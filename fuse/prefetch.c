/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing ahead. Owns: what the kernel knows and has of each inode (two bits), the
 * policy of what is pushed for which reader, and the thread that does it. Knows no
 * libfuse.
 */
#include "fuse/prefetch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Files that wait to be pushed; of more the oldest are forgotten. */
#define QUEUE_SIZE 512
/* Directories whose readers are remembered. */
#define RECENT_SIZE 64
/* Bytes that are pushed for the first READ in a directory, and the factor for each
 * further one: somebody who wants one file of many costs little. */
#define WINDOW_FIRST ((uint64_t) 256 * 1024)
#define WINDOW_FACTOR 4
/* Entries of a directory that are looked at for one request, and how many that the
 * kernel does not know end it: somebody who reads by names, and lists nothing. */
#define LOOKS_MAX 128
#define STRANGERS_MAX 16
/* So many directories are pushed as they are listed after one of them has been read by
 * READ; the last of them without their first files, which then are. */
#define CREDIT 8
#define CREDIT_PROBES 3
/* A file that has been pushed and is read all the same after so many microseconds has
 * been dropped by the kernel, and so may have been the rest of its directory. */
#define DROPPED_AFTER G_USEC_PER_SEC

/* Files that are loaded together. */
#define BATCH_BYTES ((size_t) 256 * 1024)
#define BATCH_FILES 16
#define BATCH_FIRST 2
/* Who has listed a directory may not have taken in the answer yet: microseconds to
 * wait, and how often. */
#define STRANGER_WAIT 40
#define STRANGER_WAITS 5

/* Microseconds for which nothing is pushed where others want the processors: the first
 * time, and twice as long each further time. */
#define REST_FIRST ((gint64) 50 * 1000)
#define REST_MAX ((gint64) 800 * 1000)

G_STATIC_ASSERT (BATCH_BYTES >= VTREE_PREFETCH_FILE_MAX);
G_STATIC_ASSERT (BATCH_FILES <= VTREE_STORE_LOAD_MAX);

typedef _Atomic uint64_t Bits;

/* A directory that somebody reads. */
typedef struct {
  bool used;
  bool listed; /* and not read since */
  uint32_t inode;
  uint64_t window; /* bytes that were pushed for the last request; 0: none yet */
  gint64 when;     /* that was; monotonic microseconds */
} Recent;

struct VtreePrefetch {
  VtreeFs *fs;
  const VtreePrefetchCalls *calls;
  void *context;
  uint64_t limit;
  uint32_t inodes;
  Bits *known;  /* the kernel has been told of it */
  Bits *done;   /* its contents have been handed to the kernel */
  Bits *queued; /* it waits to be pushed */
  atomic_uint_fast64_t files, bytes;
  atomic_bool off;                 /* nothing will be pushed any more */
  atomic_int_fast64_t rests_until; /* monotonic microseconds */

  GMutex lock; /* all below */
  GCond changed;
  Recent recent[RECENT_SIZE];
  unsigned recent_next;
  unsigned credit;
  VtreeFsSmall queue[QUEUE_SIZE];
  unsigned queue_first, queue_count;
  GThread *pusher; /* NULL until there is something to do */
  bool waits;      /* it does */
  bool runs, ends;
};

/* Files on their way to the kernel: the thread's own. */
typedef struct {
  VtreeStore *store;
  uint8_t *data;  /* BATCH_BYTES */
  unsigned limit; /* files this time: the first ones are wanted soonest */
  unsigned count;
  size_t used;
  gint64 rest; /* microseconds of the last one; 0: there is no need */
  uint64_t nodes[BATCH_FILES];
  VtreeStoreLoad loads[BATCH_FILES];
} Batch;

/* --- bits ------------------------------------------------------------------------- */

static uint64_t
mask_of (uint64_t node)
{
  return UINT64_C (1) << node % 64;
}

static bool
test_bit (const Bits *bits, uint64_t node)
{
  uint64_t word = atomic_load_explicit (&bits[node / 64], memory_order_relaxed);
  return (word & mask_of (node)) != 0;
}

/* Whether it was set before. A bit that is set already costs no write. */
static bool
set_bit (Bits *bits, uint64_t node)
{
  if (test_bit (bits, node))
    return true;
  uint64_t word
    = atomic_fetch_or_explicit (&bits[node / 64], mask_of (node), memory_order_relaxed);
  return (word & mask_of (node)) != 0;
}

static void
clear_bit (Bits *bits, uint64_t node)
{
  atomic_fetch_and_explicit (&bits[node / 64], ~mask_of (node), memory_order_relaxed);
}

/* --- life ------------------------------------------------------------------------- */

VtreePrefetch *
vtree_prefetch_new (VtreeFs *fs, const VtreePrefetchCalls *calls, void *context,
                    uint64_t limit)
{
  g_autoptr (VtreePrefetch) prefetch = g_new0 (VtreePrefetch, 1);
  size_t words = (size_t) vtree_fs_inodes (fs) / 64 + 1;
  prefetch->fs = fs;
  prefetch->calls = calls;
  prefetch->context = context;
  prefetch->limit = limit;
  prefetch->inodes = vtree_fs_inodes (fs);
  g_mutex_init (&prefetch->lock);
  g_cond_init (&prefetch->changed);
  /* Pages that nobody touches cost nothing. */
  prefetch->known = calloc (words, sizeof (Bits));
  prefetch->done = calloc (words, sizeof (Bits));
  prefetch->queued = calloc (words, sizeof (Bits));
  if (prefetch->known == NULL || prefetch->done == NULL || prefetch->queued == NULL)
    return NULL;
  return g_steal_pointer (&prefetch);
}

void
vtree_prefetch_end (VtreePrefetch *prefetch)
{
  if (prefetch == NULL)
    return;
  g_mutex_lock (&prefetch->lock);
  prefetch->ends = true;
  g_cond_signal (&prefetch->changed);
  g_mutex_unlock (&prefetch->lock);
}

bool
vtree_prefetch_has_ended (VtreePrefetch *prefetch)
{
  if (prefetch == NULL)
    return true;
  g_mutex_lock (&prefetch->lock);
  bool ended = !prefetch->runs;
  g_mutex_unlock (&prefetch->lock);
  return ended;
}

void
vtree_prefetch_free (VtreePrefetch *prefetch)
{
  if (prefetch == NULL)
    return;
  vtree_prefetch_end (prefetch);
  if (prefetch->pusher != NULL)
    g_thread_join (prefetch->pusher);
  free (prefetch->known);
  free (prefetch->done);
  free (prefetch->queued);
  g_mutex_clear (&prefetch->lock);
  g_cond_clear (&prefetch->changed);
  g_free (prefetch);
}

/* --- pushing ---------------------------------------------------------------------- */

static bool
ends (VtreePrefetch *prefetch)
{
  g_mutex_lock (&prefetch->lock);
  bool answer = prefetch->ends;
  g_mutex_unlock (&prefetch->lock);
  return answer;
}

/* Adds FILE to BATCH; false: it has no room. */
static bool
collect (VtreePrefetch *prefetch, Batch *batch, const VtreeFsSmall *file)
{
  if (batch->count == batch->limit || file->size > BATCH_BYTES - batch->used)
    return false;
  /* What has been read meanwhile is there. */
  if (test_bit (prefetch->done, file->node))
    return true;
  batch->nodes[batch->count] = file->node;
  batch->loads[batch->count++] = (VtreeStoreLoad){ .digest = file->digest,
                                                   .size = file->size,
                                                   .data = batch->data + batch->used };
  batch->used += file->size;
  return true;
}

/* With the lock. */
static void
drop_first (VtreePrefetch *prefetch)
{
  clear_bit (prefetch->queued, prefetch->queue[prefetch->queue_first].node);
  prefetch->queue_first = (prefetch->queue_first + 1) % QUEUE_SIZE;
  prefetch->queue_count--;
}

/* Fills BATCH from the queue, waiting until there is something; false at the end. */
static bool
fill (VtreePrefetch *prefetch, Batch *batch)
{
  batch->count = 0;
  batch->used = 0;
  batch->limit = MIN (MAX (batch->limit * 2, BATCH_FIRST), BATCH_FILES);
  g_mutex_lock (&prefetch->lock);
  while (prefetch->queue_count == 0 && !prefetch->ends) {
    batch->limit = BATCH_FIRST;
    prefetch->waits = true;
    g_cond_wait (&prefetch->changed, &prefetch->lock);
    prefetch->waits = false;
  }
  while (prefetch->queue_count > 0
         && collect (prefetch, batch, &prefetch->queue[prefetch->queue_first]))
    drop_first (prefetch);
  bool more = !prefetch->ends;
  g_mutex_unlock (&prefetch->lock);
  return more;
}

/* Pushes what the kernel may not know yet: it gets *WAITS more moments to learn it. */
static int
push_patiently (VtreePrefetch *prefetch, uint64_t node, const VtreeStoreLoad *load,
                unsigned *waits)
{
  int result;
  while (
    (result = prefetch->calls->push (prefetch->context, node, load->data, load->size))
      == -ENOENT
    && *waits > 0) {
    --*waits;
    g_usleep (STRANGER_WAIT);
  }
  return result;
}

/* Another file may have more luck, or this one later. */
static bool
is_passing (int result)
{
  return result == -ENOENT || result == -ENOMEM || result == -EAGAIN
         || result == -EINTR;
}

/* False ends it all. */
static bool
push_batch (VtreePrefetch *prefetch, const Batch *batch)
{
  unsigned waits = STRANGER_WAITS;
  for (unsigned i = 0; i < batch->count && !ends (prefetch); i++) {
    uint64_t node = batch->nodes[i];
    const VtreeStoreLoad *load = &batch->loads[i];
    if (!load->loaded || test_bit (prefetch->done, node))
      continue;
    int result = push_patiently (prefetch, node, load, &waits);
    if (result == -ENOENT)
      clear_bit (prefetch->known, node);
    if (is_passing (result))
      continue;
    if (result != 0)
      return false;
    set_bit (prefetch->done, node);
    atomic_fetch_add_explicit (&prefetch->files, 1, memory_order_relaxed);
    atomic_fetch_add_explicit (&prefetch->bytes, load->size, memory_order_relaxed);
  }
  return true;
}

/* Where others want the processors, what waits to be pushed waits longer, and nothing
 * is added meanwhile: what is read until then has not to be pushed. */
static void
rest_if_crowded (VtreePrefetch *prefetch, Batch *batch)
{
  VtreeContentionLevel level = prefetch->calls->contention (prefetch->context);
  if (level == VTREE_CONTENTION_LOW)
    batch->rest = 0;
  if (level != VTREE_CONTENTION_HIGH)
    return;
  batch->rest = MIN (MAX (batch->rest * 2, REST_FIRST), REST_MAX);
  gint64 until = g_get_monotonic_time () + batch->rest;
  atomic_store (&prefetch->rests_until, until);
  g_mutex_lock (&prefetch->lock);
  while (!prefetch->ends
         && g_cond_wait_until (&prefetch->changed, &prefetch->lock, until))
    continue;
  g_mutex_unlock (&prefetch->lock);
}

static gpointer
run (gpointer data)
{
  VtreePrefetch *prefetch = data;
  Batch batch = { .store = prefetch->calls->begin (prefetch->context),
                  .data = malloc (BATCH_BYTES) };
  bool ok = batch.store != NULL && batch.data != NULL;
  while (ok && fill (prefetch, &batch)) {
    vtree_fs_load (prefetch->fs, batch.store, batch.loads, batch.count);
    ok = push_batch (prefetch, &batch);
    rest_if_crowded (prefetch, &batch);
  }
  free (batch.data);
  if (batch.store != NULL) {
    vtree_store_free (batch.store);
    prefetch->calls->end (prefetch->context);
  }
  atomic_store (&prefetch->off, true);
  g_mutex_lock (&prefetch->lock);
  prefetch->runs = false;
  prefetch->ends = true;
  g_mutex_unlock (&prefetch->lock);
  return NULL;
}

/* With the lock: there is a thread, or it all has ended. */
static void
start (VtreePrefetch *prefetch)
{
  if (prefetch->pusher != NULL || prefetch->ends)
    return;
  prefetch->pusher = g_thread_try_new ("vtree-push", run, prefetch, NULL);
  prefetch->runs = prefetch->pusher != NULL;
  prefetch->ends = prefetch->pusher == NULL;
}

static void
enqueue (VtreePrefetch *prefetch, const VtreeFsSmall *files, unsigned count)
{
  g_mutex_lock (&prefetch->lock);
  start (prefetch);
  for (unsigned i = 0; i < count; i++) {
    if (prefetch->queue_count == QUEUE_SIZE)
      drop_first (prefetch);
    unsigned last = (prefetch->queue_first + prefetch->queue_count++) % QUEUE_SIZE;
    prefetch->queue[last] = files[i];
  }
  if (prefetch->waits)
    g_cond_signal (&prefetch->changed);
  g_mutex_unlock (&prefetch->lock);
}

/* --- policy ----------------------------------------------------------------------- */

/* What is to be pushed: of DIRECTORY from entry FIRST on, round to it again. */
typedef struct {
  VtreeDirectory directory;
  uint32_t first;
  uint64_t window;   /* bytes; 0: nothing */
  bool dropped;      /* the kernel has dropped what it had */
  unsigned left_out; /* files that are not pushed, at first */
} Plan;

/* Whether FILE, which the kernel knows, is one that it does not have. */
static bool
is_lacking (VtreePrefetch *prefetch, const Plan *plan, const VtreeFsSmall *file)
{
  if (plan->dropped)
    clear_bit (prefetch->done, file->node);
  return !test_bit (prefetch->done, file->node);
}

static void
carry_out (VtreePrefetch *prefetch, Plan *plan)
{
  VtreeFsSmall files[VTREE_PREFETCH_COUNT_MAX];
  uint32_t looks = MIN (plan->directory.count, LOOKS_MAX);
  unsigned count = 0, strangers = 0;
  for (uint32_t i = 0; i < looks && plan->window > 0 && strangers < STRANGERS_MAX
                       && count < VTREE_PREFETCH_COUNT_MAX;
       i++) {
    uint32_t n = (uint32_t) (((uint64_t) plan->first + i) % plan->directory.count);
    VtreeFsSmall *file = &files[count];
    if (!vtree_fs_small (prefetch->fs, &plan->directory, n, VTREE_PREFETCH_FILE_MAX,
                         file))
      continue;
    if (!test_bit (prefetch->known, file->node))
      strangers++;
    else if (plan->left_out > 0)
      plan->left_out--;
    else if (is_lacking (prefetch, plan, file)
             && !set_bit (prefetch->queued, file->node)) {
      count++;
      plan->window -= MIN (plan->window, file->size);
    }
  }
  if (count > 0)
    enqueue (prefetch, files, count);
}

/* With the lock. */
static Recent *
get_recent (VtreePrefetch *prefetch, uint32_t inode)
{
  for (unsigned i = 0; i < RECENT_SIZE; i++)
    if (prefetch->recent[i].used && prefetch->recent[i].inode == inode)
      return &prefetch->recent[i];
  Recent *recent = &prefetch->recent[prefetch->recent_next];
  prefetch->recent_next = (prefetch->recent_next + 1) % RECENT_SIZE;
  *recent = (Recent){ .used = true, .inode = inode };
  return recent;
}

/* With the lock. */
static void
widen (const VtreePrefetch *prefetch, Recent *recent, Plan *plan)
{
  uint64_t window = recent->window * WINDOW_FACTOR;
  recent->window = MIN (MAX (window, WINDOW_FIRST), prefetch->limit);
  recent->when = g_get_monotonic_time ();
  plan->window = recent->window;
}

/* AGAIN: what has been read had been handed out before. */
static void
decide_read (VtreePrefetch *prefetch, bool again, Plan *plan)
{
  g_mutex_lock (&prefetch->lock);
  Recent *recent = get_recent (prefetch, plan->directory.inode);
  if (recent->listed)
    prefetch->credit = CREDIT;
  recent->listed = false;
  plan->dropped = again && recent->when != 0
                  && g_get_monotonic_time () - recent->when > DROPPED_AFTER;
  widen (prefetch, recent, plan);
  g_mutex_unlock (&prefetch->lock);
}

static void
decide_listed (VtreePrefetch *prefetch, Plan *plan)
{
  g_mutex_lock (&prefetch->lock);
  Recent *recent = get_recent (prefetch, plan->directory.inode);
  recent->listed = true;
  if (prefetch->credit > 0) {
    plan->left_out = prefetch->credit <= CREDIT_PROBES ? 1 : 0;
    prefetch->credit--;
    widen (prefetch, recent, plan);
  }
  g_mutex_unlock (&prefetch->lock);
}

/* --- what the requests tell ------------------------------------------------------- */

void
vtree_prefetch_known (VtreePrefetch *prefetch, uint64_t node)
{
  if (prefetch != NULL && node <= prefetch->inodes)
    set_bit (prefetch->known, node);
}

static bool
rests (VtreePrefetch *prefetch)
{
  return atomic_load (&prefetch->off)
         || g_get_monotonic_time () < atomic_load (&prefetch->rests_until);
}

void
vtree_prefetch_read (VtreePrefetch *prefetch, uint64_t node)
{
  Plan plan = { 0 };
  uint32_t n;
  if (prefetch == NULL || node > prefetch->inodes)
    return;
  bool again = set_bit (prefetch->done, node);
  if (rests (prefetch) || !vtree_fs_place (prefetch->fs, node, &plan.directory, &n))
    return;
  plan.first = n + 1;
  decide_read (prefetch, again, &plan);
  carry_out (prefetch, &plan);
}

void
vtree_prefetch_listed (VtreePrefetch *prefetch, uint64_t node)
{
  Plan plan = { 0 };
  if (prefetch == NULL || rests (prefetch)
      || !vtree_fs_children (prefetch->fs, node, &plan.directory))
    return;
  decide_listed (prefetch, &plan);
  carry_out (prefetch, &plan);
}

bool
vtree_prefetch_has_done (const VtreePrefetch *prefetch, uint64_t node)
{
  return prefetch != NULL && node <= prefetch->inodes
         && test_bit (prefetch->done, node);
}

void
vtree_prefetch_status (VtreePrefetch *prefetch, struct vtree_status *status)
{
  if (prefetch == NULL)
    return;
  status->prefetched_files
    = atomic_load_explicit (&prefetch->files, memory_order_relaxed);
  status->prefetched_bytes
    = atomic_load_explicit (&prefetch->bytes, memory_order_relaxed);
}
