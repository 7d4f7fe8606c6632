/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to pull: what its two halves share, with each other and with what brings a
 * release by another way (delta-apply.c).
 *
 *   pull.c           the order of things; statements, heads, marks
 *   pull-objects.c   what a manifest names, and the manifest
 */
#pragma once

#include "manifest/pull.h"

typedef struct {
  const VtreeRepo *to;
  const VtreeRepo *from; /* NULL: it does not come from a repository */
  const VtreePullOptions *options;
  VtreePullResult *result;
  VtreeSeal seal;
  VtreeStore *to_store;
  VtreeStore *from_store;
  VtreeIngest *ingest;
  VtreeResolved *resolved;
} VtreePull;

/* A pull into TO, with nothing done yet. OPTIONS and RESULT are borrowed. */
void vtree_pull_init (VtreePull *pull, const VtreeRepo *to,
                      const VtreePullOptions *options, VtreePullResult *result);
/* Frees what it holds; a zeroed one is fine. */
void vtree_pull_clear (VtreePull *pull);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreePull, vtree_pull_clear)

/* Judges a statement for REF by trust, marks and expiry: it is the release to be had.
 * Errors: those of vtree_resolve_statement(). */
bool vtree_pull_accept (VtreePull *pull, const char *ref, GBytes *root, GBytes *sig,
                        GError **error);

/* Opens to_store and ingest, for who wants them before _release does that. */
bool vtree_pull_open (VtreePull *pull, GError **error);
/* Whether the version that was accepted is there, whatever it says. */
bool vtree_pull_is_present (const VtreePull *pull, bool *present, GError **error);

/* Brings all objects of the release, and the manifest, into the repository, durable:
 * to_store and ingest are open. */
typedef bool (*VtreePullTake) (VtreePull *pull, void *source, GError **error);
/* Does the rest with what was accepted, while the caller holds the shared lock: TAKE,
 * unless the version is there, then signature, statement, head and mark. */
bool vtree_pull_release (VtreePull *pull, VtreePullTake take, void *source,
                         GError **error);

/* Brings all objects that VIEW names, and the manifest, into the repository, durable.
 * VIEW has passed the full check. */
bool vtree_pull_objects (VtreePull *pull, VtreeView *view, GError **error);

/* Where all that has to come has been taken by the ingest, objects of VIEW by their
 * numbers + 1 (set TAKEN): whether the others are there, and good. Makes nothing
 * visible. Errors: VTREE_ERROR_MISSING, VTREE_ERROR_CORRUPT. */
bool vtree_pull_check_rest (VtreePull *pull, VtreeView *view, GHashTable *taken,
                            GError **error);

/* Whether the repository may have what VIEW names: VTREE_ERROR_INVALID for secrets in
 * one that everybody reads. */
bool vtree_pull_check_secrets (const VtreePull *pull, VtreeView *view, GError **error);
