/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the batches between a walk and its workers, and the count of directories that
 * they keep open. Looks at no file.
 */
#include "manifest/jobs.h"

#include <string.h>

#define BATCH_JOBS 32
#define BATCH_BYTES (UINT64_C (1) << 20)
/* Directories that batches keep open, in all. */
#define PINNED_MAX 256

typedef struct {
  VtreeJobs *owner;
  GArray *jobs; /* VtreeJob */
  uint64_t bytes;
  unsigned dirs; /* different ones in a row */
} Batch;

struct VtreeJobs {
  VtreeJobWork work;
  GDestroyNotify free_data;
  void *context;
  VtreePool *pool;
  Batch *batch; /* being filled; may be NULL */

  GMutex lock;
  GCond unpinned;
  unsigned pinned; /* directories held by batches; with the lock */
};

static Batch *
new_batch (VtreeJobs *jobs)
{
  Batch *batch = g_new0 (Batch, 1);
  batch->owner = jobs;
  batch->jobs = g_array_new (FALSE, FALSE, sizeof (VtreeJob));
  return batch;
}

static void
free_batch (gpointer data)
{
  Batch *batch = data;
  VtreeJobs *owner = batch->owner;
  for (guint i = 0; i < batch->jobs->len; i++) {
    VtreeJob *job = &g_array_index (batch->jobs, VtreeJob, i);
    vtree_handle_unref (job->dir);
    g_free (job->path);
    owner->free_data (job->data);
  }
  g_array_unref (batch->jobs);
  g_mutex_lock (&owner->lock);
  owner->pinned -= batch->dirs;
  g_cond_signal (&owner->unpinned);
  g_mutex_unlock (&owner->lock);
  g_free (batch);
}

static bool
work_on_batch (void *context, void *item, GError **error)
{
  VtreeJobs *jobs = context;
  Batch *batch = item;
  bool ok = true;
  for (guint i = 0; ok && i < batch->jobs->len; i++)
    ok = jobs->work (jobs->context, &g_array_index (batch->jobs, VtreeJob, i), error);
  free_batch (batch);
  return ok;
}

VtreeJobs *
vtree_jobs_new (unsigned threads, VtreeJobWork work, GDestroyNotify free_data,
                void *context)
{
  VtreeJobs *jobs = g_new0 (VtreeJobs, 1);
  jobs->work = work;
  jobs->free_data = free_data;
  jobs->context = context;
  g_mutex_init (&jobs->lock);
  g_cond_init (&jobs->unpinned);
  jobs->pool = vtree_pool_new (threads, work_on_batch, free_batch, jobs);
  return jobs;
}

static bool
push_batch (VtreeJobs *jobs)
{
  return jobs->batch == NULL
         || vtree_pool_push (jobs->pool, g_steal_pointer (&jobs->batch));
}

/* Counts a directory that BATCH keeps open, once there are few enough of them: those of
 * the batch being filled are fewer, so the others' end is awaited, not our own. */
static void
pin_directory (VtreeJobs *jobs, Batch *batch)
{
  g_mutex_lock (&jobs->lock);
  while (jobs->pinned >= PINNED_MAX)
    g_cond_wait (&jobs->unpinned, &jobs->lock);
  jobs->pinned++;
  g_mutex_unlock (&jobs->lock);
  batch->dirs++;
}

/* Whether BATCH has DIR open already. */
static bool
is_last_directory (const Batch *batch, const VtreeHandle *dir)
{
  guint count = batch->jobs->len;
  return count > 0 && g_array_index (batch->jobs, VtreeJob, count - 1).dir == dir;
}

static void
append (Batch *batch, VtreeHandle *dir, const char *path, void *data)
{
  char *copy = g_strdup (path);
  const char *slash = strrchr (copy, '/');
  VtreeJob job = { .dir = vtree_handle_ref (dir),
                   .path = copy,
                   .name = slash != NULL ? slash + 1 : copy,
                   .data = data };
  g_array_append_val (batch->jobs, job);
}

bool
vtree_jobs_add (VtreeJobs *jobs, VtreeHandle *dir, const char *path, void *data,
                uint64_t size)
{
  if (size >= BATCH_BYTES) { /* nothing small waits behind it */
    Batch *alone = new_batch (jobs);
    pin_directory (jobs, alone);
    append (alone, dir, path, data);
    return vtree_pool_push (jobs->pool, alone);
  }
  if (jobs->batch == NULL)
    jobs->batch = new_batch (jobs);
  if (!is_last_directory (jobs->batch, dir))
    pin_directory (jobs, jobs->batch);
  append (jobs->batch, dir, path, data);
  jobs->batch->bytes += size;
  if (jobs->batch->jobs->len < BATCH_JOBS && jobs->batch->bytes < BATCH_BYTES)
    return true;
  return push_batch (jobs);
}

bool
vtree_jobs_finish (VtreeJobs **jobs_pointer, GError **error)
{
  VtreeJobs *jobs = g_steal_pointer (jobs_pointer);
  bool pushed = push_batch (jobs);
  bool ok = vtree_pool_finish (&jobs->pool, error) && pushed;
  g_mutex_clear (&jobs->lock);
  g_cond_clear (&jobs->unpinned);
  g_free (jobs);
  return ok;
}
