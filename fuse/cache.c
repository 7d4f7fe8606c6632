/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The open objects. Owns: which are held, and in what order they go. Opens objects
 * through the store alone, never holding the lock.
 */
#include "fuse/cache.h"

/* Each object has up to 4 KiB of leaf hashes, so that this is some 2 MiB at most. The
 * kernel's page cache has the contents; we only save reopening. */
#define CAPACITY_MAX 512
/* The manifest, /dev/fuse, the log, what is being opened, Merkle files in the
 * making. */
#define DESCRIPTORS_RESERVED 64
/* A thread's pipe of libfuse, and one of ours (splice.h). */
#define DESCRIPTORS_PER_THREAD 4

typedef struct {
  uint32_t index;
  VtreeObject *object; /* NULL while it is being opened */
  unsigned descriptors;
  GList link; /* in the queue, when there is an object */
} Entry;

struct VtreeCache {
  const VtreeStore *store;
  unsigned capacity; /* descriptors */
  GMutex lock;       /* everything below */
  GCond opened;
  unsigned waiting;    /* for opened; GLib's condition costs a call even for nobody */
  GHashTable *entries; /* index -> Entry */
  GQueue queue;        /* most recently used first */
  unsigned descriptors;
  VtreeCacheStats stats;
};

static void
entry_free (Entry *entry)
{
  if (entry->object != NULL)
    vtree_object_unref (entry->object);
  g_free (entry);
}

VtreeCache *
vtree_cache_new (const VtreeStore *store, unsigned descriptors)
{
  VtreeCache *cache = g_new0 (VtreeCache, 1);
  cache->store = store;
  cache->capacity = descriptors;
  g_mutex_init (&cache->lock);
  g_cond_init (&cache->opened);
  cache->entries = g_hash_table_new (g_direct_hash, g_direct_equal);
  g_queue_init (&cache->queue);
  return cache;
}

void
vtree_cache_free (VtreeCache *cache)
{
  GHashTableIter iter;
  gpointer entry;
  g_hash_table_iter_init (&iter, cache->entries);
  while (g_hash_table_iter_next (&iter, NULL, &entry))
    entry_free (entry);
  g_hash_table_unref (cache->entries);
  g_cond_clear (&cache->opened);
  g_mutex_clear (&cache->lock);
  g_free (cache);
}

static Entry *
find (const VtreeCache *cache, uint32_t index)
{
  return g_hash_table_lookup (cache->entries, GUINT_TO_POINTER (index));
}

/* With the lock: takes ENTRY out of everything. */
static void
detach (VtreeCache *cache, Entry *entry)
{
  g_hash_table_remove (cache->entries, GUINT_TO_POINTER (entry->index));
  if (entry->object == NULL)
    return;
  g_queue_unlink (&cache->queue, &entry->link);
  cache->descriptors -= entry->descriptors;
  cache->stats.held--;
}

/* With the lock: takes out what is too much, into VICTIMS, to be closed without it. */
static void
evict (VtreeCache *cache, GQueue *victims)
{
  while (cache->descriptors > cache->capacity && cache->queue.length > 1) {
    Entry *entry = cache->queue.tail->data;
    detach (cache, entry);
    g_queue_push_tail_link (victims, &entry->link);
  }
}

static void
free_victims (GQueue *victims)
{
  GList *link;
  while ((link = g_queue_pop_head_link (victims)) != NULL)
    entry_free (link->data);
}

static void
count_opened (VtreeCacheStats *stats, const VtreeObject *object)
{
  VtreeEnforcer enforcer = vtree_object_enforcer (object);
  if (enforcer == VTREE_ENFORCER_KERNEL)
    stats->opened_kernel++;
  else if (enforcer == VTREE_ENFORCER_DAEMON)
    stats->opened_daemon++;
  else
    stats->opened_unverified++;
}

/* With the lock: ENTRY's object is there. */
static void
admit_take (VtreeCache *cache, Entry *entry, VtreeObject *object)
{
  entry->object = object;
  entry->descriptors = vtree_object_descriptors (object);
  cache->descriptors += entry->descriptors;
  cache->stats.held++;
  count_opened (&cache->stats, object);
  g_queue_push_head_link (&cache->queue, &entry->link);
}

/* With the lock: waits while another thread opens INDEX. The entry that is there
 * afterwards has an object; NULL: it is the caller's to open. */
static Entry *
wait_for (VtreeCache *cache, uint32_t index)
{
  Entry *entry;
  while ((entry = find (cache, index)) != NULL && entry->object == NULL) {
    cache->waiting++;
    g_cond_wait (&cache->opened, &cache->lock);
    cache->waiting--;
  }
  return entry;
}

/* With the lock: marks INDEX as being opened. */
static Entry *
reserve (VtreeCache *cache, uint32_t index)
{
  Entry *entry = g_new0 (Entry, 1);
  entry->index = index;
  entry->link.data = entry;
  g_hash_table_insert (cache->entries, GUINT_TO_POINTER (index), entry);
  return entry;
}

/* With the lock: ENTRY was used just now. */
static VtreeObject *
use (VtreeCache *cache, Entry *entry)
{
  g_queue_unlink (&cache->queue, &entry->link);
  g_queue_push_head_link (&cache->queue, &entry->link);
  return vtree_object_ref (entry->object);
}

static VtreeObject *
open_reserved (VtreeCache *cache, Entry *entry, const VtreeObjectSpec *spec,
               GError **error)
{
  GQueue victims = G_QUEUE_INIT;
  VtreeObject *object = vtree_store_open_object (cache->store, spec, error);
  g_mutex_lock (&cache->lock);
  if (object != NULL) {
    admit_take (cache, entry, vtree_object_ref (object));
    evict (cache, &victims);
  } else {
    detach (cache, entry);
    g_queue_push_tail_link (&victims, &entry->link);
  }
  if (cache->waiting > 0)
    g_cond_broadcast (&cache->opened);
  g_mutex_unlock (&cache->lock);
  free_victims (&victims);
  return object;
}

VtreeObject *
vtree_cache_open (VtreeCache *cache, uint32_t index, const VtreeObjectSpec *spec,
                  bool *held, GError **error)
{
  VtreeObject *object = NULL;
  g_mutex_lock (&cache->lock);
  Entry *entry = wait_for (cache, index);
  *held = entry != NULL;
  if (entry != NULL) {
    cache->stats.hits++;
    object = use (cache, entry);
  } else {
    entry = reserve (cache, index);
  }
  g_mutex_unlock (&cache->lock);
  return object != NULL ? object : open_reserved (cache, entry, spec, error);
}

VtreeObject *
vtree_cache_peek (VtreeCache *cache, uint32_t index)
{
  VtreeObject *object = NULL;
  g_mutex_lock (&cache->lock);
  Entry *entry = find (cache, index);
  if (entry != NULL && entry->object != NULL)
    object = vtree_object_ref (entry->object);
  g_mutex_unlock (&cache->lock);
  return object;
}

void
vtree_cache_drop (VtreeCache *cache, uint32_t index, const VtreeObject *object)
{
  g_mutex_lock (&cache->lock);
  Entry *entry = find (cache, index);
  if (entry == NULL || entry->object != object)
    entry = NULL;
  else
    detach (cache, entry);
  g_mutex_unlock (&cache->lock);
  if (entry != NULL)
    entry_free (entry);
}

void
vtree_cache_stats (VtreeCache *cache, VtreeCacheStats *stats)
{
  g_mutex_lock (&cache->lock);
  *stats = cache->stats;
  g_mutex_unlock (&cache->lock);
}

unsigned
vtree_cache_capacity (uint64_t limit, unsigned threads)
{
  uint64_t reserved
    = DESCRIPTORS_RESERVED + (uint64_t) threads * DESCRIPTORS_PER_THREAD;
  if (limit <= reserved + 2)
    return 2;
  return (unsigned) MIN (limit - reserved, CAPACITY_MAX);
}
