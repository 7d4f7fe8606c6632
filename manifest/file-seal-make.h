/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing one file, and the reverse. Both go by steps of which each can be the last one
 * (a kill, a power cut): doing it again completes it.
 *
 *   seal:    verity enabled -> measured -> signed -> seal stored, synced -> mark -> log
 *   unseal:  copy without verity, synced -> renamed over it -> seal gone -> mark -> log
 */
#pragma once

#include "core/object-signer.h"
#include "core/signer.h"
#include "manifest/file-seal-store.h"

typedef struct {
  const VtreePaths *paths;
  const VtreeTrust *trust; /* to see what the file's old seal says */
  const char *name;        /* NULL: the one in the log, else the file's place */
  bool detached;
  int wait;                 /* seconds for the log's lock, -1 for ever */
  const GPtrArray *signers; /* VtreeSigner * */
  /* Makes the kernel's built-in signature; NULL: none. With it a file that the kernel
   * does not enforce, or enforces without a signature, is an error. */
  const VtreeObjectSigner *object_signer;
  VtreeFileSealProgress progress;
} VtreeFileSealOptions;

typedef struct {
  VtreeFileSeal *seal;
  VtreeFileSealWhere where;
  bool enforced;      /* by the kernel */
  bool trusted;       /* whether a check by this user accepts it */
  char *not_enforced; /* why not, for a person; NULL if it is */
  unsigned names;     /* hard links */
} VtreeFileSealResult;

/* Frees what RESULT holds; a zeroed one is fine. */
void vtree_file_seal_result_clear (VtreeFileSealResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeFileSealResult, vtree_file_seal_result_clear)

/* Seals FILE. Errors name it: VTREE_ERROR_MISSING, VTREE_ERROR_BUSY (somebody has it
 * open for writing, or holds the lock), VTREE_ERROR_UNSUPPORTED (set-id bits, verity
 * with other parameters than ours, no verity for a built-in signature),
 * VTREE_ERROR_FAILED (no regular file; no right to),
 * VTREE_ERRNO_ERROR. */
bool vtree_file_seal_make (const VtreeFileSealOptions *options, const char *file,
                           VtreeFileSealResult *result, GError **error);

typedef struct {
  bool gone;      /* there is no file; it was in the log alone */
  bool copied;    /* a copy without verity has replaced it */
  unsigned names; /* hard links that it had; the others are still sealed */
} VtreeUnsealResult;

/* Unseals FILE: without a seal, without verity, out of the log; its mark goes on, so
 * that no seal that it ever had counts again. Errors as above; VTREE_ERROR_MISSING too
 * for a file that has neither a seal nor verity nor an entry in the log. */
bool vtree_file_seal_unmake (const VtreePaths *paths, const VtreeTrust *trust,
                             const char *file, int wait, VtreeUnsealResult *result,
                             GError **error);
