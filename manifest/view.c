/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the hot path from a manifest's verified pages to answers: inode, directory,
 * entry, lookup. Nothing here allocates except for an error's text. Every byte of the
 * manifest is hostile; arithmetic on it is the span's and the pages' alone.
 */
#include "manifest/view.h"

#include "core/error.h"
#include "manifest/name.h"
#include "manifest/records.h"
#include <string.h>
#include <sys/stat.h>

static VtreeViewTotals
make_totals (const VtreeLayout *layout)
{
  return (VtreeViewTotals){
    .alg = layout->alg,
    .flags = (VtreeViewFlags) layout->flags,
    .inodes = layout->sections[VTREE_VTM_INODES].count,
    .entries = layout->sections[VTREE_VTM_ENTRIES].count,
    .objects = layout->sections[VTREE_VTM_OBJECTS].count,
    .directories = layout->directories,
    .regular = layout->regular,
    .symlinks = layout->symlinks,
    .special = layout->special,
    .bytes = layout->bytes,
    .blocks = layout->blocks,
  };
}

VtreeView *
vtree_view_new (VtreePages *pages, GError **error)
{
  VtreeSpan header;
  VtreeLayout layout;
  uint64_t size = vtree_pages_size (pages);
  if (size < VTREE_VTM_HEADER_SIZE) {
    vtree_error_set (error, VTREE_ERROR_CORRUPT,
                     "manifest: %" G_GUINT64_FORMAT " bytes hold no header", size);
    return NULL;
  }
  if (!vtree_pages_get (pages, 0, VTREE_VTM_HEADER_SIZE, &header, error)
      || !vtree_layout_parse (header, size, &layout, error))
    return NULL;
  VtreeView *view = g_new0 (VtreeView, 1);
  atomic_init (&view->references, 1);
  view->pages = vtree_pages_ref (pages);
  view->layout = layout;
  view->totals = make_totals (&layout);
  return view;
}

VtreeView *
vtree_view_ref (VtreeView *view)
{
  atomic_fetch_add (&view->references, 1);
  return view;
}

void
vtree_view_unref (VtreeView *view)
{
  if (atomic_fetch_sub (&view->references, 1) > 1)
    return;
  vtree_pages_unref (view->pages);
  g_free (view);
}

const VtreeViewTotals *
vtree_view_totals (const VtreeView *view)
{
  return &view->totals;
}

VtreePages *
vtree_view_peek_pages (VtreeView *view)
{
  return view->pages;
}

bool
vtree_records_get (VtreeView *view, uint32_t id, uint32_t index, VtreeSpan *record,
                   GError **error)
{
  const VtreeSection *section = &view->layout.sections[id];
  if (G_UNLIKELY (index >= section->count))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest section %u: no record %u, it has %u", id, index,
                            section->count);
  uint64_t offset = section->offset + (uint64_t) index * section->record_size;
  return vtree_pages_get (view->pages, offset, section->record_size, record, error);
}

bool
vtree_records_heap (VtreeView *view, uint32_t id, uint64_t offset, uint64_t size,
                    VtreeSpan *bytes, GError **error)
{
  const VtreeSection *section = &view->layout.sections[id];
  if (G_UNLIKELY (offset > section->size || size > section->size - offset))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest section %u: %" G_GUINT64_FORMAT
                            " bytes at %" G_GUINT64_FORMAT " go beyond its end",
                            id, size, offset);
  return vtree_pages_get (view->pages, section->offset + offset, size, bytes, error);
}

/* One request for the pages where the rest of the block holds the longest name, else
 * two: a block that holds nothing of the name is never touched. */
bool
vtree_records_name (VtreeView *view, uint32_t offset, VtreeSpan *name, GError **error)
{
  const VtreeSection *section = &view->layout.sections[VTREE_VTM_NAMES];
  uint64_t in_block = offset % VTREE_VTM_ALIGN; /* sections are aligned */
  uint64_t room = MIN (VTREE_VTM_ALIGN - in_block, 1 + VTREE_VTM_NAME_MAX);
  room = offset < section->size ? MIN (room, section->size - offset) : 1;
  VtreeSpan bytes;
  if (!vtree_records_heap (view, VTREE_VTM_NAMES, offset, room, &bytes, error))
    return false;
  size_t length = bytes.data[0];
  if (length == 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest: empty name at %u of the heap", offset);
  if (vtree_span_sub (bytes, 1, length, name))
    return true;
  return vtree_records_heap (view, VTREE_VTM_NAMES, (uint64_t) offset + 1, length, name,
                             error);
}

static bool
corrupt_inode (uint32_t index, const char *what, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "manifest inode %u: %s", index,
                          what);
}

/* Lets no ACL pass that the header denies: without the kernel's ACL code, a mode's
 * group bits would mean something else. */
static bool
check_no_acl (VtreeView *view, const VtreeInode *inode, GError **error)
{
  VtreeXattrSteps steps;
  VtreeXattr xattr;
  if (!vtree_xattr_steps_start (&steps, view, inode->xattrs, error))
    return false;
  while (steps.left > 0) {
    if (!vtree_xattr_steps_next (&steps, &xattr, error))
      return false;
  }
  return true;
}

static bool
check_flags (VtreeView *view, const VtreeInode *inode, GError **error)
{
  uint64_t flags = view->layout.flags;
  bool device = S_ISCHR (inode->mode) || S_ISBLK (inode->mode);
  bool setid = S_ISREG (inode->mode) && (inode->mode & (S_ISUID | S_ISGID)) != 0;
  if (device && !(flags & VTREE_VTM_HAS_DEVICE))
    return corrupt_inode (inode->index, "a device, which the header denies", error);
  if (setid && !(flags & VTREE_VTM_HAS_SETID))
    return corrupt_inode (inode->index, "a set-id file, which the header denies",
                          error);
  if (inode->xattrs == 0)
    return true;
  if (!(flags & VTREE_VTM_HAS_XATTR))
    return corrupt_inode (inode->index, "it has xattrs, which the header denies",
                          error);
  return (flags & VTREE_VTM_HAS_ACL) != 0 || check_no_acl (view, inode, error);
}

static bool
read_attributes (VtreeView *view, VtreeInode *inode, GError **error)
{
  VtreeSpan record;
  if (!vtree_records_get (view, VTREE_VTM_ATTRIBUTES, inode->attributes, &record,
                          error))
    return false;
  inode->mode = vtree_span_u32 (record, VTREE_VTM_A_MODE);
  inode->uid = vtree_span_u32 (record, VTREE_VTM_A_UID);
  inode->gid = vtree_span_u32 (record, VTREE_VTM_A_GID);
  inode->xattrs = vtree_span_u32 (record, VTREE_VTM_A_XATTRS);
  if (!vtree_mode_is_valid (inode->mode))
    return corrupt_inode (inode->index, "invalid mode", error);
  return check_flags (view, inode, error);
}

/* The target whose length stands at OFFSET of NAMES. */
static bool
read_target_size (VtreeView *view, uint32_t offset, uint64_t *size, GError **error)
{
  VtreeSpan length;
  if (!vtree_records_heap (view, VTREE_VTM_NAMES, offset, sizeof (uint16_t), &length,
                           error))
    return false;
  *size = vtree_span_u16 (length, 0);
  if (*size == 0 || *size > VTREE_VTM_TARGET_MAX)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest: symlink target of %u bytes", (unsigned) *size);
  return true;
}

static bool
read_object_size (VtreeView *view, uint32_t index, uint64_t *size, GError **error)
{
  VtreeSpan record;
  if (!vtree_records_get (view, VTREE_VTM_OBJECTS, index, &record, error))
    return false;
  *size = vtree_span_u64 (record, VTREE_VTM_O_SIZE);
  if (*size == 0 || *size > INT64_MAX)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest object %u: invalid size", index);
  return true;
}

/* What CONTENT means depends on the type; fills size and one of the type's fields. */
static bool
read_content (VtreeView *view, uint32_t content, VtreeInode *inode, GError **error)
{
  switch (inode->mode & S_IFMT) {
  case S_IFREG:
    if (content == 0)
      return true;
    inode->object = content - 1;
    return read_object_size (view, inode->object, &inode->size, error);
  case S_IFDIR:
    inode->directory = content;
    if (content >= view->layout.sections[VTREE_VTM_DIRECTORIES].count)
      return corrupt_inode (inode->index, "no such directory record", error);
    return inode->nlink >= 2 || corrupt_inode (inode->index, "nlink below 2", error);
  case S_IFLNK:
    inode->target = content;
    return read_target_size (view, content, &inode->size, error);
  case S_IFCHR:
  case S_IFBLK:
    inode->rdev = content;
    return true;
  default:
    return content == 0 || corrupt_inode (inode->index, "content without use", error);
  }
}

bool
vtree_view_inode (VtreeView *view, uint32_t index, VtreeInode *inode, GError **error)
{
  VtreeSpan record;
  if (!vtree_records_get (view, VTREE_VTM_INODES, index, &record, error))
    return false;
  VtreeInode answer = {
    .index = index,
    .attributes = vtree_span_u32 (record, VTREE_VTM_I_ATTRIBUTES),
    .nsec = vtree_span_u32 (record, VTREE_VTM_I_NSEC),
    .mtime = vtree_span_s64 (record, VTREE_VTM_I_MTIME),
    .nlink = vtree_span_u32 (record, VTREE_VTM_I_NLINK),
    .object = VTREE_VIEW_NO_OBJECT,
  };
  if (answer.nsec >= VTREE_VTM_NSEC_END)
    return corrupt_inode (index, "nanoseconds beyond a second", error);
  if (answer.nlink == 0)
    return corrupt_inode (index, "nlink 0", error);
  uint32_t content = vtree_span_u32 (record, VTREE_VTM_I_CONTENT);
  if (!read_attributes (view, &answer, error)
      || !read_content (view, content, &answer, error))
    return false;
  if (index == 0 && !S_ISDIR (answer.mode))
    return corrupt_inode (index, "the root is no directory", error);
  *inode = answer;
  return true;
}

bool
vtree_view_directory (VtreeView *view, const VtreeInode *inode,
                      VtreeDirectory *directory, GError **error)
{
  VtreeSpan record;
  if (!S_ISDIR (inode->mode))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "inode %u: not a directory",
                            inode->index);
  if (!vtree_records_get (view, VTREE_VTM_DIRECTORIES, inode->directory, &record,
                          error))
    return false;
  VtreeDirectory answer = {
    .inode = vtree_span_u32 (record, VTREE_VTM_D_INODE),
    .parent = vtree_span_u32 (record, VTREE_VTM_D_PARENT),
    .first = vtree_span_u32 (record, VTREE_VTM_D_FIRST),
    .count = vtree_span_u32 (record, VTREE_VTM_D_COUNT),
  };
  uint32_t entries = view->totals.entries;
  if (answer.inode != inode->index)
    return corrupt_inode (inode->index, "its directory record is another's", error);
  if (answer.first > entries || answer.count > entries - answer.first)
    return corrupt_inode (inode->index, "entries beyond the table's end", error);
  bool parent_ok
    = answer.inode == 0 ? answer.parent == 0 : answer.parent < answer.inode;
  if (!parent_ok)
    return corrupt_inode (inode->index, "invalid parent", error);
  *directory = answer;
  return true;
}

/* The entry as it stands there: NAME has 1 to 255 bytes of any value. */
static bool
read_entry (VtreeView *view, const VtreeDirectory *directory, uint32_t n,
            VtreeEntry *entry, GError **error)
{
  VtreeSpan record;
  uint32_t index;
  if (n >= directory->count || !g_uint_checked_add (&index, directory->first, n))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "manifest inode %u: no entry %u in %u", directory->inode, n,
                            directory->count);
  if (!vtree_records_get (view, VTREE_VTM_ENTRIES, index, &record, error))
    return false;
  entry->inode = vtree_span_u32 (record, VTREE_VTM_E_INODE);
  return vtree_records_name (view, vtree_span_u32 (record, VTREE_VTM_E_NAME),
                             &entry->name, error);
}

static bool
check_entry (const VtreeView *view, const VtreeDirectory *directory,
             const VtreeEntry *entry, GError **error)
{
  if (!vtree_name_is_valid (entry->name)) {
    g_autofree char *name
      = vtree_error_escape ((const char *) entry->name.data, (gssize) entry->name.size);
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest inode %u: invalid name '%s' in it",
                            directory->inode, name);
  }
  /* Nothing may name the root. */
  if (entry->inode == 0 || entry->inode >= view->totals.inodes)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest inode %u: an entry names inode %u",
                            directory->inode, entry->inode);
  return true;
}

bool
vtree_view_entry (VtreeView *view, const VtreeDirectory *directory, uint32_t n,
                  VtreeEntry *entry, GError **error)
{
  VtreeEntry answer;
  if (!read_entry (view, directory, n, &answer, error)
      || !check_entry (view, directory, &answer, error))
    return false;
  *entry = answer;
  return true;
}

bool
vtree_view_lookup (VtreeView *view, const VtreeDirectory *directory, VtreeSpan name,
                   bool *found, uint32_t *inode, GError **error)
{
  uint32_t low = 0, high = directory->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    VtreeEntry entry;
    if (!read_entry (view, directory, middle, &entry, error))
      return false;
    int order = vtree_span_compare (name, entry.name);
    if (order == 0) {
      if (!check_entry (view, directory, &entry, error))
        return false;
      *inode = entry.inode;
      *found = true;
      return true;
    }
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  *found = false;
  return true;
}

bool
vtree_view_child (VtreeView *view, const VtreeDirectory *directory, uint32_t index,
                  VtreeInode *inode, GError **error)
{
  VtreeInode answer;
  VtreeDirectory child;
  if (!vtree_view_inode (view, index, &answer, error))
    return false;
  if (S_ISDIR (answer.mode)) {
    if (!vtree_view_directory (view, &answer, &child, error))
      return false;
    if (index == 0 || child.parent != directory->inode)
      return corrupt_inode (index, "its parent is another directory", error);
  }
  *inode = answer;
  return true;
}

bool
vtree_view_target (VtreeView *view, const VtreeInode *inode, VtreeSpan *target,
                   GError **error)
{
  uint64_t size = 0;
  VtreeSpan bytes;
  if (!S_ISLNK (inode->mode))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "inode %u: not a symlink",
                            inode->index);
  if (!read_target_size (view, inode->target, &size, error)
      || !vtree_records_heap (view, VTREE_VTM_NAMES,
                              (uint64_t) inode->target + sizeof (uint16_t), size,
                              &bytes, error))
    return false;
  if (memchr (bytes.data, '\0', bytes.size) != NULL)
    return corrupt_inode (inode->index, "NUL in the symlink's target", error);
  *target = bytes;
  return true;
}

bool
vtree_view_object (VtreeView *view, uint32_t index, VtreeDigest *digest, uint64_t *size,
                   GError **error)
{
  VtreeSpan record, value;
  uint64_t object_size = 0;
  if (!read_object_size (view, index, &object_size, error)
      || !vtree_records_get (view, VTREE_VTM_OBJECTS, index, &record, error)
      || !vtree_span_sub (record, VTREE_VTM_O_DIGEST,
                          vtree_digest_alg_size (view->layout.alg), &value))
    return false;
  vtree_digest_init (digest, view->layout.alg, value.data);
  *size = object_size;
  return true;
}
