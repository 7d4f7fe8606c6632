/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to gc: what its two halves share.
 *
 *   gc.c        the order of things; objects
 *   gc-refs.c   which versions stay, and which manifests they need
 */
#pragma once

#include "manifest/gc.h"

typedef struct {
  char *ref;
  uint64_t version;
} VtreeGcVersion;

typedef struct {
  const VtreeRepo *repo;
  const VtreeGcOptions *options;
  VtreeGcResult *result;
  VtreeStore *store;
  GPtrArray *doomed; /* VtreeGcVersion *: versions that go */
  GHashTable
    *manifests; /* of the versions that stay: VtreeDigest * -> uint64_t * size */
  GHashTable *reachable; /* set of digests */
  GArray *unreachable;   /* VtreeGcObject */
  GArray *replaced;      /* VtreeDigest: a mount holds the file that it had before */
} VtreeGc;

/* An object that no ref reaches. */
typedef struct {
  VtreeDigest digest;
  uint64_t size;
  bool manifest; /* it looks like one */
} VtreeGcObject;

/* Fills in doomed and manifests. Errors: VTREE_ERROR_CORRUPT for a statement that stays
 * and can't be read. */
bool vtree_gc_plan_refs (VtreeGc *gc, GError **error);
/* Removes the doomed versions, and reports them; in a dry run it only reports. */
bool vtree_gc_remove_versions (VtreeGc *gc, GError **error);
