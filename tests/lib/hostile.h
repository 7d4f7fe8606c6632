/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifests that a hostile publisher could sign: a good one, a few of its bytes
 * replaced. Link vtree_test_tree.
 */
#pragma once

#include <glib.h>
#include <stddef.h>

/* Every regular file of the tree has these contents (or none), so that a store can hold
 * the one object that there is. */
#define VTREE_TEST_HOSTILE_CONTENTS "vtree\n"

typedef struct {
  const char *kind;
  int open_error; /* VtreeErrorCode of vtree_view_new(), or -1: it opens */
  const char
    *part; /* of the message, of opening or else of the check; NULL: it is good */
  const char *path; /* what the view must refuse to resolve, or NULL */
} VtreeTestHostile;

/* How many kinds there are. */
size_t vtree_test_hostile_count (void);

/* Kind number INDEX; the first one, "none", is the manifest as it was. */
const VtreeTestHostile *vtree_test_hostile_peek (size_t index);

/* The manifest of KIND, or NULL if there is no such kind. */
GBytes *vtree_test_hostile_new (const char *kind);
