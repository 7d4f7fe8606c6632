/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole commit: capture, ingest, manifest, statement, signatures, ref, mark.
 */
#pragma once

#include "core/signer.h"
#include "manifest/capture.h"
#include "manifest/resolve.h"

typedef struct {
  const char *ref;
  uint64_t version;    /* 0: above head and mark */
  int64_t expires;     /* 0: never */
  const char *message; /* x-message; may be NULL */
  GPtrArray *signers;  /* VtreeSigner *; NULL or empty: unsigned, head stays */
  bool has_verity;     /* else the repository's own word */
  VtreeVerityPolicy verity;
  const VtreeObjectSigner *signer; /* built-in signatures; NULL: none */
  bool allow_secret;
  bool trust_stat; /* files that look unchanged are not read again; see stat-cache.h */
  int wait;        /* seconds for locks, -1 for ever */
  const VtreePaths *paths;
} VtreeCommitOptions;

typedef struct {
  uint64_t version;
  VtreeDigest manifest;
  uint64_t manifest_size;
  VtreeViewTotals totals;
  VtreeIngestStats stats;
  uint64_t trusted;    /* files that were not read again */
  GPtrArray *replaced; /* char *: objects of the store that were bad and are now good */
} VtreeCommitResult;

/* Frees what RESULT holds; a zeroed one is fine. */
void vtree_commit_result_clear (VtreeCommitResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeCommitResult, vtree_commit_result_clear)

/* Commits the directory DIR (a path) to REPO. Errors as the parts'; the old head stays
 * on every error. */
bool vtree_commit (const VtreeRepo *repo, const char *dir,
                   const VtreeCommitOptions *options,
                   const VtreeCaptureOptions *capture, VtreeCommitResult *result,
                   GError **error);
