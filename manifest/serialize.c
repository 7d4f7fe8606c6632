/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the canonical form: how a builder's tree is numbered, and the bytes that it
 * becomes. The order in which the tree was filled has no influence on a single byte
 * here; manifest/check.c accepts nothing else.
 */
#include "core/error.h"
#include "manifest/format.h"
#include "manifest/layout.h"
#include "manifest/name.h"
#include "manifest/table.h"
#include "manifest/tree.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A directory's entry while it is sorted: the name's first bytes decide mostly. */
typedef struct {
  uint64_t prefix;
  VtreeNodeEntry *entry;
} SortKey;

typedef struct {
  VtreeBuilder *builder;
  VtreeNode **inodes;       /* by number */
  VtreeNodeEntry **entries; /* directory by directory, sorted */
  uint64_t counts[VTREE_VTM_SECTIONS_V1 + 1];
  uint64_t name_bytes; /* of NAMES, before the targets */
  VtreeLayout layout;
  VtreeTable *attributes, *objects, *xattrs;
  GByteArray *scratch;
  uint8_t *file;
} Output;

static bool
no_memory (GError **error)
{
  return vtree_error_set_errno (error, ENOMEM, "make a manifest");
}

/* Numbering */

static uint64_t
name_prefix (const VtreeNodeEntry *entry)
{
  uint64_t prefix = 0;
  memcpy (&prefix, entry->name, MIN (entry->name_size, sizeof prefix));
  return GUINT64_FROM_BE (prefix);
}

static VtreeSpan
entry_name (const VtreeNodeEntry *entry)
{
  return (VtreeSpan){ entry->name, entry->name_size };
}

/* Names hold no NUL, so that the zeros behind a short one sort it first. */
static int
compare_keys (const void *a, const void *b)
{
  const SortKey *first = a, *second = b;
  if (first->prefix != second->prefix)
    return first->prefix < second->prefix ? -1 : 1;
  return vtree_span_compare (entry_name (first->entry), entry_name (second->entry));
}

static bool
invalid_entry (const VtreeNodeDirectory *directory, const VtreeNodeEntry *entry,
               const char *what, GError **error)
{
  g_autofree char *path = vtree_tree_path (directory, entry);
  return vtree_error_set (error, VTREE_ERROR_INVALID, "make a manifest: %s: %s", path,
                          what);
}

/* Writes the entries of DIRECTORY, sorted, to OUT (directory->count of them). */
static bool
sort_entries (const VtreeNodeDirectory *directory, VtreeNodeEntry **out, GError **error)
{
  g_autofree SortKey *keys = g_try_new (SortKey, directory->count);
  size_t n = 0;
  if (keys == NULL && directory->count > 0)
    return no_memory (error);
  for (VtreeNodeEntry *entry = directory->entries; entry != NULL; entry = entry->next)
    keys[n++] = (SortKey){ name_prefix (entry), entry };
  g_assert (n == directory->count);
  if (n > 0)
    qsort (keys, n, sizeof (SortKey), compare_keys);
  for (size_t i = 0; i < n; i++) {
    out[i] = keys[i].entry;
    if (i > 0 && compare_keys (&keys[i - 1], &keys[i]) == 0)
      return invalid_entry (directory, out[i], "two entries have this name", error);
  }
  return true;
}

/* What could not be checked when it was set. */
static bool
check_entry (const VtreeNodeDirectory *directory, const VtreeNodeEntry *entry,
             GError **error)
{
  const VtreeNode *node = entry->node;
  if (S_ISLNK (node->mode) && ((const VtreeNodeSymlink *) node)->target == NULL)
    return invalid_entry (directory, entry, "symlink without a target", error);
  if (S_ISREG (node->mode) && ((const VtreeNodeRegular *) node)->invalid)
    return invalid_entry (directory, entry, "contents of an invalid size or digest",
                          error);
  return true;
}

/* Breadth-first; an inode gets its number with the first entry that names it. */
static bool
number_directory (Output *output, const VtreeNodeDirectory *directory, GError **error)
{
  uint64_t first = output->counts[VTREE_VTM_ENTRIES];
  if (!sort_entries (directory, output->entries + first, error))
    return false;
  output->counts[VTREE_VTM_ENTRIES] += directory->count;
  for (uint64_t i = first; i < output->counts[VTREE_VTM_ENTRIES]; i++) {
    const VtreeNodeEntry *entry = output->entries[i];
    if (!check_entry (directory, entry, error))
      return false;
    output->name_bytes += 1u + entry->name_size;
    if (entry->node->number != 0)
      continue;
    entry->node->number = (uint32_t) output->counts[VTREE_VTM_INODES];
    output->inodes[output->counts[VTREE_VTM_INODES]++] = entry->node;
  }
  return true;
}

static bool
number_tree (Output *output, GError **error)
{
  const VtreeBuilder *builder = output->builder;
  output->inodes = g_try_new0 (VtreeNode *, builder->inodes);
  output->entries = g_try_new0 (VtreeNodeEntry *, MAX (builder->entries, 1));
  if (output->inodes == NULL || output->entries == NULL)
    return no_memory (error);
  output->inodes[output->counts[VTREE_VTM_INODES]++] = &builder->root->node;
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_INODES]; i++) {
    const VtreeNode *node = output->inodes[i];
    if (S_ISDIR (node->mode)
        && !number_directory (output, (const VtreeNodeDirectory *) node, error))
      return false;
  }
  return true;
}

/* Shared records */

static int
compare_xattrs (const void *a, const void *b)
{
  const VtreeNodeXattr *first = *(const VtreeNodeXattr *const *) a;
  const VtreeNodeXattr *second = *(const VtreeNodeXattr *const *) b;
  return vtree_span_compare ((VtreeSpan){ first->bytes, first->name_size },
                             (VtreeSpan){ second->bytes, second->name_size });
}

static void
append_xattr (Output *output, const VtreeNodeXattr *xattr)
{
  uint8_t header[VTREE_VTM_X_HEADER_SIZE];
  header[VTREE_VTM_X_NAME_LENGTH] = xattr->name_size;
  vtree_bytes_put_u32 (header + VTREE_VTM_X_VALUE_LENGTH, xattr->value_size);
  g_byte_array_append (output->scratch, header, sizeof header);
  g_byte_array_append (output->scratch, xattr->bytes,
                       xattr->name_size + xattr->value_size);
  output->layout.flags |= VTREE_VTM_HAS_XATTR;
  if (vtree_xattr_is_acl ((VtreeSpan){ xattr->bytes, xattr->name_size }))
    output->layout.flags |= VTREE_VTM_HAS_ACL;
}

/* *XATTRS as an attribute record has it. */
static bool
intern_xattrs (Output *output, const VtreeNode *node, uint32_t *xattrs, GError **error)
{
  uint32_t position = 0;
  uint8_t count[VTREE_VTM_X_COUNT_SIZE];
  *xattrs = 0;
  if (node->xattrs == NULL)
    return true;
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  for (VtreeNodeXattr *xattr = node->xattrs; xattr != NULL; xattr = xattr->next)
    g_ptr_array_add (sorted, xattr);
  g_ptr_array_sort (sorted, compare_xattrs);
  vtree_bytes_put_u16 (count, (uint16_t) sorted->len);
  g_byte_array_set_size (output->scratch, 0);
  g_byte_array_append (output->scratch, count, sizeof count);
  for (guint i = 0; i < sorted->len; i++)
    append_xattr (output, g_ptr_array_index (sorted, i));
  VtreeSpan set = { output->scratch->data, output->scratch->len };
  if (!vtree_table_intern (output->xattrs, set, &position, error))
    return false;
  *xattrs = position + 1;
  return true;
}

static bool
intern_attributes (Output *output, const VtreeNode *node, uint32_t *position,
                   GError **error)
{
  uint8_t record[VTREE_VTM_ATTRIBUTES_SIZE];
  uint32_t xattrs = 0;
  if (!intern_xattrs (output, node, &xattrs, error))
    return false;
  vtree_bytes_put_u32 (record + VTREE_VTM_A_MODE, node->mode);
  vtree_bytes_put_u32 (record + VTREE_VTM_A_UID, node->uid);
  vtree_bytes_put_u32 (record + VTREE_VTM_A_GID, node->gid);
  vtree_bytes_put_u32 (record + VTREE_VTM_A_XATTRS, xattrs);
  return vtree_table_intern (output->attributes, (VtreeSpan){ record, sizeof record },
                             position, error);
}

/* *CONTENT: object index + 1. One digest means one size: they are the same contents. */
static bool
intern_object (Output *output, const VtreeNodeRegular *regular, uint32_t *content,
               GError **error)
{
  uint8_t record[VTREE_VTM_O_DIGEST + VTREE_DIGEST_MAX_SIZE];
  VtreeSpan span
    = { record, VTREE_VTM_O_DIGEST + vtree_digest_alg_size (regular->alg) };
  uint32_t position = 0;
  vtree_bytes_put_u64 (record + VTREE_VTM_O_SIZE, regular->size);
  memcpy (record + VTREE_VTM_O_DIGEST, regular->digest,
          vtree_digest_alg_size (regular->alg));
  if (!vtree_table_intern (output->objects, span, &position, error))
    return false;
  VtreeSpan stored;
  if (!vtree_span_sub (vtree_table_peek (output->objects), position * span.size,
                       span.size, &stored)
      || memcmp (stored.data, record, span.size) != 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "make a manifest: one digest with two sizes");
  *content = position + 1;
  return true;
}

/* Inodes */

static bool
add_regular (Output *output, const VtreeNodeRegular *regular, uint32_t *content,
             GError **error)
{
  VtreeLayout *layout = &output->layout;
  layout->regular++;
  if (regular->node.mode & (S_ISUID | S_ISGID))
    layout->flags |= VTREE_VTM_HAS_SETID;
  *content = 0;
  if (regular->size == 0)
    return true;
  if (!g_uint64_checked_add (&layout->bytes, layout->bytes, regular->size))
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "make a manifest: files of 2^64 bytes or more in all");
  layout->blocks += regular->size / 4096 + (regular->size % 4096 != 0);
  return intern_object (output, regular, content, error);
}

/* *CONTENT as an inode record has it, and what the header counts. *DIRECTORY and
 * *TARGET are the next ones. */
static bool
add_content (Output *output, const VtreeNode *node, uint64_t *target, uint32_t *content,
             GError **error)
{
  VtreeLayout *layout = &output->layout;
  switch (node->mode & S_IFMT) {
  case S_IFREG:
    return add_regular (output, (const VtreeNodeRegular *) node, content, error);
  case S_IFDIR:
    *content = (uint32_t) layout->directories++;
    return true;
  case S_IFLNK:
    layout->symlinks++;
    *content = (uint32_t) *target;
    *target += sizeof (uint16_t) + ((const VtreeNodeSymlink *) node)->target_size;
    return true;
  case S_IFCHR:
  case S_IFBLK:
    layout->special++;
    layout->flags |= VTREE_VTM_HAS_DEVICE;
    *content = ((const VtreeNodeDevice *) node)->rdev;
    return true;
  default:
    layout->special++;
    *content = 0;
    return true;
  }
}

static uint8_t *
record_at (const Output *output, uint32_t id, uint64_t index)
{
  const VtreeSection *section = &output->layout.sections[id];
  return output->file + section->offset + index * section->record_size;
}

static bool
write_inodes (Output *output, GError **error)
{
  uint64_t target = output->name_bytes;
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_INODES]; i++) {
    const VtreeNode *node = output->inodes[i];
    uint8_t *record = record_at (output, VTREE_VTM_INODES, i);
    uint32_t attributes = 0, content = 0;
    if (!intern_attributes (output, node, &attributes, error)
        || !add_content (output, node, &target, &content, error))
      return false;
    uint32_t nlink = node->names;
    if (S_ISDIR (node->mode))
      nlink = 2 + ((const VtreeNodeDirectory *) node)->subdirectories;
    vtree_bytes_put_u32 (record + VTREE_VTM_I_ATTRIBUTES, attributes);
    vtree_bytes_put_u32 (record + VTREE_VTM_I_NSEC, node->nsec);
    vtree_bytes_put_u64 (record + VTREE_VTM_I_MTIME, (uint64_t) node->mtime);
    vtree_bytes_put_u32 (record + VTREE_VTM_I_NLINK, nlink);
    vtree_bytes_put_u32 (record + VTREE_VTM_I_CONTENT, content);
  }
  return true;
}

static void
write_directories (Output *output)
{
  uint32_t first = 0, n = 0;
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_INODES]; i++) {
    if (!S_ISDIR (output->inodes[i]->mode))
      continue;
    const VtreeNodeDirectory *directory
      = (const VtreeNodeDirectory *) output->inodes[i];
    uint8_t *record = record_at (output, VTREE_VTM_DIRECTORIES, n++);
    uint32_t parent = directory->parent != NULL ? directory->parent->node.number : 0;
    vtree_bytes_put_u32 (record + VTREE_VTM_D_INODE, (uint32_t) i);
    vtree_bytes_put_u32 (record + VTREE_VTM_D_PARENT, parent);
    vtree_bytes_put_u32 (record + VTREE_VTM_D_FIRST, first);
    vtree_bytes_put_u32 (record + VTREE_VTM_D_COUNT, directory->count);
    first += directory->count;
  }
}

/* Entries with their names, then the targets. */
static void
write_names (Output *output)
{
  uint8_t *heap = record_at (output, VTREE_VTM_NAMES, 0);
  size_t at = 0;
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_ENTRIES]; i++) {
    const VtreeNodeEntry *entry = output->entries[i];
    uint8_t *record = record_at (output, VTREE_VTM_ENTRIES, i);
    vtree_bytes_put_u32 (record + VTREE_VTM_E_NAME, (uint32_t) at);
    vtree_bytes_put_u32 (record + VTREE_VTM_E_INODE, entry->node->number);
    heap[at] = entry->name_size;
    memcpy (heap + at + 1, entry->name, entry->name_size);
    at += 1u + entry->name_size;
  }
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_INODES]; i++) {
    if (!S_ISLNK (output->inodes[i]->mode))
      continue;
    const VtreeNodeSymlink *symlink = (const VtreeNodeSymlink *) output->inodes[i];
    vtree_bytes_put_u16 (heap + at, symlink->target_size);
    memcpy (heap + at + sizeof (uint16_t), symlink->target, symlink->target_size);
    at += sizeof (uint16_t) + symlink->target_size;
  }
}

/* The file */

static uint64_t
count_target_bytes (const Output *output)
{
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_INODES]; i++) {
    const VtreeNode *node = output->inodes[i];
    if (S_ISLNK (node->mode))
      bytes += sizeof (uint16_t) + ((const VtreeNodeSymlink *) node)->target_size;
  }
  return bytes;
}

/* Places the sections as far as the counts are known, and grows the file to hold them;
 * what is new is zero. */
static bool
place_file (Output *output, GError **error)
{
  uint64_t old_size = output->layout.file_size;
  if (!vtree_layout_place (&output->layout, output->counts, error))
    return false;
  g_assert (output->layout.file_size > old_size);
  uint8_t *file = g_try_realloc (output->file, output->layout.file_size);
  if (file == NULL)
    return no_memory (error);
  memset (file + old_size, 0, output->layout.file_size - old_size);
  output->file = file;
  return true;
}

static void
append_table (Output *output, uint32_t id, const VtreeTable *table)
{
  VtreeSpan records = vtree_table_peek (table);
  if (records.size > 0)
    memcpy (record_at (output, id, 0), records.data, records.size);
}

/* The shared tables stand last: they are complete when the inodes have been written. */
static bool
write_file (Output *output, GError **error)
{
  output->counts[VTREE_VTM_DIRECTORIES] = output->builder->directories;
  output->counts[VTREE_VTM_NAMES] = output->name_bytes + count_target_bytes (output);
  if (!place_file (output, error) || !write_inodes (output, error))
    return false;
  write_directories (output);
  write_names (output);
  output->counts[VTREE_VTM_ATTRIBUTES] = vtree_table_count (output->attributes);
  output->counts[VTREE_VTM_OBJECTS] = vtree_table_count (output->objects);
  output->counts[VTREE_VTM_XATTRS] = vtree_table_count (output->xattrs);
  if (!place_file (output, error))
    return false;
  append_table (output, VTREE_VTM_ATTRIBUTES, output->attributes);
  append_table (output, VTREE_VTM_OBJECTS, output->objects);
  append_table (output, VTREE_VTM_XATTRS, output->xattrs);
  vtree_layout_write (&output->layout, output->file);
  return true;
}

static void
output_init (Output *output, VtreeBuilder *builder)
{
  output->builder = builder;
  output->layout.alg = builder->alg;
  output->scratch = g_byte_array_new ();
  output->attributes = vtree_table_new (VTREE_VTM_ATTRIBUTES_SIZE, 0);
  output->objects = vtree_table_new (
    VTREE_VTM_O_DIGEST + vtree_digest_alg_size (builder->alg), VTREE_VTM_O_DIGEST);
  output->xattrs = vtree_table_new (1, 0);
}

/* Leaves the tree as it was. */
static void
output_clear (Output *output)
{
  for (uint64_t i = 0; i < output->counts[VTREE_VTM_INODES]; i++)
    output->inodes[i]->number = 0;
  g_free (output->inodes);
  g_free (output->entries);
  g_free (output->file);
  g_byte_array_unref (output->scratch);
  vtree_table_free (output->attributes);
  vtree_table_free (output->objects);
  vtree_table_free (output->xattrs);
}

GBytes *
vtree_builder_finish (VtreeBuilder *builder, GError **error)
{
  Output output = { 0 };
  GBytes *bytes = NULL;
  output_init (&output, builder);
  if (number_tree (&output, error) && write_file (&output, error))
    bytes = g_bytes_new_take (g_steal_pointer (&output.file), output.layout.file_size);
  output_clear (&output);
  return bytes;
}
