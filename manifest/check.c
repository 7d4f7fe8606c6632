/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the proof that a manifest is what the builder would write for the tree that it
 * describes. Each pass follows a table in its order with a cursor that only moves
 * forward, which is what makes the canonical order checkable without a second tree; 4
 * bytes an inode and the indices of the shared records are all the memory it takes.
 * Iterative: a hostile tree can be as deep as it likes.
 *
 * Directories in the order of their records, each with an inode that an earlier entry
 * has introduced, each entry either the next new inode or a further name of a file: so
 * every directory has one parent, which is before it, and everything is reachable.
 */
#include "manifest/check.h"

#include "core/error.h"
#include "manifest/check-shared.h"
#include "manifest/records.h"
#include <errno.h>
#include <sys/stat.h>

typedef struct {
  VtreeView *view;
  uint32_t *names;     /* by inode: entries that name it; of a directory: its
                            subdirectories */
  uint32_t next_inode; /* first that no entry has named yet */
  uint32_t next_entry;
  uint64_t next_name; /* cursor in NAMES */
  uint32_t next_directory, next_attributes, next_object;
  VtreeLayout counted; /* flags and totals as they should be */
} Check;

static bool
fail (const Check *check, uint32_t inode, const char *rule, GError **error)
{
  g_autofree char *path = vtree_view_path (check->view, inode);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "manifest inode %u (%s): %s",
                          inode, path, rule);
}

/* For what the view has found: it knows the inode, we the path. */
static bool
fail_prefixed (const Check *check, uint32_t inode, GError **error)
{
  g_autofree char *path = vtree_view_path (check->view, inode);
  g_prefix_error (error, "%s: ", path);
  return false;
}

/* Directories and entries */

static bool
check_name (Check *check, const VtreeDirectory *directory, uint32_t n,
            const VtreeEntry *entry, GError **error)
{
  VtreeSpan record;
  if (!vtree_records_get (check->view, VTREE_VTM_ENTRIES, directory->first + n, &record,
                          error))
    return false;
  if (vtree_span_u32 (record, VTREE_VTM_E_NAME) != check->next_name)
    return fail (check, directory->inode, "a name does not follow the one before it",
                 error);
  check->next_name += 1 + entry->name.size;
  return true;
}

/* What the entry names is the next new inode, or a file that has a name already. */
static bool
check_link (Check *check, const VtreeDirectory *directory, const VtreeEntry *entry,
            GError **error)
{
  VtreeInode child;
  bool is_new = entry->inode == check->next_inode;
  if (entry->inode > check->next_inode)
    return fail (check, directory->inode, "an entry skips an inode number", error);
  if (!vtree_view_child (check->view, directory, entry->inode, &child, error))
    return fail_prefixed (check, entry->inode, error);
  if (S_ISDIR (child.mode) && !is_new)
    return fail (check, entry->inode, "a directory with two names", error);
  check->names[S_ISDIR (child.mode) ? directory->inode : entry->inode]++;
  if (is_new)
    check->next_inode++;
  return true;
}

static bool
check_entries (Check *check, const VtreeDirectory *directory, GError **error)
{
  VtreeSpan previous = { NULL, 0 };
  for (uint32_t n = 0; n < directory->count; n++) {
    VtreeEntry entry;
    if (!vtree_view_entry (check->view, directory, n, &entry, error))
      return fail_prefixed (check, directory->inode, error);
    if (n > 0 && vtree_span_compare (previous, entry.name) >= 0)
      return fail (check, directory->inode, "names not in order, or one twice", error);
    if (!check_name (check, directory, n, &entry, error)
        || !check_link (check, directory, &entry, error))
      return false;
    previous = entry.name;
  }
  return true;
}

/* Directory record number INDEX; *PREVIOUS is the inode of the one before it. */
static bool
check_directory (Check *check, uint32_t index, uint32_t *previous, GError **error)
{
  VtreeSpan record;
  VtreeInode inode;
  VtreeDirectory directory;
  if (!vtree_records_get (check->view, VTREE_VTM_DIRECTORIES, index, &record, error))
    return false;
  uint32_t number = vtree_span_u32 (record, VTREE_VTM_D_INODE);
  if (index == 0 ? number != 0 : number <= *previous)
    return fail (check, number, "directory records are not in order", error);
  if (number >= check->next_inode)
    return fail (check, number, "a directory that no earlier one holds", error);
  if (!vtree_view_inode (check->view, number, &inode, error))
    return fail_prefixed (check, number, error);
  if (!S_ISDIR (inode.mode) || inode.directory != index)
    return fail (check, number, "a directory record that is not its own", error);
  if (!vtree_view_directory (check->view, &inode, &directory, error))
    return fail_prefixed (check, number, error);
  if (directory.first != check->next_entry)
    return fail (check, number, "its entries do not follow the ones before", error);
  check->next_entry += directory.count;
  *previous = number;
  return check_entries (check, &directory, error);
}

static bool
check_directories (Check *check, GError **error)
{
  const VtreeLayout *layout = &check->view->layout;
  uint32_t previous = 0;
  for (uint32_t i = 0; i < layout->sections[VTREE_VTM_DIRECTORIES].count; i++) {
    if (!check_directory (check, i, &previous, error))
      return false;
  }
  if (check->next_inode != layout->sections[VTREE_VTM_INODES].count)
    return fail (check, check->next_inode, "no entry names it", error);
  if (check->next_entry != layout->sections[VTREE_VTM_ENTRIES].count)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest entry %u: in no directory", check->next_entry);
  return true;
}

/* Inodes */

static bool
check_regular (Check *check, const VtreeInode *inode, GError **error)
{
  VtreeLayout *counted = &check->counted;
  counted->regular++;
  counted->blocks += inode->size / 4096 + (inode->size % 4096 != 0);
  if (inode->mode & (S_ISUID | S_ISGID))
    counted->flags |= VTREE_VTM_HAS_SETID;
  if (!g_uint64_checked_add (&counted->bytes, counted->bytes, inode->size))
    return fail (check, inode->index, "sizes add up to 2^64 or more", error);
  if (inode->object == VTREE_VIEW_NO_OBJECT)
    return true;
  if (inode->object > check->next_object)
    return fail (check, inode->index, "objects not in the order of use", error);
  check->next_object += inode->object == check->next_object;
  return true;
}

static bool
check_symlink (Check *check, const VtreeInode *inode, GError **error)
{
  VtreeSpan target;
  check->counted.symlinks++;
  if (inode->target != check->next_name)
    return fail (check, inode->index, "its target does not follow the one before it",
                 error);
  if (!vtree_view_target (check->view, inode, &target, error))
    return fail_prefixed (check, inode->index, error);
  check->next_name += sizeof (uint16_t) + target.size;
  return true;
}

static bool
check_type (Check *check, const VtreeInode *inode, GError **error)
{
  switch (inode->mode & S_IFMT) {
  case S_IFREG:
    return check_regular (check, inode, error);
  case S_IFDIR:
    check->counted.directories++;
    return inode->directory == check->next_directory++
           || fail (check, inode->index, "directory records not in order", error);
  case S_IFLNK:
    return check_symlink (check, inode, error);
  case S_IFCHR:
  case S_IFBLK:
    check->counted.flags |= VTREE_VTM_HAS_DEVICE;
    check->counted.special++;
    return true;
  default:
    check->counted.special++;
    return true;
  }
}

static bool
check_inode (Check *check, uint32_t index, GError **error)
{
  VtreeInode inode;
  if (!vtree_view_inode (check->view, index, &inode, error))
    return fail_prefixed (check, index, error);
  uint32_t nlink = check->names[index] + (S_ISDIR (inode.mode) ? 2 : 0);
  if (inode.nlink != nlink)
    return fail (check, index, "wrong link count", error);
  if (inode.attributes > check->next_attributes)
    return fail (check, index, "attributes not in the order of use", error);
  check->next_attributes += inode.attributes == check->next_attributes;
  return check_type (check, &inode, error);
}

static bool
check_inodes (Check *check, GError **error)
{
  const VtreeSection *sections = check->view->layout.sections;
  for (uint32_t i = 0; i < sections[VTREE_VTM_INODES].count; i++) {
    if (!check_inode (check, i, error))
      return false;
  }
  if (check->next_attributes != sections[VTREE_VTM_ATTRIBUTES].count
      || check->next_object != sections[VTREE_VTM_OBJECTS].count)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest: an attribute or object record without use");
  if (check->next_name != sections[VTREE_VTM_NAMES].size)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest: bytes without use at the end of the names");
  return true;
}

/* The whole */

static bool
check_header (const Check *check, GError **error)
{
  const VtreeLayout *header = &check->view->layout, *counted = &check->counted;
  const struct {
    const char *what;
    uint64_t header, counted;
  } rows[] = {
    { "flags", header->flags, counted->flags },
    { "directories", header->directories, counted->directories },
    { "regular files", header->regular, counted->regular },
    { "symlinks", header->symlinks, counted->symlinks },
    { "special files", header->special, counted->special },
    { "bytes", header->bytes, counted->bytes },
    { "blocks", header->blocks, counted->blocks },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    if (rows[i].header != rows[i].counted)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                              "manifest header: %s: %" G_GUINT64_FORMAT
                              ", but the tree has %" G_GUINT64_FORMAT,
                              rows[i].what, rows[i].header, rows[i].counted);
  }
  return true;
}

static bool
check_padding (const Check *check, GError **error)
{
  for (uint32_t id = 1; id <= VTREE_VTM_SECTIONS_V1; id++) {
    const VtreeSection *section = &check->view->layout.sections[id];
    uint64_t end = section->offset + section->size;
    uint64_t padding = (VTREE_VTM_ALIGN - end % VTREE_VTM_ALIGN) % VTREE_VTM_ALIGN;
    VtreeSpan bytes;
    if (!vtree_pages_get (check->view->pages, end, padding, &bytes, error))
      return false;
    if (!vtree_span_is_zero (bytes))
      return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                              "manifest section %u: its padding is not zero", id);
  }
  return true;
}

bool
vtree_check_manifest (VtreeView *view, GError **error)
{
  g_autofree uint32_t *names = g_try_new0 (uint32_t, view->totals.inodes);
  Check check = { .view = view, .names = names, .next_inode = 1 };
  if (names == NULL)
    return vtree_error_set_errno (error, ENOMEM, "check a manifest of %u inodes",
                                  view->totals.inodes);
  return check_directories (&check, error) && check_inodes (&check, error)
         && vtree_check_shared (view, &check.counted.flags, error)
         && check_header (&check, error) && check_padding (&check, error);
}
