/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Differences of two checked manifests, path by path in sorted order.
 */
#pragma once

#include "manifest/view.h"

typedef enum {
  VTREE_DIFF_ADDED,
  VTREE_DIFF_REMOVED,
  VTREE_DIFF_CHANGED,
} VtreeDiffKind;

/* Which properties changed (VTREE_DIFF_CHANGED). */
typedef enum {
  VTREE_DIFF_TYPE = 1 << 0,
  VTREE_DIFF_CONTENT = 1 << 1, /* contents, symlink target or device number */
  VTREE_DIFF_MODE = 1 << 2,
  VTREE_DIFF_OWNER = 1 << 3,
  VTREE_DIFF_MTIME = 1 << 4,
  VTREE_DIFF_XATTRS = 1 << 5,
  VTREE_DIFF_LINKS = 1 << 6, /* hard-link grouping */
} VtreeDiffProperties;

typedef struct {
  VtreeDiffKind kind;
  VtreeDiffProperties properties;
  const char *path;       /* "usr/bin/x", raw bytes, valid during the call */
  const VtreeInode *from; /* NULL where added */
  const VtreeInode *to;   /* NULL where removed */
} VtreeDiffItem;

/* A false from EACH stops the walk with its error. */
typedef bool (*VtreeDiffEach) (void *context, const VtreeDiffItem *item,
                               GError **error);

/* Hands each difference to EACH: a directory before what is in it, names by unsigned
 * bytes, every path below an added or removed directory too. The link count and size of
 * a directory are no property of its own. Errors: VTREE_ERROR_INVALID (two digest
 * algorithms), the views' own, and EACH's. */
bool vtree_diff (VtreeView *from, VtreeView *to, VtreeDiffEach each, void *context,
                 GError **error);
