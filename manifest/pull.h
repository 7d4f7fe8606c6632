/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking a version of a ref, with all that it names, from another repository that can
 * be reached by a path. Nothing of that one is believed: statement and signatures are
 * judged by this user's trust and marks before anything is read, every object is hashed
 * on its way. It is only read.
 *
 * Objects become durable in batches, so that what was interrupted goes on where it was;
 * signature, statement, head and mark follow in this order, as in a commit.
 */
#pragma once

#include "core/ingest.h"
#include "manifest/resolve.h"

typedef struct {
  const VtreePaths *paths;
  bool force;        /* accept below the mark and expired: the notes say so */
  bool allow_secret; /* see VtreeCommitOptions */
  bool has_verity;   /* else the repository's own word */
  VtreeVerityPolicy verity;
  const VtreeObjectSigner *signer; /* built-in signatures; NULL: none */
  unsigned threads;                /* 0: one a processor */
  int wait;                        /* seconds for locks, -1 for ever */
  /* so many objects and bytes were found or fetched; from any thread; may be NULL */
  void (*progress) (void *context, uint64_t objects, uint64_t bytes);
  void *progress_context;
} VtreePullOptions;

typedef enum {
  VTREE_PULL_MOVED,   /* it is the head now */
  VTREE_PULL_ADDED,   /* it is there now; the head is a newer one */
  VTREE_PULL_PRESENT, /* it was there before */
} VtreePullState;

typedef struct {
  VtreePullState state;
  char *ref;
  uint64_t version;
  uint64_t head; /* what the head is now */
  VtreeDigest manifest;
  VtreeIngestStats stats; /* of what was copied; 0 where it was there */
  uint64_t found_objects; /* were there already, and good */
  uint64_t found_bytes;
  GPtrArray *notes; /* char *: what was forced */
} VtreePullResult;

/* Frees what RESULT holds; a zeroed one is fine. */
void vtree_pull_result_clear (VtreePullResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreePullResult, vtree_pull_result_clear)

/* Takes what SPEC (a name, with a version or without; its path is not looked at)
 * resolves to in FROM into TO. A version that is there with the same statement is not
 * looked at again; if its signature is none that is trusted, it gets FROM's. Errors:
 * those of vtree_resolve(); VTREE_ERROR_INVALID (the same repository; another digest
 * algorithm; secrets into a shared one), VTREE_ERROR_FAILED (TO has another statement
 * as that version), VTREE_ERROR_CORRUPT and VTREE_ERROR_MISSING (what FROM lacks; all
 * else that could be had is kept), VTREE_ERROR_BUSY, VTREE_ERRNO_ERROR. */
bool vtree_pull (const VtreeRepo *to, const VtreeRepo *from, const VtreeRefSpec *spec,
                 const VtreePullOptions *options, VtreePullResult *result,
                 GError **error);
