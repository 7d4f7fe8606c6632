/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checking a repository: statements, manifests, every object that they reach, and which
 * paths a bad or missing object harms; repair from another place that has the bytes.
 *
 * Every byte is read, whoever enforces it; where the kernel does, it hashes. A version
 * without a signature is reported unless it is newer than its ref's head: then it waits
 * for one. When all refs are checked, so are the objects
 * that none of them reaches. An object's bad Merkle file harms no path; a missing one
 * is no fault.
 */
#pragma once

#include "core/store.h"
#include "core/trust.h"
#include "manifest/ref.h"

typedef enum {
  VTREE_FSCK_MISSING,
  VTREE_FSCK_CORRUPT,
  VTREE_FSCK_UNTRUSTED, /* a statement without a valid signature */
  VTREE_FSCK_REPAIRED,
  VTREE_FSCK_UNSEALED, /* an object that is good, or one of the repository's own files,
                          which could not be sealed */
  VTREE_FSCK_STRAY,    /* something below refs/ that belongs to no ref: harmless */
} VtreeFsckKind;

typedef struct {
  VtreeFsckKind kind;
  const char *ref;    /* "name@version", NULL for what no ref reaches */
  const char *object; /* digest text, NULL where it is no object */
  const char *path;   /* harmed path in the tree, escaped; NULL where none */
  const char *message;
} VtreeFsckProblem;

typedef struct {
  const char *const *refs; /* NULL: all */
  const char *repair_from; /* repository or any directory with the files; NULL: none */
  const VtreePaths *paths;
  /* Give everything that is good the kernel's verity; nothing is repaired or found
   * corrupt that would not be otherwise. */
  bool seal;
  const VtreeObjectSigner *signer; /* for that; NULL: without built-in signatures */
  unsigned threads;                /* 0: one a processor */
  /* Called from the calling thread; may be NULL. */
  void (*problem) (void *context, const VtreeFsckProblem *problem);
  /* Bytes; called from any thread, never from two at once; may be NULL. */
  void (*progress) (void *context, uint64_t done, uint64_t total);
  void *context;
  int wait; /* seconds for the shared lock, -1: for ever */
} VtreeFsckOptions;

/* missing and corrupt count statements, manifests and objects that are so at the end;
 * stale_temporary what a gc would remove of what killed processes left. */
typedef struct {
  uint64_t refs, versions, manifests, objects, bytes;
  uint64_t missing, corrupt, untrusted, repaired, stale_temporary, stray;
  /* Packs, and those that are not what their names say: a repack replaces them once
   * their objects are good elsewhere. */
  uint64_t packs, damaged_packs;
  /* seal alone: objects, now and before; the repository's own files, now; both */
  uint64_t sealed, sealed_before, sealed_files, unsealed;
} VtreeFsckResult;

/* True when the check itself could run; what it found is in RESULT. Errors:
 * VTREE_ERROR_BUSY, VTREE_ERROR_MISSING (a ref that was asked for),
 * VTREE_ERROR_UNSUPPORTED (nothing can be sealed here), what the key directories or
 * the disk have to say. */
bool vtree_fsck (const VtreeRepo *repo, const VtreeFsckOptions *options,
                 VtreeFsckResult *result, GError **error);
