/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the threads that hash one file's contents, and the ring in which their hashes
 * wait for those that come before them. Who reads a run hashes it too: its bytes are in
 * that processor's cache.
 */
#include "core/verity-crew.h"

#include "core/pool.h"

#define HELPERS_MAX 7
#define RUN_BLOCKS (VTREE_CREW_RUN / VTREE_BLOCK_SIZE)
/* How many runs one thread may be ahead of another. */
#define RING 32

typedef struct {
  bool hashed; /* with the lock */
  size_t blocks;
  uint8_t hashes[RUN_BLOCKS * VTREE_DIGEST_MAX_SIZE];
} Run;

typedef struct {
  const VtreeCrewContents *contents;
  const EVP_MD *md;
  uint64_t total; /* runs */
  Run *ring;
  unsigned size; /* of the ring */
  GThread *helpers[HELPERS_MAX];
  unsigned helping;

  GMutex lock; /* for the rest */
  GCond delivery;
  VtreeMerkleBuild *build;
  uint64_t taken, delivered; /* runs so far */
  unsigned waiting;          /* threads: to wake costs a system call */
  GError *error;             /* the first one */
} Crew;

/* As many of HELPERS as are free; to be given back. */
static unsigned
claim (VtreeVerityHelpers *helpers)
{
  unsigned most = vtree_pool_default_threads () - 1;
  unsigned busy = atomic_load (&helpers->busy);
  unsigned granted;
  do
    granted = MIN (HELPERS_MAX, most - MIN (most, busy));
  while (granted > 0
         && !atomic_compare_exchange_weak (&helpers->busy, &busy, busy + granted));
  return granted;
}

/* Reads and hashes run NUMBER; BUFFER has room for it. */
static bool
work_on (const Crew *crew, VtreeHasher *hasher, uint64_t number, uint8_t *buffer,
         GError **error)
{
  const VtreeCrewContents *contents = crew->contents;
  Run *run = &crew->ring[number % crew->size];
  uint64_t offset = number * VTREE_CREW_RUN;
  size_t size = (size_t) MIN (contents->size - offset, VTREE_CREW_RUN);
  const uint8_t *data = contents->read != NULL ? buffer : contents->data + offset;
  run->blocks = (size + VTREE_BLOCK_SIZE - 1) / VTREE_BLOCK_SIZE;
  if (contents->read != NULL
      && !contents->read (contents->context, buffer, size, offset, error))
    return false;
  return vtree_hasher_hash_all (hasher, data, size, run->hashes)
         || vtree_error_set (error, VTREE_ERROR_FAILED, "hash a block: OpenSSL failed");
}

/* With the lock. Hands on what is hashed and has nothing before it. */
static bool
deliver (Crew *crew, GError **error)
{
  bool ok = true;
  Run *run;
  while (ok && crew->delivered < crew->taken
         && (run = &crew->ring[crew->delivered % crew->size])->hashed) {
    ok = vtree_merkle_build_add (crew->build, run->hashes, run->blocks, error);
    run->hashed = false;
    crew->delivered++;
  }
  if (crew->waiting > 0)
    g_cond_broadcast (&crew->delivery);
  return ok;
}

/* With the lock, which is not held meanwhile. */
static bool
take_run (Crew *crew, VtreeHasher *hasher, uint8_t *buffer, GError **error)
{
  uint64_t number = crew->taken++;
  g_mutex_unlock (&crew->lock);
  bool ok = work_on (crew, hasher, number, buffer, error);
  g_mutex_lock (&crew->lock);
  crew->ring[number % crew->size].hashed = ok;
  return ok && deliver (crew, error);
}

/* With the lock: keeps the first error, which ends it all. */
static void
fail (Crew *crew, GError *failure)
{
  if (crew->error == NULL)
    crew->error = failure;
  else
    g_error_free (failure);
  g_cond_broadcast (&crew->delivery);
}

/* Until nothing is left to be taken. */
static void
work (Crew *crew)
{
  bool reads = crew->contents->read != NULL;
  size_t size = (size_t) MIN (crew->contents->size, VTREE_CREW_RUN);
  g_autofree uint8_t *buffer = reads ? g_malloc (size) : NULL;
  g_auto (VtreeHasher) hasher = { 0 };
  GError *failure = NULL;
  bool ok = vtree_hasher_init (&hasher, crew->md, &failure);
  g_mutex_lock (&crew->lock);
  while (ok && crew->error == NULL && crew->taken < crew->total) {
    if (crew->taken - crew->delivered < crew->size) {
      ok = take_run (crew, &hasher, buffer, &failure);
      continue;
    }
    crew->waiting++;
    g_cond_wait (&crew->delivery, &crew->lock);
    crew->waiting--;
  }
  if (failure != NULL)
    fail (crew, failure);
  g_mutex_unlock (&crew->lock);
}

static gpointer
help (gpointer data)
{
  work (data);
  return NULL;
}

static void
start_helpers (Crew *crew, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    GThread *thread = g_thread_try_new ("vtree-hash", help, crew, NULL);
    if (thread == NULL)
      break; /* the caller does the work */
    crew->helpers[crew->helping++] = thread;
  }
}

bool
vtree_crew_hash (const VtreeCrewContents *contents, const EVP_MD *md,
                 VtreeMerkleBuild *build, GError **error)
{
  VtreeVerityHelpers *helpers
    = contents->size >= VTREE_CREW_MIN ? contents->helpers : NULL;
  unsigned claimed = helpers != NULL ? claim (helpers) : 0;
  Crew crew = { .contents = contents,
                .md = md,
                .total = (contents->size + VTREE_CREW_RUN - 1) / VTREE_CREW_RUN,
                .size = claimed > 0 ? RING : 1,
                .build = build };
  g_autofree Run *ring = crew.ring = g_new (Run, crew.size);
  for (unsigned i = 0; i < crew.size; i++)
    ring[i].hashed = false;
  g_mutex_init (&crew.lock);
  g_cond_init (&crew.delivery);
  start_helpers (&crew, claimed);
  work (&crew);
  for (unsigned i = 0; i < crew.helping; i++)
    g_thread_join (crew.helpers[i]);
  if (helpers != NULL)
    atomic_fetch_sub (&helpers->busy, claimed);
  g_cond_clear (&crew.delivery);
  g_mutex_clear (&crew.lock);
  if (crew.error != NULL)
    g_propagate_error (error, crew.error);
  return crew.error == NULL;
}
