/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One tree, and a table of patches. A patch says which record, by a path of the good
 * tree, and what to put there.
 */
#include "tests/lib/hostile.h"

#include "core/error.h"
#include "core/verity.h"
#include "manifest/layout.h"
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

typedef enum {
  NOWHERE,
  HEADER,
  SECTION, /* line of the section table; "path" is its id */
  INODE,
  DIRECTORY,
  ENTRY,
  NAME,   /* the length byte */
  TARGET, /* the length */
  ATTRIBUTES,
  OBJECT,
  XATTRS,  /* the inode's set */
  PADDING, /* behind the section whose id is "path" */
} Space;

typedef struct {
  Space space;
  const char *path;
  uint32_t offset, width;
  uint64_t value;
  const char *value_path; /* instead of VALUE: this path's inode number */
  const char *text;       /* instead of both */
} Patch;

#define PATCHES_MAX 2

#define NUMBER(space, path, offset, width, value)                                      \
  {                                                                                    \
    (space), (path), (offset), (width), (value), NULL, NULL                            \
  }
#define NUMBER_OF(space, path, offset, width, value_path)                              \
  {                                                                                    \
    (space), (path), (offset), (width), 0, (value_path), NULL                          \
  }
#define TEXT(space, path, offset, width, text)                                         \
  {                                                                                    \
    (space), (path), (offset), (width), 0, NULL, (text)                                \
  }

typedef struct {
  VtreeTestHostile hostile;
  Patch patches[PATCHES_MAX];
} Row;

#define BAD VTREE_ERROR_CORRUPT
#define NEW VTREE_ERROR_UNSUPPORTED

/* clang-format off */
static const Row rows[] = {
  { { "none", -1, NULL, NULL }, { NUMBER (NOWHERE, NULL, 0, 0, 0) } },

  { { "name-dotdot", -1, "invalid name '..'", NULL },
    { TEXT (NAME, "/dir/p-", 1, 2, "..") } },
  { { "name-dot", -1, "invalid name '.'", NULL },
    { TEXT (NAME, "/dir/q", 1, 1, ".") } },
  { { "name-slash", -1, "invalid name 'r/s'", NULL },
    { TEXT (NAME, "/dir/r-s", 1, 3, "r/s") } },
  { { "name-nul", -1, "invalid name 't\\x00u'", NULL },
    { TEXT (NAME, "/dir/t-u", 1, 3, "t\0u") } },
  { { "name-empty", -1, "empty name", NULL },
    { NUMBER (NAME, "/dir/r-s", 0, 1, 0) } },
  { { "name-long", -1, "go beyond its end", NULL },
    { NUMBER (NAME, "/dir/zz", 0, 1, 255) } },
  { { "name-longer", -1, "a name does not follow", NULL },
    { NUMBER (NAME, "/dir/zz", 0, 1, 3) } },
  { { "name-offset", -1, "go beyond its end", "/dir/zz" },
    { NUMBER (ENTRY, "/dir/zz", 0, 4, UINT32_MAX) } },
  { { "name-twice", -1, "names not in order, or one twice", NULL },
    { TEXT (NAME, "/dup-b", 1, 5, "dup-a") } },
  { { "names-unsorted", -1, "names not in order", NULL },
    { TEXT (NAME, "/dir/q", 1, 1, "~") } },

  { { "cycle", -1, "its parent is another directory", "/dir/sub/loop" },
    { NUMBER_OF (ENTRY, "/dir/sub/loop", 4, 4, "/dir") } },
  { { "cycle-root", -1, "an entry names inode 0", "/dir/sub/loop" },
    { NUMBER (ENTRY, "/dir/sub/loop", 4, 4, 0) } },
  { { "two-parents", -1, "its parent is another directory", "/dir/sub/loop" },
    { NUMBER_OF (ENTRY, "/dir/sub/loop", 4, 4, "/dup-b") } },
  { { "two-names", -1, "a directory with two names", NULL },
    { NUMBER_OF (ENTRY, "/zdir", 4, 4, "/dir") } },
  { { "parent-below", -1, "invalid parent", "/dir" },
    { NUMBER_OF (DIRECTORY, "/dir", 4, 4, "/dir/sub") } },
  { { "parent-of-root", -1, "invalid parent", "/dir" },
    { NUMBER (DIRECTORY, "/", 4, 4, 1) } },
  { { "parent-other", -1, "its parent is another directory", "/dir/sub/loop" },
    { NUMBER_OF (DIRECTORY, "/dir/sub/loop", 4, 4, "/dup-b") } },
  { { "inode-range", -1, "an entry names inode 4294967295", "/dir/q" },
    { NUMBER (ENTRY, "/dir/q", 4, 4, UINT32_MAX) } },
  { { "inode-skipped", -1, "an entry skips an inode number", NULL },
    { NUMBER_OF (ENTRY, "/dir/q", 4, 4, "/dir/zz") } },
  { { "directory-of-another", -1, "its directory record is another's", "/dir" },
    { NUMBER (INODE, "/dir", 20, 4, 0) } },
  { { "directory-range", -1, "no such directory record", "/dir" },
    { NUMBER (INODE, "/dir", 20, 4, 1000) } },
  { { "entries-range", -1, "entries beyond the table's end", "/dir" },
    { NUMBER (DIRECTORY, "/dir", 12, 4, UINT32_MAX) } },
  { { "entries-shared", -1, "its entries do not follow", NULL },
    { NUMBER (DIRECTORY, "/dir/sub", 8, 4, 0) } },

  { { "nlink-file", -1, "wrong link count", NULL },
    { NUMBER (INODE, "/dir/file", 16, 4, 7) } },
  { { "nlink-directory", -1, "wrong link count", NULL },
    { NUMBER (INODE, "/dir", 16, 4, 7) } },
  { { "nlink-zero", -1, "nlink 0", "/dir/file" },
    { NUMBER (INODE, "/dir/file", 16, 4, 0) } },
  { { "nsec", -1, "nanoseconds beyond a second", "/dir/file" },
    { NUMBER (INODE, "/dir/file", 4, 4, 1000000000) } },
  { { "attributes-range", -1, "no record 1000", "/dir/file" },
    { NUMBER (INODE, "/dir/file", 0, 4, 1000) } },
  { { "type", -1, "invalid mode", "/null" },
    { NUMBER (ATTRIBUTES, "/null", 0, 4, 0644) } },
  { { "mode-bits", -1, "invalid mode", "/null" },
    { NUMBER (ATTRIBUTES, "/null", 0, 4, S_IFCHR | 0x10000) } },
  { { "mode-symlink", -1, "invalid mode", "/link" },
    { NUMBER (ATTRIBUTES, "/link", 0, 4, S_IFLNK | 0644) } },
  { { "root-file", -1, "the root is no directory", "/" },
    { NUMBER (INODE, "/", 0, 4, 3), NUMBER (INODE, "/", 20, 4, 0) } },
  { { "special-content", -1, "content without use", "/fifo" },
    { NUMBER (INODE, "/fifo", 20, 4, 5) } },

  { { "object-range", -1, "no record 999", "/dir/file" },
    { NUMBER (INODE, "/dir/file", 20, 4, 1000) } },
  { { "object-empty", -1, "invalid size", "/dir/file" },
    { NUMBER (OBJECT, "/dir/file", 0, 8, 0) } },
  { { "object-huge", -1, "invalid size", "/dir/file" },
    { NUMBER (OBJECT, "/dir/file", 0, 8, (uint64_t) INT64_MAX + 1) } },
  { { "object-unused", -1, "attribute or object record without use", NULL },
    { NUMBER (INODE, "/dir/file", 20, 4, 0), NUMBER (INODE, "/setid", 20, 4, 0) } },
  { { "target-oversize", -1, "symlink target of 4096 bytes", "/link" },
    { NUMBER (TARGET, "/link", 0, 2, 4096) } },
  { { "target-empty", -1, "symlink target of 0 bytes", "/link" },
    { NUMBER (TARGET, "/link", 0, 2, 0) } },
  { { "target-beyond", -1, "go beyond its end", NULL },
    { NUMBER (TARGET, "/link", 0, 2, 4095) } },
  { { "target-nul", -1, "NUL in the symlink's target", NULL },
    { NUMBER (TARGET, "/link", 3, 1, 0) } },
  { { "target-offset", -1, "go beyond its end", "/link" },
    { NUMBER (INODE, "/link", 20, 4, UINT32_MAX) } },

  { { "xattr-hidden", -1, "xattrs, which the header denies", "/xattr" },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_FLAGS, 8,
        VTREE_VTM_FLAGS_ALL & ~VTREE_VTM_HAS_XATTR) } },
  { { "acl-hidden", -1, "an ACL, which the header denies", "/acl" },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_FLAGS, 8,
        VTREE_VTM_FLAGS_ALL & ~VTREE_VTM_HAS_ACL) } },
  { { "device-hidden", -1, "a device, which the header denies", "/null" },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_FLAGS, 8,
        VTREE_VTM_FLAGS_ALL & ~VTREE_VTM_HAS_DEVICE) } },
  { { "setid-hidden", -1, "a set-id file, which the header denies", "/setid" },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_FLAGS, 8,
        VTREE_VTM_FLAGS_ALL & ~VTREE_VTM_HAS_SETID) } },
  { { "xattr-empty-set", -1, "empty", NULL }, { NUMBER (XATTRS, "/xattr", 0, 2, 0) } },
  { { "xattr-count", -1, "manifest", NULL },
    { NUMBER (XATTRS, "/xattr", 0, 2, 65535) } },
  { { "xattr-name-length", -1, "an invalid length", NULL },
    { NUMBER (XATTRS, "/xattr", 2, 1, 0) } },
  { { "xattr-value-length", -1, "an invalid length", NULL },
    { NUMBER (XATTRS, "/xattr", 3, 4, 65537) } },
  { { "xattr-name-nul", -1, "NUL in a name", NULL },
    { NUMBER (XATTRS, "/xattr", 8, 1, 0) } },
  { { "xattr-order", -1, "names not in order", NULL },
    { NUMBER (XATTRS, "/xattr", 7, 1, 'z') } },
  { { "xattr-offset", -1, "xattr sets not in the order", NULL },
    { NUMBER (ATTRIBUTES, "/xattr", 12, 4, UINT32_MAX) } },
  { { "xattr-overlapping", -1, "xattr sets not in the order", NULL },
    { NUMBER (ATTRIBUTES, "/xattr", 12, 4, 3) } },

  { { "total-bytes", -1, "bytes: 99, but the tree has", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_BYTES, 8, 99) } },
  { { "total-blocks", -1, "blocks: 99, but the tree has", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_BLOCKS, 8, 99) } },
  { { "total-kinds", -1, "regular files: 9, but the tree has 8", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_REGULAR, 8, 9),
      NUMBER (HEADER, NULL, VTREE_VTM_H_SPECIAL, 8, 1) } },
  { { "total-sum", BAD, "totals do not add up", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_REGULAR, 8, UINT64_MAX) } },
  { { "total-directories", BAD, "contradict each other", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_DIRECTORIES, 8, 0),
      NUMBER (HEADER, NULL, VTREE_VTM_H_REGULAR, 8, 15) } },

  { { "magic", BAD, "wrong magic", NULL }, { NUMBER (HEADER, NULL, 0, 1, 'W') } },
  { { "version", NEW, "format version 2", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_VERSION, 4, 2) } },
  { { "incompat", NEW, "incompatible features 0x8000000000000000", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_INCOMPAT, 8, UINT64_C (1) << 63) } },
  { { "algorithm", NEW, "digest algorithm 3", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_DIGEST_ALG, 4, 3) } },
  { { "algorithm-other", BAD, "records of 40 bytes instead of 72", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_DIGEST_ALG, 4, VTREE_DIGEST_SHA512) } },
  { { "flags-unknown", BAD, "unknown flags", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_FLAGS, 8, 31) } },
  { { "file-size", BAD, "bytes instead of 4096", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_FILE_SIZE, 8, 4096) } },
  { { "reserved", BAD, "reserved bytes are not zero", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_RESERVED, 4, 1) } },
  { { "reserved-gap", BAD, "reserved bytes are not zero", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_SECTIONS - 1, 1, 1) } },
  { { "reserved-end", BAD, "reserved bytes are not zero", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_HEADER_SIZE - 1, 1, 1) } },
  { { "section-count", BAD, "8 sections instead of 7", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_SECTION_COUNT, 4, 8) } },
  { { "section-count-huge", BAD, "sections instead of 7", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_SECTION_COUNT, 4, UINT32_MAX),
      NUMBER (HEADER, NULL, VTREE_VTM_H_COMPAT, 8, 1) } },
  { { "section-unknown", BAD, "id 0 in place 8", NULL },
    { NUMBER (HEADER, NULL, VTREE_VTM_H_SECTION_COUNT, 4, 8),
      NUMBER (HEADER, NULL, VTREE_VTM_H_COMPAT, 8, 1) } },
  { { "section-order", BAD, "id 4 in place 3", NULL },
    { NUMBER (SECTION, "3", VTREE_VTM_S_ID, 4, 4) } },
  { { "section-overlap", BAD, "does not stand where", NULL },
    { NUMBER (SECTION, "3", VTREE_VTM_S_OFFSET, 8, 4096) } },
  { { "section-beyond", BAD, "beyond the end of the file", NULL },
    { NUMBER (SECTION, "7", VTREE_VTM_S_COUNT, 8, 8192) } },
  { { "section-huge", BAD, "too many records", NULL },
    { NUMBER (SECTION, "1", VTREE_VTM_S_COUNT, 8, UINT64_MAX) } },
  { { "section-record-size", BAD, "records of 9 bytes instead of 8", NULL },
    { NUMBER (SECTION, "3", VTREE_VTM_S_RECORD_SIZE, 4, 9) } },
  { { "section-reserved", BAD, "reserved bytes are not zero", NULL },
    { NUMBER (SECTION, "3", VTREE_VTM_S_RESERVED, 8, 1) } },
  { { "section-shorter", BAD, "contradict each other", NULL },
    { NUMBER (SECTION, "3", VTREE_VTM_S_COUNT, 8, 1) } },
  { { "padding", -1, "its padding is not zero", NULL },
    { NUMBER (PADDING, "2", 0, 1, 1) } },
};
/* clang-format on */

/* The good tree */

typedef struct {
  const char *parent, *name;
  uint32_t mode;
} Sample;

/* Parents first; contents for those of 0644 and 04755. */
static const Sample sample[] = {
  { "", "acl", S_IFDIR | 0750 },     { "", "dir", S_IFDIR | 0755 },
  { "", "dup-a", S_IFLNK | 0777 },   { "", "dup-b", S_IFDIR | 0755 },
  { "", "fifo", S_IFIFO | 0600 },    { "", "link", S_IFLNK | 0777 },
  { "", "null", S_IFCHR | 0666 },    { "", "setid", S_IFREG | 04755 },
  { "", "xattr", S_IFREG | 0600 },   { "", "zdir", S_IFDIR | 0755 },
  { "dir", "file", S_IFREG | 0644 }, { "dir", "p-", S_IFREG | 0600 },
  { "dir", "q", S_IFREG | 0600 },    { "dir", "r-s", S_IFREG | 0600 },
  { "dir", "sub", S_IFDIR | 0755 },  { "dir", "t-u", S_IFREG | 0600 },
  { "dir", "zz", S_IFREG | 0600 },   { "sub", "loop", S_IFDIR | 0755 },
};

/* Version 2, then tag, permissions and id of each entry: user::rwx, user:1:r--,
 * group::r-x, mask::r-x, other::---, as mode 0750 has it. */
static const uint8_t acl[] = {
  2, 0, 0,    0,    0x01, 0,    7,    0, 0xff, 0xff, 0xff, 0xff, 0x02, 0,    4,
  0, 1, 0,    0,    0,    4,    0,    5, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
  5, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
};

static void
fill_sample (VtreeBuilder *builder, const Sample *item, VtreeNode *node, GError **error)
{
  static const char contents[] = VTREE_TEST_HOSTILE_CONTENTS;
  const VtreeVerityParams params = { VTREE_DIGEST_SHA256, strlen (contents), -1, NULL };
  VtreeDigest digest;
  if (S_ISLNK (item->mode))
    vtree_node_set_target (node, "dir", error);
  if (item->mode == (S_IFREG | 0644) || item->mode == (S_IFREG | 04755)) {
    vtree_verity_compute_data (&params, contents, &digest, error);
    vtree_node_set_content (node, &digest, params.size);
  }
  if (g_str_equal (item->name, "acl"))
    vtree_node_add_xattr (builder, node, "system.posix_acl_access", acl, sizeof acl,
                          error);
  if (!g_str_equal (item->name, "xattr"))
    return;
  vtree_node_add_xattr (builder, node, "user.a", "1", 1, error);
  vtree_node_add_xattr (builder, node, "user.b", "2", 1, error);
}

static GBytes *
build_sample (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  g_autoptr (GHashTable) directories = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (directories, (gpointer) "", vtree_builder_root (builder));
  for (size_t i = 0; i < G_N_ELEMENTS (sample); i++) {
    const Sample *item = &sample[i];
    const VtreeNodeAttributes attributes = { .mode = item->mode, .rdev = 0x103 };
    VtreeNode *parent = g_hash_table_lookup (directories, item->parent);
    VtreeNode *node
      = vtree_builder_add (builder, parent, item->name, &attributes, &error);
    g_assert_no_error (error);
    fill_sample (builder, item, node, &error);
    g_assert_no_error (error);
    g_hash_table_insert (directories, (gpointer) item->name, node);
  }
  GBytes *bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  return bytes;
}

/* Where things are in it */

typedef struct {
  VtreeView *view;
  VtreeLayout layout;
} Good;

static VtreeInode
inode_of (const Good *good, const char *path)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  vtree_view_resolve (good->view, path, &inode, &error);
  g_assert_no_error (error);
  return inode;
}

static uint64_t
record_offset (const Good *good, uint32_t id, uint64_t index)
{
  return good->layout.sections[id].offset
         + index * good->layout.sections[id].record_size;
}

/* The number of the entry that PATH ends with. */
static uint32_t
entry_of (const Good *good, const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  VtreeInode inode = inode_of (good, parent), child = inode_of (good, path);
  VtreeDirectory directory;
  VtreeEntry entry = { .inode = 0 };
  g_assert_true (vtree_view_directory (good->view, &inode, &directory, NULL));
  for (uint32_t n = 0; n < directory.count; n++) {
    g_assert_true (vtree_view_entry (good->view, &directory, n, &entry, NULL));
    if (entry.inode == child.index)
      return directory.first + n;
  }
  g_assert_not_reached ();
}

static uint64_t
name_of (const Good *good, const char *path)
{
  VtreeSpan record;
  uint64_t entry = record_offset (good, VTREE_VTM_ENTRIES, entry_of (good, path));
  g_assert_true (vtree_pages_get (vtree_view_peek_pages (good->view), entry,
                                  VTREE_VTM_ENTRY_SIZE, &record, NULL));
  return record_offset (good, VTREE_VTM_NAMES,
                        vtree_span_u32 (record, VTREE_VTM_E_NAME));
}

static uint64_t
position (const Good *good, Space space, const char *path)
{
  switch (space) {
  case INODE:
    return record_offset (good, VTREE_VTM_INODES, inode_of (good, path).index);
  case DIRECTORY:
    return record_offset (good, VTREE_VTM_DIRECTORIES, inode_of (good, path).directory);
  case ENTRY:
    return record_offset (good, VTREE_VTM_ENTRIES, entry_of (good, path));
  case NAME:
    return name_of (good, path);
  case TARGET:
    return record_offset (good, VTREE_VTM_NAMES, inode_of (good, path).target);
  case ATTRIBUTES:
    return record_offset (good, VTREE_VTM_ATTRIBUTES, inode_of (good, path).attributes);
  case OBJECT:
    return record_offset (good, VTREE_VTM_OBJECTS, inode_of (good, path).object);
  case XATTRS:
    return record_offset (good, VTREE_VTM_XATTRS, inode_of (good, path).xattrs - 1);
  case SECTION:
    return VTREE_VTM_H_SECTIONS
           + (g_ascii_strtoull (path, NULL, 10) - 1) * VTREE_VTM_SECTION_SIZE;
  case PADDING: {
    const VtreeSection *section
      = &good->layout.sections[g_ascii_strtoull (path, NULL, 10)];
    return section->offset + section->size;
  }
  default:
    return 0;
  }
}

static void
apply (const Good *good, const Patch *patch, uint8_t *data)
{
  uint64_t value = patch->value;
  uint64_t at = position (good, patch->space, patch->path) + patch->offset;
  if (patch->space == NOWHERE)
    return;
  if (patch->value_path != NULL)
    value = inode_of (good, patch->value_path).index;
  value = GUINT64_TO_LE (value);
  memcpy (data + at, patch->text != NULL ? (const void *) patch->text : &value,
          patch->width);
}

size_t
vtree_test_hostile_count (void)
{
  return G_N_ELEMENTS (rows);
}

const VtreeTestHostile *
vtree_test_hostile_peek (size_t index)
{
  return &rows[index].hostile;
}

static const Row *
find_row (const char *kind)
{
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    if (g_str_equal (rows[i].hostile.kind, kind))
      return &rows[i];
  }
  return NULL;
}

GBytes *
vtree_test_hostile_new (const char *kind)
{
  const Row *row = find_row (kind);
  gsize size;
  if (row == NULL)
    return NULL;
  g_autoptr (GBytes) bytes = build_sample ();
  const uint8_t *data = g_bytes_get_data (bytes, &size);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  Good good = { .view = view };
  VtreeSpan header = { data, VTREE_VTM_HEADER_SIZE };
  g_assert_true (vtree_layout_parse (header, size, &good.layout, NULL));
  uint8_t *copy = g_memdup2 (data, size);
  for (int i = 0; i < PATCHES_MAX; i++)
    apply (&good, &row->patches[i], copy);
  return g_bytes_new_take (copy, size);
}
