/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to capture: what the walk and its workers share, and the workers' half,
 * which reads regular files.
 *
 *   reader = vtree_capture_reader_new (&state);
 *   while (…) vtree_capture_reader_add (reader, …)      false: stop walking
 *   vtree_capture_reader_finish (&reader, &error)
 */
#pragma once

#include "core/verity.h"
#include "manifest/attributes.h"
#include "manifest/problems.h"
#include "manifest/trail.h"
#include <stdatomic.h>

typedef struct {
  const VtreeCaptureOptions *options;
  const VtreeXattrFilter *filter;
  VtreeIngest *ingest; /* may be NULL */
  VtreeBuilder *builder;
  GMutex lock; /* for the builder, its nodes' contents aside */
  VtreeProblems *problems;
  atomic_uint_fast64_t files, bytes; /* done so far */
  VtreeVerityHelpers helpers;
} VtreeCaptureState;

typedef struct VtreeCaptureReader VtreeCaptureReader;

/* Starts the workers. STATE outlives them. */
VtreeCaptureReader *vtree_capture_reader_new (VtreeCaptureState *state);

/* A regular file: its path (the last component is looked up in DIR), the node that it
 * is read into, what it was when that was made. */
typedef struct {
  VtreeHandle *dir;
  const char *path;
  VtreeNode *node;
  const struct stat *stat;
  uint64_t filesystem; /* see vtree_stat_cache_find() */
  bool known; /* NODE has its contents already, of DIGEST: only xattrs are read */
  VtreeDigest digest;
} VtreeCaptureFile;

/* Has FILE read. False once a worker has failed. */
bool vtree_capture_reader_add (VtreeCaptureReader *reader,
                               const VtreeCaptureFile *file);

/* Waits for the workers and frees *READER; the first error that is not one file's
 * own. */
bool vtree_capture_reader_finish (VtreeCaptureReader **reader, GError **error);

/* Adds XATTRS (may be NULL) to NODE, with the lock. */
bool vtree_capture_add_xattrs (VtreeCaptureState *state, VtreeNode *node,
                               const GPtrArray *xattrs, GError **error);

/* Notes ERROR as PATH's problem. */
void vtree_capture_note (VtreeCaptureState *state, const char *path,
                         const GError *error);

/* The same for an errno; false for one that is the process's own and no file's (no
 * descriptors, no memory): then *ERROR is set. */
bool vtree_capture_note_errno (VtreeCaptureState *state, const char *path, int errnum,
                               GError **error);

/* Whether two looks at one inode saw the same state of it. */
bool vtree_capture_same_state (const struct stat *before, const struct stat *after);
