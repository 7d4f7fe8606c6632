/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of xattr sets. A set is walked from its start, a step at a time;
 * what one walk can touch is bounded by the format's limits.
 */
#include "core/error.h"
#include "manifest/name.h"
#include "manifest/records.h"
#include <string.h>

static bool
corrupt_set (uint64_t start, const char *what, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "manifest xattr set at %" G_GUINT64_FORMAT ": %s", start,
                          what);
}

bool
vtree_xattr_steps_start (VtreeXattrSteps *steps, VtreeView *view, uint32_t xattrs,
                         GError **error)
{
  VtreeSpan count;
  g_assert (xattrs > 0);
  *steps = (VtreeXattrSteps){ .view = view, .start = xattrs - 1 };
  if (!vtree_records_heap (view, VTREE_VTM_XATTRS, steps->start, VTREE_VTM_X_COUNT_SIZE,
                           &count, error))
    return false;
  steps->left = vtree_span_u16 (count, 0);
  steps->offset = steps->start + VTREE_VTM_X_COUNT_SIZE;
  return steps->left > 0 || corrupt_set (steps->start, "empty", error);
}

static bool
check_step (const VtreeXattrSteps *steps, VtreeSpan name, GError **error)
{
  if (memchr (name.data, '\0', name.size) != NULL)
    return corrupt_set (steps->start, "NUL in a name", error);
  if (steps->previous.size > 0 && vtree_span_compare (steps->previous, name) >= 0)
    return corrupt_set (steps->start, "names not in order", error);
  if (vtree_xattr_is_acl (name) && !(steps->view->layout.flags & VTREE_VTM_HAS_ACL))
    return corrupt_set (steps->start, "an ACL, which the header denies", error);
  return true;
}

bool
vtree_xattr_steps_next (VtreeXattrSteps *steps, VtreeXattr *xattr, GError **error)
{
  VtreeSpan header, name, value;
  g_assert (steps->left > 0);
  if (!vtree_records_heap (steps->view, VTREE_VTM_XATTRS, steps->offset,
                           VTREE_VTM_X_HEADER_SIZE, &header, error))
    return false;
  size_t name_size = header.data[VTREE_VTM_X_NAME_LENGTH];
  size_t value_size = vtree_span_u32 (header, VTREE_VTM_X_VALUE_LENGTH);
  steps->offset += VTREE_VTM_X_HEADER_SIZE;
  steps->list_size += name_size + 1;
  if (name_size == 0 || value_size > VTREE_VTM_XATTR_VALUE_MAX
      || steps->list_size > VTREE_VTM_XATTR_LIST_MAX
      || steps->offset + name_size + value_size - steps->start
           > VTREE_VTM_XATTR_SET_MAX)
    return corrupt_set (steps->start, "an invalid length", error);
  if (!vtree_records_heap (steps->view, VTREE_VTM_XATTRS, steps->offset, name_size,
                           &name, error)
      || !vtree_records_heap (steps->view, VTREE_VTM_XATTRS, steps->offset + name_size,
                              value_size, &value, error)
      || !check_step (steps, name, error))
    return false;
  steps->offset += name_size + value_size;
  steps->left--;
  steps->previous = name;
  *xattr = (VtreeXattr){ .name = name, .value = value };
  return true;
}

GArray *
vtree_view_xattrs (VtreeView *view, const VtreeInode *inode, GError **error)
{
  VtreeXattrSteps steps;
  VtreeXattr xattr;
  g_autoptr (GArray) xattrs = g_array_new (FALSE, FALSE, sizeof (VtreeXattr));
  if (inode->xattrs == 0)
    return g_steal_pointer (&xattrs);
  if (!vtree_xattr_steps_start (&steps, view, inode->xattrs, error))
    return NULL;
  while (steps.left > 0) {
    if (!vtree_xattr_steps_next (&steps, &xattr, error))
      return NULL;
    g_array_append_val (xattrs, xattr);
  }
  return g_steal_pointer (&xattrs);
}

bool
vtree_view_xattr (VtreeView *view, const VtreeInode *inode, VtreeSpan name, bool *found,
                  VtreeSpan *value, GError **error)
{
  VtreeXattrSteps steps;
  VtreeXattr xattr;
  int order = 1;
  if (inode->xattrs != 0
      && !vtree_xattr_steps_start (&steps, view, inode->xattrs, error))
    return false;
  /* Sorted: a name that is larger ends the search. */
  while (inode->xattrs != 0 && order > 0 && steps.left > 0) {
    if (!vtree_xattr_steps_next (&steps, &xattr, error))
      return false;
    order = vtree_span_compare (name, xattr.name);
  }
  *found = order == 0;
  if (*found)
    *value = xattr.value;
  return true;
}
