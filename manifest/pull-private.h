/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to pull: what its two halves share.
 *
 *   pull.c           the order of things; statements, heads, marks
 *   pull-objects.c   what a manifest names, and the manifest
 */
#pragma once

#include "manifest/pull.h"

typedef struct {
  const VtreeRepo *to;
  const VtreeRepo *from;
  const VtreePullOptions *options;
  VtreePullResult *result;
  VtreeSeal seal;
  VtreeStore *to_store;
  VtreeStore *from_store;
  VtreeIngest *ingest;
  VtreeResolved *resolved;
} VtreePull;

/* Brings all objects that VIEW names, and the manifest, into the repository, durable.
 * VIEW has passed the full check. */
bool vtree_pull_objects (VtreePull *pull, VtreeView *view, GError **error);
