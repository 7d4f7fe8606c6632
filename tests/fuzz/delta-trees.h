/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees that are the same in every process: the target delta has the base, its seeds
 * lead to the others.
 */
#pragma once

#include "core/store.h"
#include "manifest/statement.h"

enum {
  DELTA_TREE_BASE,
  DELTA_TREE_CHANGED, /* contents, names, types; what it shares with the base stays */
  DELTA_TREE_MODES,   /* the base's contents with other permissions */
  DELTA_TREE_MANY,    /* a manifest of more than one block, nothing of the base */
  DELTA_TREE_LARGE,   /* something that takes two chunks */
  DELTA_TREES
};

/* A repository in the new directory PATH, of the algorithm ALG. */
VtreeRepo *vtree_fuzz_delta_repo_new (const char *path, VtreeDigestAlg alg);

/* Puts tree NUMBER into it; returns what a release would say of it. */
VtreeStatement *vtree_fuzz_delta_put (const VtreeRepo *repo, unsigned number);
