/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns what counts as a difference between two manifests' inodes of one path. */
#include "manifest/diff.h"

#include "core/error.h"
#include "manifest/link-groups.h"
#include "manifest/pair-walk.h"
#include <sys/stat.h>

typedef struct {
  VtreeView *const *views;
  VtreeLinkGroups *links;
  VtreeDiffEach each;
  void *context;
} Diff;

static bool
compare_objects (const Diff *diff, const VtreePair *pair, bool *equal, GError **error)
{
  VtreeDigest digests[VTREE_PAIR_SIDES];
  uint64_t sizes[VTREE_PAIR_SIDES];
  bool has_object[VTREE_PAIR_SIDES];
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    uint32_t object = pair->inode[side].object;
    has_object[side] = object != VTREE_VIEW_NO_OBJECT;
    if (has_object[side]
        && !vtree_view_object (diff->views[side], object, &digests[side], &sizes[side],
                               error))
      return false;
  }
  *equal = has_object[VTREE_PAIR_FROM] == has_object[VTREE_PAIR_TO];
  if (*equal && has_object[VTREE_PAIR_FROM])
    *equal = vtree_digest_equal (&digests[VTREE_PAIR_FROM], &digests[VTREE_PAIR_TO]);
  return true;
}

static bool
compare_targets (const Diff *diff, const VtreePair *pair, bool *equal, GError **error)
{
  VtreeSpan targets[VTREE_PAIR_SIDES];
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    if (!vtree_view_target (diff->views[side], &pair->inode[side], &targets[side],
                            error))
      return false;
  }
  *equal = vtree_span_compare (targets[VTREE_PAIR_FROM], targets[VTREE_PAIR_TO]) == 0;
  return true;
}

/* Contents of two inodes of one type. */
static bool
compare_contents (const Diff *diff, const VtreePair *pair, bool *equal, GError **error)
{
  switch (pair->inode[VTREE_PAIR_FROM].mode & S_IFMT) {
  case S_IFREG:
    return compare_objects (diff, pair, equal, error);
  case S_IFLNK:
    return compare_targets (diff, pair, equal, error);
  default: /* 0 where it is no device */
    *equal = pair->inode[VTREE_PAIR_FROM].rdev == pair->inode[VTREE_PAIR_TO].rdev;
    return true;
  }
}

static bool
xattrs_equal (const GArray *from, const GArray *to)
{
  if (from->len != to->len)
    return false;
  for (guint i = 0; i < from->len; i++) {
    const VtreeXattr *a = &g_array_index (from, VtreeXattr, i);
    const VtreeXattr *b = &g_array_index (to, VtreeXattr, i);
    if (vtree_span_compare (a->name, b->name) != 0
        || vtree_span_compare (a->value, b->value) != 0)
      return false;
  }
  return true;
}

static bool
compare_xattrs (const Diff *diff, const VtreePair *pair, bool *equal, GError **error)
{
  const VtreeInode *from = &pair->inode[VTREE_PAIR_FROM];
  const VtreeInode *to = &pair->inode[VTREE_PAIR_TO];
  *equal = from->xattrs == 0 && to->xattrs == 0;
  if (from->xattrs == 0 || to->xattrs == 0)
    return true;
  g_autoptr (GArray) old
    = vtree_view_xattrs (diff->views[VTREE_PAIR_FROM], from, error);
  if (old == NULL)
    return false;
  g_autoptr (GArray) new = vtree_view_xattrs (diff->views[VTREE_PAIR_TO], to, error);
  if (new == NULL)
    return false;
  *equal = xattrs_equal (old, new);
  return true;
}

static unsigned
compare_attributes (const VtreeInode *from, const VtreeInode *to)
{
  unsigned properties = 0;
  if ((from->mode & S_IFMT) != (to->mode & S_IFMT))
    properties |= VTREE_DIFF_TYPE;
  if ((from->mode & ~(uint32_t) S_IFMT) != (to->mode & ~(uint32_t) S_IFMT))
    properties |= VTREE_DIFF_MODE;
  if (from->uid != to->uid || from->gid != to->gid)
    properties |= VTREE_DIFF_OWNER;
  if (from->mtime != to->mtime || from->nsec != to->nsec)
    properties |= VTREE_DIFF_MTIME;
  return properties;
}

/* *PROPERTIES of a path that both sides have. */
static bool
compare (const Diff *diff, const VtreePair *pair, unsigned *properties, GError **error)
{
  const VtreeInode *from = &pair->inode[VTREE_PAIR_FROM];
  const VtreeInode *to = &pair->inode[VTREE_PAIR_TO];
  bool content = true, xattrs = true;
  *properties = compare_attributes (from, to);
  if (!compare_xattrs (diff, pair, &xattrs, error))
    return false;
  if (!(*properties & VTREE_DIFF_TYPE)
      && !compare_contents (diff, pair, &content, error))
    return false;
  if (!content)
    *properties |= VTREE_DIFF_CONTENT;
  if (!xattrs)
    *properties |= VTREE_DIFF_XATTRS;
  if (!S_ISDIR (from->mode) && !S_ISDIR (to->mode)
      && vtree_link_groups_differ (diff->links, pair))
    *properties |= VTREE_DIFF_LINKS;
  return true;
}

static bool
visit (void *context, const VtreePair *pair, GError **error)
{
  const Diff *diff = context;
  unsigned properties = 0;
  bool both = pair->has[VTREE_PAIR_FROM] && pair->has[VTREE_PAIR_TO];
  if (both && !compare (diff, pair, &properties, error))
    return false;
  if (both && properties == 0)
    return true;
  VtreeDiffItem item = {
    .kind = both                         ? VTREE_DIFF_CHANGED
            : pair->has[VTREE_PAIR_FROM] ? VTREE_DIFF_REMOVED
                                         : VTREE_DIFF_ADDED,
    .properties = (VtreeDiffProperties) properties,
    .path = pair->path,
    .from = pair->has[VTREE_PAIR_FROM] ? &pair->inode[VTREE_PAIR_FROM] : NULL,
    .to = pair->has[VTREE_PAIR_TO] ? &pair->inode[VTREE_PAIR_TO] : NULL,
  };
  return diff->each (diff->context, &item, error);
}

bool
vtree_diff (VtreeView *from, VtreeView *to, VtreeDiffEach each, void *context,
            GError **error)
{
  VtreeView *const views[VTREE_PAIR_SIDES] = { from, to };
  if (vtree_view_totals (from)->alg != vtree_view_totals (to)->alg)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "compare manifests: one has sha256 digests, the other "
                            "sha512");
  g_autoptr (VtreeLinkGroups) links = vtree_link_groups_new (views, error);
  if (links == NULL)
    return false;
  Diff diff = { .views = views, .links = links, .each = each, .context = context };
  return vtree_pair_walk (views, visit, &diff, error);
}
