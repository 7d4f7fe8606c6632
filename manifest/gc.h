/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deleting what nothing needs: old versions, unreachable objects, abandoned staging.
 * Holds the exclusive lock; keeps all that a manifest reaches whose object it can't
 * lock (a mount holds it). Needs no free space.
 */
#pragma once

#include "core/store.h"
#include "manifest/ref.h"

typedef struct {
  unsigned keep; /* newest versions of each ref, at least 1 */
  bool dry_run;
  int wait; /* seconds for the lock */
  /* called for each version and object that goes (or would); may be NULL */
  void (*removed) (void *context, const char *what);
  /* called for each manifest that only a mount keeps; may be NULL */
  void (*held) (void *context, const char *manifest);
  /* Who else needs VERSION of REF: *HOLDER (to be freed), NULL for nobody. Called with
   * the lock held, for versions that would go; may be NULL */
  bool (*hold) (void *context, const char *ref, uint64_t version, char **holder,
                GError **error);
  /* called for each version that HOLDER alone keeps; may be NULL */
  void (*kept) (void *context, const char *ref, uint64_t version, const char *holder);
  void *context;
} VtreeGcOptions;

typedef struct {
  /* removed (dry_run: that would be); objects are files of their own, and those in
   * packs of which nothing is needed any more */
  uint64_t versions, objects, packs, bytes;
  uint64_t kept_objects, kept_bytes, held_manifests;
  /* of packs that stay: their number, and the bytes in them that something needs and
   * that nothing does, which repack would free */
  uint64_t kept_packs, live_bytes, dead_bytes;
} VtreeGcResult;

/* keep = 0 is VTREE_ERROR_INVALID. Versions newer than a ref's head all stay. A
 * manifest that has to stay and can't be read whole ends it before any object goes:
 * deleting on its word would lose data. Files below objects/ and merkle/ whose name is
 * no digest of the repository's algorithm are not ours, and are left. Errors:
 * VTREE_ERROR_BUSY for the lock, VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING,
 * VTREE_ERRNO_ERROR. */
bool vtree_gc (const VtreeRepo *repo, const VtreeGcOptions *options,
               VtreeGcResult *result, GError **error);
