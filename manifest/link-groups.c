/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the comparison of hard-link groups. A group is the sorted list of its paths'
 * sequence numbers in the walk over both trees. Lists are compared once, at the first
 * path of the older tree's group; for the other paths it is enough that they lead to
 * the same two groups, so a group of any size costs its size once.
 */
#include "manifest/link-groups.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  uint32_t inode;
  uint64_t sequence;
} Link;

typedef struct {
  uint32_t inode;
  guint first, count; /* in LINKS */
  uint32_t partner;   /* inode with the same list on the other side; 0: none known */
} Group;

typedef struct {
  GArray *links;  /* Link, by inode and sequence */
  GArray *groups; /* Group, by inode */
} Side;

struct VtreeLinkGroups {
  Side sides[VTREE_PAIR_SIDES];
};

static bool
has_links (VtreeView *view)
{
  const VtreeViewTotals *totals = vtree_view_totals (view);
  return totals->entries > totals->inodes - 1;
}

static bool
is_linked (const VtreeInode *inode)
{
  return !S_ISDIR (inode->mode) && inode->nlink > 1;
}

static bool
collect (void *context, const VtreePair *pair, GError **error)
{
  VtreeLinkGroups *groups = context;
  (void) error;
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    Link link = { pair->inode[side].index, pair->sequence };
    if (pair->has[side] && is_linked (&pair->inode[side]))
      g_array_append_val (groups->sides[side].links, link);
  }
  return true;
}

static int
compare_links (const void *a, const void *b)
{
  const Link *first = a, *second = b;
  if (first->inode != second->inode)
    return first->inode < second->inode ? -1 : 1;
  return (first->sequence > second->sequence) - (first->sequence < second->sequence);
}

static void
make_groups (Side *side)
{
  g_array_sort (side->links, compare_links);
  for (guint i = 0; i < side->links->len; i++) {
    uint32_t inode = g_array_index (side->links, Link, i).inode;
    guint last = side->groups->len;
    if (last > 0 && g_array_index (side->groups, Group, last - 1).inode == inode) {
      g_array_index (side->groups, Group, last - 1).count++;
      continue;
    }
    Group group = { .inode = inode, .first = i, .count = 1 };
    g_array_append_val (side->groups, group);
  }
}

VtreeLinkGroups *
vtree_link_groups_new (VtreeView *const views[VTREE_PAIR_SIDES], GError **error)
{
  g_autoptr (VtreeLinkGroups) groups = g_new0 (VtreeLinkGroups, 1);
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    groups->sides[side].links = g_array_new (FALSE, FALSE, sizeof (Link));
    groups->sides[side].groups = g_array_new (FALSE, FALSE, sizeof (Group));
  }
  /* Otherwise the link counts alone tell. */
  if (!has_links (views[VTREE_PAIR_FROM]) || !has_links (views[VTREE_PAIR_TO]))
    return g_steal_pointer (&groups);
  if (!vtree_pair_walk (views, collect, groups, error))
    return NULL;
  for (int side = 0; side < VTREE_PAIR_SIDES; side++)
    make_groups (&groups->sides[side]);
  return g_steal_pointer (&groups);
}

void
vtree_link_groups_free (VtreeLinkGroups *groups)
{
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    g_array_unref (groups->sides[side].links);
    g_array_unref (groups->sides[side].groups);
  }
  g_free (groups);
}

static int
compare_groups (const void *a, const void *b)
{
  const Group *first = a, *second = b;
  return (first->inode > second->inode) - (first->inode < second->inode);
}

static Group *
find_group (const Side *side, uint32_t inode)
{
  const Group key = { .inode = inode };
  if (side->groups->len == 0)
    return NULL;
  return bsearch (&key, side->groups->data, side->groups->len, sizeof key,
                  compare_groups);
}

static bool
lists_equal (const VtreeLinkGroups *groups, const Group *from, const Group *to)
{
  if (from->count != to->count)
    return false;
  for (guint i = 0; i < from->count; i++) {
    if (g_array_index (groups->sides[VTREE_PAIR_FROM].links, Link, from->first + i)
          .sequence
        != g_array_index (groups->sides[VTREE_PAIR_TO].links, Link, to->first + i)
             .sequence)
      return false;
  }
  return true;
}

bool
vtree_link_groups_differ (VtreeLinkGroups *groups, const VtreePair *pair)
{
  const VtreeInode *from = &pair->inode[VTREE_PAIR_FROM];
  const VtreeInode *to = &pair->inode[VTREE_PAIR_TO];
  if (from->nlink != to->nlink)
    return true;
  if (from->nlink == 1)
    return false;
  const Side *side = &groups->sides[VTREE_PAIR_FROM];
  Group *group = find_group (side, from->index);
  const Group *other = find_group (&groups->sides[VTREE_PAIR_TO], to->index);
  /* Missing only where a manifest that nobody checked has wrong link counts. */
  if (group == NULL || other == NULL)
    return true;
  bool first
    = g_array_index (side->links, Link, group->first).sequence == pair->sequence;
  if (first && lists_equal (groups, group, other))
    group->partner = to->index;
  return group->partner != to->index;
}
