/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the check of what inodes share. Uniqueness is shown with a hash index whose seed
 * is random: the records are hostile.
 */
#include "manifest/check-shared.h"

#include "core/error.h"
#include "manifest/index.h"
#include "manifest/name.h"
#include "manifest/records.h"
#include <errno.h>
#include <stdlib.h>

typedef struct {
  VtreeView *view;
  uint64_t flags;
  uint32_t *starts; /* of the sets so far, rising */
  size_t start_count;
  uint64_t next_set; /* cursor in XATTRS */
  VtreeIndex *sets;
} XattrCheck;

static uint64_t
random_seed (void)
{
  return ((uint64_t) g_random_int () << 32) | g_random_int ();
}

/* A whole section in one piece. */
static bool
get_section (VtreeView *view, uint32_t id, VtreeSpan *bytes, GError **error)
{
  const VtreeSection *section = &view->layout.sections[id];
  return vtree_pages_get (view->pages, section->offset, section->size, bytes, error);
}

static bool
corrupt_record (uint32_t index, const char *what, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "manifest record %u: %s", index,
                          what);
}

/* Adds KEY, record number INDEX, to SEEN; an error if it is there already. */
static bool
check_unique (VtreeIndex *seen, VtreeSpan known, VtreeSpan key, uint32_t index,
              GError **error)
{
  bool added = false;
  uint32_t position = index;
  if (!vtree_index_add (seen, known, key, &position, &added, error))
    return false;
  return added || corrupt_record (index, "the same as an earlier one", error);
}

static int
compare_starts (const void *a, const void *b)
{
  uint32_t first = *(const uint32_t *) a, second = *(const uint32_t *) b;
  return (first > second) - (first < second);
}

/* The set at the cursor, for the first time. */
static bool
check_new_set (XattrCheck *check, uint32_t xattrs, GError **error)
{
  VtreeXattrSteps steps;
  VtreeXattr xattr;
  VtreeSpan heap, set;
  if (!get_section (check->view, VTREE_VTM_XATTRS, &heap, error)
      || !vtree_xattr_steps_start (&steps, check->view, xattrs, error))
    return false;
  check->flags |= VTREE_VTM_HAS_XATTR;
  while (steps.left > 0) {
    if (!vtree_xattr_steps_next (&steps, &xattr, error))
      return false;
    if (vtree_xattr_is_acl (xattr.name))
      check->flags |= VTREE_VTM_HAS_ACL;
  }
  if (!vtree_span_sub (heap, check->next_set, steps.offset - check->next_set, &set))
    return corrupt_record (xattrs - 1, "xattr set beyond the end", error);
  check->starts[check->start_count++] = xattrs - 1;
  check->next_set = steps.offset;
  return check_unique (check->sets, heap, set, xattrs - 1, error);
}

/* XATTRS of an attribute record: none, one seen before, or the next one. */
static bool
check_set (XattrCheck *check, uint32_t xattrs, GError **error)
{
  if (xattrs == 0)
    return true;
  uint32_t start = xattrs - 1;
  if (start == check->next_set)
    return check_new_set (check, xattrs, error);
  if (check->start_count > 0
      && bsearch (&start, check->starts, check->start_count, sizeof start,
                  compare_starts)
           != NULL)
    return true;
  return corrupt_record (start, "xattr sets not in the order of use", error);
}

static bool
check_attributes (XattrCheck *check, GError **error)
{
  VtreeSpan known, record;
  g_autoptr (VtreeIndex) seen
    = vtree_index_new (VTREE_VTM_ATTRIBUTES_SIZE, 0, random_seed ());
  if (!get_section (check->view, VTREE_VTM_ATTRIBUTES, &known, error))
    return false;
  uint32_t count = check->view->layout.sections[VTREE_VTM_ATTRIBUTES].count;
  for (uint32_t i = 0; i < count; i++) {
    if (!vtree_records_get (check->view, VTREE_VTM_ATTRIBUTES, i, &record, error)
        || !check_set (check, vtree_span_u32 (record, VTREE_VTM_A_XATTRS), error)
        || !check_unique (seen, known, record, i, error))
      return false;
  }
  if (check->next_set != check->view->layout.sections[VTREE_VTM_XATTRS].size)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest: bytes without use at the end of the xattrs");
  return true;
}

static bool
check_objects (VtreeView *view, GError **error)
{
  const VtreeSection *section = &view->layout.sections[VTREE_VTM_OBJECTS];
  VtreeSpan known, record, digest;
  g_autoptr (VtreeIndex) seen
    = vtree_index_new (section->record_size, VTREE_VTM_O_DIGEST, random_seed ());
  if (!get_section (view, VTREE_VTM_OBJECTS, &known, error))
    return false;
  for (uint32_t i = 0; i < section->count; i++) {
    VtreeDigest value;
    uint64_t size;
    if (!vtree_view_object (view, i, &value, &size, error)
        || !vtree_records_get (view, VTREE_VTM_OBJECTS, i, &record, error)
        || !vtree_span_sub (record, VTREE_VTM_O_DIGEST,
                            record.size - VTREE_VTM_O_DIGEST, &digest)
        || !check_unique (seen, known, digest, i, error))
      return false;
  }
  return true;
}

bool
vtree_check_shared (VtreeView *view, uint64_t *flags, GError **error)
{
  /* Every set that counts is an attribute record's first. */
  uint32_t count = view->layout.sections[VTREE_VTM_ATTRIBUTES].count;
  g_autofree uint32_t *starts = g_try_new (uint32_t, MAX (count, 1));
  g_autoptr (VtreeIndex) sets = vtree_index_new (1, 0, random_seed ());
  XattrCheck check = { .view = view, .starts = starts, .sets = sets };
  if (starts == NULL)
    return vtree_error_set_errno (error, ENOMEM, "check %u attribute records", count);
  if (!check_attributes (&check, error) || !check_objects (view, error))
    return false;
  *flags |= check.flags;
  return true;
}
