/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees for the tests of manifest/: random ones that can be built in any order, and the
 * way from a manifest back through a builder. Link vtree_test_tree.
 */
#pragma once

#include "manifest/builder.h"
#include "manifest/view.h"
#include <string.h>

/* A tree as data: what there is, in no order. */
typedef struct {
  GArray *inodes; /* TreeInode, the root first */
  GArray *names;  /* TreeName */
  VtreeDigestAlg alg;
} VtreeTestTree;

typedef struct {
  unsigned inodes; /* how many at least */
  bool no_extras;  /* neither xattrs nor devices nor set-id bits */
  VtreeDigestAlg alg;
} VtreeTestTreeParams;

/* A random one, each inode with one name at least. */
VtreeTestTree *vtree_test_tree_new_random (GRand *random,
                                           const VtreeTestTreeParams *params);
void vtree_test_tree_free (VtreeTestTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeTestTree, vtree_test_tree_free)

/* Its manifest, filled in an order that RANDOM chooses. */
GBytes *vtree_test_tree_build (const VtreeTestTree *tree, GRand *random);

/* What the builder makes of what the view says: for every manifest that is canonical
 * the same bytes again. */
GBytes *vtree_test_rebuild (VtreeView *view, GError **error);

/* A view over BYTES; fails the test if there is none. */
VtreeView *vtree_test_view (GBytes *bytes);

/* A span is compared as text, so that a failure shows both. */
#define vtree_test_assert_span(span, text)                                             \
  G_STMT_START                                                                         \
  {                                                                                    \
    VtreeSpan test_span_ = (span);                                                     \
    g_autofree char *test_text_                                                        \
      = g_strndup ((const char *) test_span_.data, test_span_.size);                   \
    g_assert_cmpstr (test_text_, ==, (text));                                          \
    g_assert_cmpuint (test_span_.size, ==, strlen (test_text_));                       \
  }                                                                                    \
  G_STMT_END

/* Calls every function of view.h on everything that it leads to, and more; errors are
 * what may well come back. */
void vtree_test_walk (VtreeView *view);
