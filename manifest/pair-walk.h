/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two manifests side by side: every path that one of them has, directories before what
 * is in them, names by unsigned bytes. For diff.c.
 */
#pragma once

#include "manifest/view.h"

enum {
  VTREE_PAIR_FROM,
  VTREE_PAIR_TO,
  VTREE_PAIR_SIDES
};

/* What one path is on each side. */
typedef struct {
  const char *path;  /* "" for the root; valid during the call */
  uint64_t sequence; /* 0 for the root, then 1, 2, ...; the same in every walk */
  bool has[VTREE_PAIR_SIDES];
  VtreeInode inode[VTREE_PAIR_SIDES]; /* where has */
} VtreePair;

/* A false stops the walk with its error. */
typedef bool (*VtreePairVisit) (void *context, const VtreePair *pair, GError **error);

/* Memory grows with the depth alone. Errors: the views', and VISIT's. */
bool vtree_pair_walk (VtreeView *const views[VTREE_PAIR_SIDES], VtreePairVisit visit,
                      void *context, GError **error);
