/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree that the person named, opened for reading: repository, trust, manifest.
 * Looking verifies the signature and raises no mark.
 */
#pragma once

#include "cli/json.h"
#include "cli/verbs.h"
#include "manifest/resolve.h"

typedef struct {
  VtreePaths *paths;
  VtreeRepo *repo;
  VtreeStore *store;
  VtreeRefSpec spec; /* with its path */
  VtreeResolved *resolved;
  VtreeView *view;
} VtreeTree;

/* Frees what TREE holds; a zeroed one is fine. */
void vtree_tree_clear (VtreeTree *tree);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeTree, vtree_tree_clear)

/* How vtree_tree_open() resolves. */
typedef struct {
  bool with_path;  /* TEXT may end in :PATH */
  bool force;      /* accept below the mark and expired */
  bool raise_mark; /* remember what was accepted */
} VtreeTreeMode;

/* Opens what TEXT names into the zeroed TREE. What was forced is said on stderr. Errors
 * as vtree_resolve()'s. */
bool vtree_tree_open (const VtreeCli *cli, const char *text, const VtreeTreeMode *mode,
                      VtreeTree *tree, GError **error);

/* The inode of the spec's path (the root without one). Errors: VTREE_ERROR_MISSING. */
bool vtree_tree_find (VtreeTree *tree, VtreeInode *inode, GError **error);

/* The members "ref", "version", "manifest" that every JSON answer about a tree has; the
 * first two are null for a tree named by its digest. */
void vtree_tree_add_json (const VtreeTree *tree, VtreeJson *json);
