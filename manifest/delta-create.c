/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the making of a delta: chunks are read, compressed on all processors, and
 * written in their order. A few of them at a time are in memory.
 */
#include "core/bytes.h"
#include "core/pool.h"
#include "core/store.h"
#include "manifest/delta-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Compressed together, for each processor. */
#define WAVE 2

void
vtree_delta_result_clear (VtreeDeltaResult *result)
{
  g_clear_pointer (&result->ref, g_free);
}

typedef struct {
  const VtreeRepo *repo;
  const VtreeDeltaOptions *options;
  VtreeDeltaResult *result;
  int fd;
  VtreeStore *store;
  VtreeResolved *to_release, *from_release;
  VtreeDeltaSide to, from;
  XXH3_state_t *sum; /* of all that was written */
} Create;

static void
create_clear (Create *create)
{
  vtree_delta_side_clear (&create->to);
  vtree_delta_side_clear (&create->from);
  vtree_resolved_free (create->to_release);
  vtree_resolved_free (create->from_release);
  vtree_store_free (create->store);
  XXH3_freeState (create->sum);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Create, create_clear)

static bool
write_bytes (Create *create, const void *data, size_t size, GError **error)
{
  const char *at = data;
  create->result->size += size;
  XXH3_128bits_update (create->sum, data, size);
  while (size > 0) {
    ssize_t done = write (create->fd, at, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return vtree_error_set_errno (error, errno, "write the delta");
    at += done;
    size -= (size_t) done;
  }
  return true;
}

static bool
write_gbytes (Create *create, GBytes *bytes, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);
  return write_bytes (create, data, size, error);
}

/* --- the head --------------------------------------------------------------------- */

static bool
write_head (Create *create, uint64_t chunks, GError **error)
{
  const VtreeResolved *to = create->to_release;
  uint8_t head[VTREE_DELTA_HEADER_SIZE] = { 0 };
  memcpy (head, VTREE_DELTA_MAGIC, 8);
  vtree_bytes_put_u32 (head + 8, VTREE_DELTA_VERSION);
  vtree_bytes_put_u32 (head + 12, (uint32_t) to->manifest.alg);
  vtree_bytes_put_u32 (head + 20, (uint32_t) g_bytes_get_size (to->root));
  vtree_bytes_put_u32 (head + 24, (uint32_t) g_bytes_get_size (to->sig));
  if (create->from_release != NULL) {
    const VtreeResolved *from = create->from_release;
    vtree_bytes_put_u32 (head + 28, VTREE_DELTA_HAS_FROM);
    memcpy (head + 32, from->manifest.value, sizeof from->manifest.value);
    vtree_bytes_put_u64 (head + 96, from->manifest_size);
  }
  vtree_bytes_put_u64 (head + 104, chunks);
  return write_bytes (create, head, sizeof head, error)
         && write_gbytes (create, to->root, error)
         && write_gbytes (create, to->sig, error);
}

/* --- chunks ----------------------------------------------------------------------- */

typedef struct {
  VtreeDeltaChunk *chunk; /* borrowed */
  GBytes *plain, *prefix;
  GBytes *packed; /* what it became */
} Job;

static void
job_clear (gpointer data)
{
  Job *job = data;
  g_clear_pointer (&job->plain, g_bytes_unref);
  g_clear_pointer (&job->prefix, g_bytes_unref);
  g_clear_pointer (&job->packed, g_bytes_unref);
}

/* VtreePoolWork */
static bool
compress_one (void *context, void *item, GError **error)
{
  const VtreeDeltaOptions *options = context;
  Job *job = item;
  job->packed = vtree_delta_compress (job->plain, job->prefix, options->level, error);
  return job->packed != NULL;
}

static bool
read_job (Create *create, Job *job, GError **error)
{
  job->plain = vtree_delta_side_read (&create->to, job->chunk->pieces, error);
  if (job->plain == NULL)
    return false;
  job->prefix = vtree_delta_side_read (&create->from, job->chunk->references, error);
  return job->prefix != NULL;
}

static bool
compress_wave (Create *create, GArray *jobs, GError **error)
{
  VtreePool *pool = vtree_pool_new (create->options->threads, compress_one, NULL,
                                    (void *) create->options);
  bool ok = true;
  for (guint i = 0; i < jobs->len && ok; i++) {
    Job *job = &g_array_index (jobs, Job, i);
    ok = read_job (create, job, error) && vtree_pool_push (pool, job);
  }
  /* What is wrong with reading is said already. */
  return vtree_pool_finish (&pool, ok || *error == NULL ? error : NULL) && ok;
}

static bool
write_job (Create *create, const Job *job, GError **error)
{
  const VtreeDeltaOptions *options = create->options;
  VtreeDeltaChunk *chunk = job->chunk;
  chunk->packed = (uint32_t) g_bytes_get_size (job->packed);
  chunk->plain = (uint32_t) g_bytes_get_size (job->plain);
  g_autoptr (GBytes) head = vtree_delta_chunk_serialize (chunk);
  if (options->progress != NULL)
    options->progress (options->progress_context, chunk->pieces->len, chunk->plain);
  return write_gbytes (create, head, error)
         && write_gbytes (create, job->packed, error);
}

static bool
write_wave (Create *create, const GPtrArray *chunks, guint first, guint count,
            GError **error)
{
  g_autoptr (GArray) jobs = g_array_new (FALSE, TRUE, sizeof (Job));
  g_array_set_clear_func (jobs, job_clear);
  g_array_set_size (jobs, count);
  for (guint i = 0; i < count; i++)
    g_array_index (jobs, Job, i).chunk = chunks->pdata[first + i];
  g_autoptr (GError) failed = NULL;
  if (!compress_wave (create, jobs, &failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  for (guint i = 0; i < count; i++)
    if (!write_job (create, &g_array_index (jobs, Job, i), error))
      return false;
  return true;
}

static bool
write_chunks (Create *create, const GPtrArray *chunks, GError **error)
{
  unsigned threads = create->options->threads > 0 ? create->options->threads
                                                  : vtree_pool_default_threads ();
  guint wave = WAVE * threads;
  for (guint first = 0; first < chunks->len; first += wave)
    if (!write_wave (create, chunks, first, MIN (wave, chunks->len - first), error))
      return false;
  return true;
}

/* What was damaged on its way, and not on purpose, is known by it. */
static bool
write_sum (Create *create, GError **error)
{
  XXH128_canonical_t sum;
  XXH128_canonicalFromHash (&sum, XXH3_128bits_digest (create->sum));
  return write_bytes (create, sum.digest, sizeof sum.digest, error);
}

/* --- the whole -------------------------------------------------------------------- */

static void
count_new (Create *create, const GPtrArray *chunks)
{
  for (guint i = 0; i < chunks->len; i++) {
    const VtreeDeltaChunk *chunk = chunks->pdata[i];
    for (guint k = 0; k < chunk->pieces->len; k++) {
      const VtreeDeltaPiece *piece = &g_array_index (chunk->pieces, VtreeDeltaPiece, k);
      if (piece->object == VTREE_DELTA_MANIFEST)
        continue;
      create->result->objects += piece->offset == 0;
      create->result->bytes += piece->size;
    }
  }
}

static bool
resolve (Create *create, const VtreeRefSpec *from, const VtreeRefSpec *to,
         GError **error)
{
  const VtreeResolveOptions options = { .paths = create->options->paths };
  create->to_release = vtree_resolve (create->repo, to, &options, error);
  if (create->to_release == NULL)
    return false;
  if (create->to_release->statement == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "a delta leads to a version of a ref, not to a manifest");
  if (from == NULL)
    return true;
  create->from_release = vtree_resolve (create->repo, from, &options, error);
  return create->from_release != NULL;
}

static bool
open_sides (Create *create, GError **error)
{
  const VtreeResolved *to = create->to_release;
  const VtreeResolved *from = create->from_release;
  create->store = vtree_store_new (create->repo, error);
  if (create->store == NULL)
    return false;
  create->from.store = create->store;
  return vtree_delta_side_open (&create->to, create->store, &to->manifest,
                                to->manifest_size, error)
         && (from == NULL
             || vtree_delta_side_open (&create->from, create->store, &from->manifest,
                                       from->manifest_size, error));
}

static bool
run (Create *create, const VtreeRefSpec *from, const VtreeRefSpec *to, GError **error)
{
  if (!resolve (create, from, to, error) || !open_sides (create, error))
    return false;
  g_autoptr (GArray) matches
    = vtree_delta_match (create->to.view, create->from.view, error);
  if (matches == NULL)
    return false;
  g_autoptr (GPtrArray) chunks = vtree_delta_plan (
    &create->to, from != NULL ? &create->from : NULL, matches, error);
  if (chunks == NULL)
    return false;
  const VtreeStatement *statement = create->to_release->statement;
  create->result->ref = g_strdup (statement->ref);
  create->result->version = statement->version;
  count_new (create, chunks);
  return write_head (create, chunks->len, error) && write_chunks (create, chunks, error)
         && write_sum (create, error);
}

bool
vtree_delta_create (const VtreeRepo *repo, const VtreeRefSpec *from,
                    const VtreeRefSpec *to, int fd, const VtreeDeltaOptions *options,
                    VtreeDeltaResult *result, GError **error)
{
  g_auto (VtreeDeltaResult) own = { .version = 0 };
  g_auto (Create) create
    = { .repo = repo, .options = options, .result = &own, .fd = fd };
  g_auto (VtreeFd) lock = -1;
  create.sum = XXH3_createState ();
  XXH3_128bits_reset (create.sum);
  if (!vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, options->wait, &lock, error)
      || !run (&create, from, to, error)) {
    g_prefix_error (error, "make a delta: ");
    return false;
  }
  *result = own;
  own.ref = NULL;
  return true;
}
