/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way from a path to an inode and back. The way back is for messages: it may
 * give up ("?"), but it ends, whatever the manifest says.
 */
#include "core/error.h"
#include "manifest/records.h"
#include <string.h>
#include <sys/stat.h>

/* A message is not made longer by a deeper tree. */
#define PATH_SIZE_MAX 4096
/* A block that can't be had is asked for again with each of its entries. */
#define FAILURES_MAX 16
/* Names of hard links that are passed over in the search for a first name. */
#define PLACE_LOOKS_MAX 32

static bool
missing (const char *path, const char *why, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (path, -1);
  return vtree_error_set (error, VTREE_ERROR_MISSING, "'%s': %s", escaped, why);
}

/* From INODE, a directory or not, to what NAME is in it. */
static bool
descend (VtreeView *view, const char *path, VtreeSpan name, VtreeInode *inode,
         GError **error)
{
  VtreeDirectory directory;
  bool found = false;
  uint32_t index = 0;
  if (!S_ISDIR (inode->mode))
    return missing (path, "a component of it is no directory", error);
  if (!vtree_view_directory (view, inode, &directory, error)
      || !vtree_view_lookup (view, &directory, name, &found, &index, error))
    return false;
  if (!found)
    return missing (path, "not in the tree", error);
  return vtree_view_child (view, &directory, index, inode, error);
}

bool
vtree_view_resolve (VtreeView *view, const char *path, VtreeInode *inode,
                    GError **error)
{
  VtreeInode at;
  if (!vtree_view_inode (view, 0, &at, error))
    return false;
  const char *rest = path + strspn (path, "/");
  while (*rest != '\0') {
    VtreeSpan name = { (const uint8_t *) rest, strcspn (rest, "/") };
    if (!descend (view, path, name, &at, error))
      return false;
    rest += name.size;
    rest += strspn (rest, "/");
  }
  *inode = at;
  return true;
}

typedef struct {
  VtreeView *view;
  GString *path;
  uint64_t budget; /* entries that may still be looked at */
  unsigned failures;
} PathSearch;

/* The entry of DIRECTORY that names inode INDEX. */
static bool
find_entry (PathSearch *search, const VtreeDirectory *directory, uint32_t index,
            VtreeEntry *entry)
{
  for (uint32_t n = 0; n < directory->count && search->budget > 0; n++) {
    search->budget--;
    if (vtree_view_entry (search->view, directory, n, entry, NULL)) {
      if (entry->inode == index)
        return true;
    } else if (++search->failures > FAILURES_MAX) {
      return false;
    }
  }
  return false;
}

static void
prepend_name (PathSearch *search, VtreeSpan name)
{
  g_autofree char *escaped
    = vtree_error_escape ((const char *) name.data, (gssize) name.size);
  g_string_prepend (search->path, escaped);
  g_string_prepend_c (search->path, '/');
}

/* Puts the path of directory INDEX before what is there. Indices fall on the way up,
 * since vtree_view_directory() lets no other parent pass. */
static bool
prepend_directories (PathSearch *search, uint32_t index)
{
  while (index != 0) {
    VtreeInode inode, parent;
    VtreeDirectory directory, above;
    VtreeEntry entry;
    if (!vtree_view_inode (search->view, index, &inode, NULL)
        || !vtree_view_directory (search->view, &inode, &directory, NULL)
        || !vtree_view_inode (search->view, directory.parent, &parent, NULL)
        || !vtree_view_directory (search->view, &parent, &above, NULL)
        || !find_entry (search, &above, index, &entry))
      return false;
    prepend_name (search, entry.name);
    if (search->path->len > PATH_SIZE_MAX) {
      g_string_prepend (search->path, "...");
      return true;
    }
    index = directory.parent;
  }
  return true;
}

/* The last directory whose first entry is not behind entry number N. */
static bool
find_directory_of_entry (VtreeView *view, uint32_t n, VtreeInode *inode,
                         VtreeDirectory *directory)
{
  VtreeSpan record;
  uint32_t low = 0, high = view->layout.sections[VTREE_VTM_DIRECTORIES].count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (!vtree_records_get (view, VTREE_VTM_DIRECTORIES, middle, &record, NULL))
      return false;
    if (vtree_span_u32 (record, VTREE_VTM_D_FIRST) <= n)
      low = middle;
    else
      high = middle;
  }
  return vtree_records_get (view, VTREE_VTM_DIRECTORIES, low, &record, NULL)
         && vtree_view_inode (view, vtree_span_u32 (record, VTREE_VTM_D_INODE), inode,
                              NULL)
         && S_ISDIR (inode->mode) && inode->directory == low
         && vtree_view_directory (view, inode, directory, NULL) && directory->first <= n
         && n - directory->first < directory->count;
}

/* Whether nothing else names inode INDEX, by its records alone: what is in them is
 * checked where it is used. */
static bool
has_one_name (VtreeView *view, uint32_t index)
{
  VtreeSpan inode, attributes;
  if (!vtree_records_get (view, VTREE_VTM_INODES, index, &inode, NULL))
    return false;
  if (vtree_span_u32 (inode, VTREE_VTM_I_NLINK) == 1)
    return true;
  return vtree_records_get (view, VTREE_VTM_ATTRIBUTES,
                            vtree_span_u32 (inode, VTREE_VTM_I_ATTRIBUTES), &attributes,
                            NULL)
         && S_ISDIR (vtree_span_u32 (attributes, VTREE_VTM_A_MODE));
}

/* Entry number N of all, or the last one before it that is the first name of its inode
 * for sure; false: none in a short look. */
static bool
find_first_name (VtreeView *view, uint32_t *n, uint32_t low, uint32_t *index)
{
  for (unsigned looks = 0; looks < PLACE_LOOKS_MAX; looks++) {
    VtreeSpan record;
    if (!vtree_records_get (view, VTREE_VTM_ENTRIES, *n, &record, NULL))
      return false;
    *index = vtree_span_u32 (record, VTREE_VTM_E_INODE);
    if (has_one_name (view, *index))
      return true;
    if (*n == low)
      return false;
    --*n;
  }
  return false;
}

/* Inodes are numbered in the order in which entries first name them, so the first names
 * are sorted by inode; further names of hard links are not, and are passed over. */
bool
vtree_view_place (VtreeView *view, uint32_t index, VtreeDirectory *directory,
                  uint32_t *n)
{
  VtreeInode inode;
  uint32_t low = 0, high = view->totals.entries, best = UINT32_MAX;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2, there, at = middle;
    /* Nothing but links from LOW to here. */
    if (!find_first_name (view, &at, low, &there)) {
      low = middle + 1;
      continue;
    }
    if (there <= index)
      best = at;
    if (there < index)
      low = middle + 1;
    else if (there > index)
      high = at;
    else
      break;
  }
  if (best == UINT32_MAX || !find_directory_of_entry (view, best, &inode, directory))
    return false;
  *n = best - directory->first;
  return true;
}

/* Anything, by the first entry that names it. */
static bool
prepend_entry (PathSearch *search, uint32_t index)
{
  VtreeView *view = search->view;
  for (uint32_t n = 0; n < view->totals.entries; n++) {
    VtreeSpan record;
    VtreeInode inode;
    VtreeDirectory directory;
    VtreeEntry entry;
    if (!vtree_records_get (view, VTREE_VTM_ENTRIES, n, &record, NULL))
      return false;
    if (vtree_span_u32 (record, VTREE_VTM_E_INODE) != index)
      continue;
    if (!find_directory_of_entry (view, n, &inode, &directory)
        || !vtree_view_entry (view, &directory, n - directory.first, &entry, NULL))
      return false;
    prepend_name (search, entry.name);
    return prepend_directories (search, inode.index);
  }
  return false;
}

char *
vtree_view_path (VtreeView *view, uint32_t index)
{
  VtreeInode inode;
  g_autoptr (GString) path = g_string_new (NULL);
  PathSearch search = { .view = view, .path = path, .budget = view->totals.entries };
  if (index == 0)
    return g_strdup ("/");
  bool directory = vtree_view_inode (view, index, &inode, NULL) && S_ISDIR (inode.mode);
  bool found
    = directory ? prepend_directories (&search, index) : prepend_entry (&search, index);
  return g_strdup (found ? path->str : "?");
}
