/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * High-water marks: for each ref the largest (version, manifest digest) that this user
 * accepted, and the newest time of creation that a statement for it ever had, so that a
 * clock that is set back makes nothing fresh again. The time is kept for each ref, not
 * once for all: a publisher whose clock is wrong can spoil only what it may sign.
 *
 * File marks/<ref>/head, written in one way only: "vtree-mark 1\nversion: N\nmanifest:
 * sha256:…\ncreated: SECONDS\n". The directory marks/ is flocked while anything below
 * it changes; who changes a mark removes what a killed process left beside it.
 */
#pragma once

#include "core/digest.h"
#include "core/paths.h"

typedef struct {
  uint64_t version;
  VtreeDigest manifest;
  int64_t created; /* seconds since the epoch, not negative; 0: not known */
} VtreeMark;

/* *FOUND false where there is none. A malformed mark is VTREE_ERROR_CORRUPT, never
 * "none". REF is a checked name. */
bool vtree_mark_load (const VtreePaths *paths, const char *ref, bool *found,
                      VtreeMark *mark, GError **error);
/* Raises the mark to MARK; leaves a larger version alone, and raises its time by
 * itself; synced when it returns. Concurrent raises never lower it.
 * VTREE_ERROR_ROLLBACK if the mark has the same version with another manifest,
 * VTREE_ERROR_BUSY. */
bool vtree_mark_raise (const VtreePaths *paths, const char *ref, const VtreeMark *mark,
                       GError **error);
/* Removes the mark (mark reset), its time too; synced. None is no error. */
bool vtree_mark_reset (const VtreePaths *paths, const char *ref, GError **error);
