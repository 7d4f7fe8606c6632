/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which paths of two manifests are hard links of each other, so that a change of the
 * grouping can be told. For diff.c.
 */
#pragma once

#include "manifest/pair-walk.h"

typedef struct VtreeLinkGroups VtreeLinkGroups;

/* Walks both manifests once, unless one of them has no hard links at all. */
VtreeLinkGroups *vtree_link_groups_new (VtreeView *const views[VTREE_PAIR_SIDES],
                                        GError **error);
void vtree_link_groups_free (VtreeLinkGroups *groups);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeLinkGroups, vtree_link_groups_free)

/* For PAIR, which both sides have, neither as a directory: do other paths share its
 * inode on one side than on the other? To be asked in the order of a walk. */
bool vtree_link_groups_differ (VtreeLinkGroups *groups, const VtreePair *pair);
