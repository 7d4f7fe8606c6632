/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * High-water marks: for each ref the largest (version, manifest digest) that this user
 * accepted. File marks/<ref>/head: "vtree-mark 1\nversion: N\nmanifest: sha256:…\n".
 */
#pragma once

#include "core/digest.h"
#include "core/paths.h"

typedef struct {
  uint64_t version;
  VtreeDigest manifest;
} VtreeMark;

/* *FOUND false where there is none. A malformed mark is an error, never "none". */
bool vtree_mark_load (const VtreePaths *paths, const char *ref, bool *found,
                      VtreeMark *mark, GError **error);
/* Raises the mark to MARK; leaves a larger one alone; synced when it returns.
 * Concurrent raises never lower it (flock). */
bool vtree_mark_raise (const VtreePaths *paths, const char *ref, const VtreeMark *mark,
                       GError **error);
/* Removes the mark (mark reset). */
bool vtree_mark_reset (const VtreePaths *paths, const char *ref, GError **error);
