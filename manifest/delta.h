/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deltas: one file that takes a repository from a manifest that it has (or from
 * nothing) to a signed version: statement and signatures, the manifest as a patch, and
 * the contents that are new, as patches of what stood at the same path. Byte by byte:
 * doc/formats.md, "Deltas".
 *
 * A delta is not signed. What comes out of it is what the signed statement says, to the
 * last byte, or nothing of it is kept.
 */
#pragma once

#include "manifest/pull.h"

#define VTREE_DELTA_LEVEL 19

typedef struct {
  const VtreePaths *paths;
  int level;        /* of zstd, 1 to 22 */
  unsigned threads; /* 0: one a processor */
  int wait;         /* seconds for the shared lock, -1 for ever */
  void (*progress) (void *context, uint64_t objects, uint64_t bytes);
  void *progress_context;
} VtreeDeltaOptions;

typedef struct {
  char *ref; /* of the version that it leads to */
  uint64_t version;
  uint64_t objects, bytes; /* contents that are new */
  uint64_t size;           /* of the delta, bytes */
} VtreeDeltaResult;

/* Frees what RESULT holds; a zeroed one is fine. */
void vtree_delta_result_clear (VtreeDeltaResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeDeltaResult, vtree_delta_result_clear)

/* Writes to FD (anything that can be written) what leads from FROM (NULL: nothing) to
 * TO, both resolved as by vtree_resolve(); TO must have a statement. The same bytes at
 * every number of threads, for one version of libzstd. Errors: VTREE_ERROR_INVALID,
 * those of vtree_resolve(), VTREE_ERROR_CORRUPT (what is in REPO),
 * VTREE_ERRNO_ERROR. */
bool vtree_delta_create (const VtreeRepo *repo, const VtreeRefSpec *from,
                         const VtreeRefSpec *to, int fd,
                         const VtreeDeltaOptions *options, VtreeDeltaResult *result,
                         GError **error);

/* Reads a delta from FD (anything that can be read, to its end) and puts what it leads
 * to into REPO, as vtree_pull() does with another repository; nothing of a delta that
 * fails stays. Memory is bounded by 64 MiB and the manifests, whatever the delta says.
 * Errors: those of vtree_pull(); VTREE_ERROR_CORRUPT (not a delta, or a damaged one),
 * VTREE_ERROR_UNSUPPORTED (of a newer program), VTREE_ERROR_MISSING (the repository
 * lacks the manifest that it starts from, or an object). */
bool vtree_delta_apply (const VtreeRepo *repo, int fd, const VtreePullOptions *options,
                        VtreePullResult *result, GError **error);
