/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work on single files that a walk comes by, done by other threads: handed over in
 * batches, so that a small file costs no waking of a thread, with few directories kept
 * open for it.
 *
 *   jobs = vtree_jobs_new (threads, work, g_free, context);
 *   while (…) if (!vtree_jobs_add (jobs, dir, "usr/x", data, size)) break;
 *   ok = vtree_jobs_finish (&jobs, error);
 */
#pragma once

#include "core/pool.h"
#include "manifest/trail.h"

typedef struct {
  VtreeHandle *dir;
  char *path;       /* from the top of the walk, raw bytes */
  const char *name; /* its last component, in DIR */
  void *data;
} VtreeJob;

typedef struct VtreeJobs VtreeJobs; /* for one thread */

/* Does one job on a worker thread. */
typedef bool (*VtreeJobWork) (void *context, const VtreeJob *job, GError **error);

/* THREADS as for vtree_pool_new(); FREE_DATA frees each job's data, done or not. */
VtreeJobs *vtree_jobs_new (unsigned threads, VtreeJobWork work,
                           GDestroyNotify free_data, void *context);

/* Takes DATA. SIZE in bytes says how much work it is. False once a job has failed: call
 * _finish. */
bool vtree_jobs_add (VtreeJobs *jobs, VtreeHandle *dir, const char *path, void *data,
                     uint64_t size);

/* Waits for all of them, frees *JOBS, and reports the first error. */
bool vtree_jobs_finish (VtreeJobs **jobs, GError **error);
