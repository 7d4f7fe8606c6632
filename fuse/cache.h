/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The open objects: a bounded set, the least recently used one goes first. An object is
 * known by its index in the manifest, so duplicate files share one. Thread-safe;
 * objects are opened and measured without the lock, each by one thread while others who
 * want the same one wait. A failure is not remembered: the next reader tries again, so
 * that a repaired object can be read at once.
 */
#pragma once

#include "core/store.h"

typedef struct VtreeCache VtreeCache;

typedef struct {
  uint64_t hits;
  uint64_t opened_kernel; /* opened so far, by who enforces them */
  uint64_t opened_daemon;
  uint64_t opened_unverified;
  uint64_t held; /* now */
} VtreeCacheStats;

/* STORE is borrowed. DESCRIPTORS: at most so many are held (at least one object is). */
VtreeCache *vtree_cache_new (const VtreeStore *store, unsigned descriptors);
void vtree_cache_free (VtreeCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeCache, vtree_cache_free)

/* The object number INDEX of the manifest, which says SPEC of it; a new reference.
 * *HELD: it was open already, so that the store may have a better one by now. Errors:
 * as vtree_store_open_object(). */
VtreeObject *vtree_cache_open (VtreeCache *cache, uint32_t index,
                               const VtreeObjectSpec *spec, bool *held, GError **error);

/* The object if it is held now (a new reference), else NULL. */
VtreeObject *vtree_cache_peek (VtreeCache *cache, uint32_t index);

/* Forgets OBJECT, which turned out to be bad; the next _open takes it from the
 * store. */
void vtree_cache_drop (VtreeCache *cache, uint32_t index, const VtreeObject *object);

/* The counters, all of one moment. */
void vtree_cache_stats (VtreeCache *cache, VtreeCacheStats *stats);

/* How many descriptors a process may hold that may open LIMIT files, with THREADS that
 * answer requests: room is left for their pipes and the rest of the daemon, and memory
 * is bounded too. */
unsigned vtree_cache_capacity (uint64_t limit, unsigned threads);
