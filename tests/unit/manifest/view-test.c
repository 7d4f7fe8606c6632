/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "manifest/builder.h"
#include "manifest/device.h"
#include "manifest/view.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

static VtreeSpan
text_span (const char *text)
{
  return (VtreeSpan){ (const uint8_t *) text, strlen (text) };
}

static VtreeNode *
add (VtreeBuilder *builder, VtreeNode *parent, const char *name, uint32_t mode)
{
  g_autoptr (GError) error = NULL;
  const VtreeNodeAttributes attributes
    = { .mode = mode, .uid = 1, .gid = 2, .mtime = -3, .nsec = 4, .rdev = 0x12345678 };
  VtreeNode *node = vtree_builder_add (builder, parent, name, &attributes, &error);
  g_assert_no_error (error);
  return node;
}

static void
set_xattr (VtreeBuilder *builder, VtreeNode *node, const char *name, const char *value)
{
  g_autoptr (GError) error = NULL;
  vtree_node_add_xattr (builder, node, name, value, strlen (value), &error);
  g_assert_no_error (error);
}

static void
set_content (VtreeNode *node, uint8_t tag, uint64_t size)
{
  uint8_t value[32] = { tag };
  VtreeDigest digest;
  vtree_digest_init (&digest, VTREE_DIGEST_SHA256, value);
  vtree_node_set_content (node, &digest, size);
}

/* One of everything. */
static VtreeView *
make_sample (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *root = vtree_builder_root (builder);
  VtreeNode *usr = add (builder, root, "usr", S_IFDIR | 0755);
  VtreeNode *bin = add (builder, usr, "bin", S_IFDIR | 0755);
  VtreeNode *file = add (builder, bin, "file", S_IFREG | 04755);
  set_content (file, 1, 4097);
  vtree_builder_link (builder, root, "hard", file, &error);
  g_assert_no_error (error);
  set_xattr (builder, file, "user.two", "2");
  set_xattr (builder, file, "user.one", "");
  set_xattr (builder, usr, "system.posix_acl_access", "acl");
  add (builder, bin, "empty", S_IFREG | 0644);
  VtreeNode *symlink = add (builder, root, "symlink", S_IFLNK | 0755);
  vtree_node_set_target (symlink, "usr/bin", &error);
  g_assert_no_error (error);
  add (builder, root, "char", S_IFCHR | 0600);
  add (builder, root, "block", S_IFBLK | 0600);
  add (builder, root, "fifo", S_IFIFO | 0600);
  add (builder, root, "socket", S_IFSOCK | 0600);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  return vtree_test_view (bytes);
}

static VtreeInode
resolve (VtreeView *view, const char *path)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  vtree_view_resolve (view, path, &inode, &error);
  g_assert_no_error (error);
  return inode;
}

/* DIRS directories of FILES files each, and in each LINKS further names of the very
 * first file. */
static VtreeView *
make_places (unsigned dirs, unsigned files, unsigned links)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *root = vtree_builder_root (builder);
  VtreeNode *first = add (builder, root, "first", S_IFREG | 0644);
  for (unsigned d = 0; d < dirs; d++) {
    g_autofree char *name = g_strdup_printf ("d%03u", d);
    VtreeNode *dir = add (builder, root, name, S_IFDIR | 0755);
    for (unsigned f = 0; f < files + links; f++) {
      g_autofree char *child = g_strdup_printf ("f%03u", f);
      /* The links stand among the files. */
      if (f >= files / 2 && f < files / 2 + links)
        vtree_builder_link (builder, dir, child, first, &error);
      else
        add (builder, dir, child, S_IFREG | 0644);
      g_assert_no_error (error);
    }
  }
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  return vtree_test_view (bytes);
}

/* How many inodes, the root aside, are found where they are. */
static unsigned
count_places (VtreeView *view)
{
  unsigned found = 0;
  for (uint32_t index = 1; index < vtree_view_totals (view)->inodes; index++) {
    VtreeDirectory directory;
    VtreeEntry entry;
    uint32_t n;
    if (!vtree_view_place (view, index, &directory, &n))
      continue;
    g_assert_true (vtree_view_entry (view, &directory, n, &entry, NULL));
    g_assert_cmpuint (entry.inode, <=, index);
    found += entry.inode == index;
  }
  return found;
}

static void
test_place (void)
{
  VtreeDirectory directory;
  uint32_t n;
  g_autoptr (VtreeView) sample = make_sample ();
  g_autoptr (VtreeView) plain = make_places (20, 50, 0);
  g_autoptr (VtreeView) linked = make_places (20, 50, 8);
  g_autoptr (VtreeView) crowded = make_places (3, 2, 500);
  g_assert_false (vtree_view_place (sample, 0, &directory, &n));
  /* All but the file with two names. */
  g_assert_cmpuint (count_places (sample), ==, 8);
  g_assert_cmpuint (count_places (plain), ==, 1 + 20 + 20 * 50);
  /* The one with many names is found near its first one. */
  g_assert_cmpuint (count_places (linked), ==, 20 + 20 * 50);
  /* A hint: among too many links it gives up. */
  g_assert_cmpuint (count_places (crowded), <=, 3 + 3 * 2);
  g_assert_true (vtree_view_place (plain, 22, &directory, &n));
  g_assert_cmpuint (n, ==, 0);
  g_assert_false (vtree_view_place (sample, UINT32_MAX, &directory, &n)
                  && directory.inode == UINT32_MAX);
}

static void
test_totals (void)
{
  g_autoptr (VtreeView) view = make_sample ();
  const VtreeViewTotals *totals = vtree_view_totals (view);
  g_assert_cmpint (totals->alg, ==, VTREE_DIGEST_SHA256);
  g_assert_cmpint (totals->flags, ==,
                   VTREE_VIEW_HAS_XATTR | VTREE_VIEW_HAS_ACL | VTREE_VIEW_HAS_DEVICE
                     | VTREE_VIEW_HAS_SETID);
  g_assert_cmpuint (totals->inodes, ==, 10);
  g_assert_cmpuint (totals->entries, ==, 10);
  g_assert_cmpuint (totals->objects, ==, 1);
  g_assert_cmpuint (totals->directories, ==, 3);
  g_assert_cmpuint (totals->regular, ==, 2);
  g_assert_cmpuint (totals->symlinks, ==, 1);
  g_assert_cmpuint (totals->special, ==, 4);
  g_assert_cmpuint (totals->bytes, ==, 4097);
  g_assert_cmpuint (totals->blocks, ==, 2);
}

typedef struct {
  const char *path;
  uint32_t mode, nlink;
  uint64_t size;
  uint32_t rdev;
} InodeRow;

static const InodeRow inode_rows[] = {
  { "/", S_IFDIR | 0755, 3, 0, 0 },
  { "", S_IFDIR | 0755, 3, 0, 0 },
  { "usr", S_IFDIR | 0755, 3, 0, 0 },
  { "/usr/bin/", S_IFDIR | 0755, 2, 0, 0 },
  { "usr/bin/file", S_IFREG | 04755, 2, 4097, 0 },
  { "//usr//bin/empty", S_IFREG | 0644, 1, 0, 0 },
  { "symlink", S_IFLNK | 0777, 1, 7, 0 },
  { "char", S_IFCHR | 0600, 1, 0, 0x12345678 },
  { "block", S_IFBLK | 0600, 1, 0, 0x12345678 },
  { "fifo", S_IFIFO | 0600, 1, 0, 0 },
  { "socket", S_IFSOCK | 0600, 1, 0, 0 },
};

static void
test_inodes (void)
{
  g_autoptr (VtreeView) view = make_sample ();
  for (size_t i = 0; i < G_N_ELEMENTS (inode_rows); i++) {
    const InodeRow *row = &inode_rows[i];
    g_test_message ("%s", row->path);
    VtreeInode inode = resolve (view, row->path);
    g_assert_cmpuint (inode.mode, ==, row->mode);
    g_assert_cmpuint (inode.nlink, ==, row->nlink);
    g_assert_cmpuint (inode.size, ==, row->size);
    g_assert_cmpuint (inode.rdev, ==, row->rdev);
    g_assert_cmpuint (inode.uid, ==, inode.index == 0 ? 0 : 1);
    g_assert_cmpuint (inode.gid, ==, inode.index == 0 ? 0 : 2);
    g_assert_cmpint (inode.mtime, ==, inode.index == 0 ? 0 : -3);
    g_assert_cmpuint (inode.nsec, ==, inode.index == 0 ? 0 : 4);
  }
}

typedef struct {
  const char *path, *part;
} MissingRow;

static const MissingRow missing_rows[] = {
  { "nothing", "'nothing': not in the tree" },
  { "usr/bin/file/x", "no directory" },
  { "symlink/file", "no directory" },
  { "usr/..", "not in the tree" },
  { "./usr", "not in the tree" },
  { "us", "not in the tree" },
  { "usrx", "not in the tree" },
  { "a\nb", "'a\\nb'" },
};

static void
test_resolve_missing (void)
{
  g_autoptr (VtreeView) view = make_sample ();
  for (size_t i = 0; i < G_N_ELEMENTS (missing_rows); i++) {
    g_autoptr (GError) error = NULL;
    VtreeInode inode;
    g_assert_false (vtree_view_resolve (view, missing_rows[i].path, &inode, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING,
                             missing_rows[i].part);
  }
}

static void
test_contents (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) view = make_sample ();
  VtreeInode inode = resolve (view, "usr/bin/file");
  VtreeDigest digest;
  uint64_t size = 0;
  g_assert_cmpuint (inode.object, ==, 0);
  vtree_view_object (view, inode.object, &digest, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, 4097);
  g_assert_cmpuint (digest.value[0], ==, 1);
  g_assert_false (vtree_view_object (view, 1, &digest, &size, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "no record 1");
  inode = resolve (view, "usr/bin/empty");
  g_assert_cmpuint (inode.object, ==, VTREE_VIEW_NO_OBJECT);
}

static void
test_target (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) view = make_sample ();
  VtreeInode inode = resolve (view, "symlink");
  VtreeSpan target;
  vtree_view_target (view, &inode, &target, &error);
  g_assert_no_error (error);
  vtree_test_assert_span (target, "usr/bin");
  inode = resolve (view, "usr");
  g_assert_false (vtree_view_target (view, &inode, &target, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "not a symlink");
}

static void
test_entries (void)
{
  static const char *const names[]
    = { "block", "char", "fifo", "hard", "socket", "symlink", "usr" };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) view = make_sample ();
  VtreeInode root = resolve (view, "");
  VtreeDirectory directory;
  VtreeEntry entry;
  vtree_view_directory (view, &root, &directory, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (directory.count, ==, G_N_ELEMENTS (names));
  for (uint32_t n = 0; n < directory.count; n++) {
    bool found = false;
    uint32_t number = 0;
    vtree_view_entry (view, &directory, n, &entry, &error);
    g_assert_no_error (error);
    vtree_test_assert_span (entry.name, names[n]);
    /* Breadth-first: the root's children are the next numbers, in the order of names.
     * */
    g_assert_cmpuint (entry.inode, ==, n + 1);
    vtree_view_lookup (view, &directory, text_span (names[n]), &found, &number, &error);
    g_assert_no_error (error);
    g_assert_true (found);
    g_assert_cmpuint (number, ==, entry.inode);
  }
  g_assert_false (vtree_view_entry (view, &directory, directory.count, &entry, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "no entry 7");
}

static void
test_child (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) view = make_sample ();
  VtreeInode root = resolve (view, ""), bin = resolve (view, "usr/bin"), child;
  VtreeDirectory directory;
  vtree_view_directory (view, &root, &directory, &error);
  g_assert_no_error (error);
  g_assert_false (vtree_view_child (view, &directory, bin.index, &child, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "another directory");
  g_clear_error (&error);
  g_assert_false (vtree_view_child (view, &directory, 0, &child, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "another directory");
}

static void
test_xattrs (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) view = make_sample ();
  VtreeInode inode = resolve (view, "hard");
  g_autoptr (GArray) xattrs = vtree_view_xattrs (view, &inode, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (xattrs->len, ==, 2);
  const VtreeXattr *first = &g_array_index (xattrs, VtreeXattr, 0);
  const VtreeXattr *second = &g_array_index (xattrs, VtreeXattr, 1);
  vtree_test_assert_span (first->name, "user.one");
  g_assert_cmpuint (first->value.size, ==, 0);
  vtree_test_assert_span (second->name, "user.two");
  vtree_test_assert_span (second->value, "2");
  inode = resolve (view, "symlink");
  g_autoptr (GArray) none = vtree_view_xattrs (view, &inode, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (none->len, ==, 0);
}

typedef struct {
  const char *path, *name, *value; /* value NULL: not there */
} XattrRow;

static const XattrRow xattr_rows[] = {
  { "hard", "user.one", "" },      { "hard", "user.two", "2" },
  { "hard", "user.a", NULL },      { "hard", "user.onf", NULL },
  { "hard", "user.zzz", NULL },    { "usr", "system.posix_acl_access", "acl" },
  { "symlink", "user.one", NULL },
};

static void
test_one_xattr (void)
{
  g_autoptr (VtreeView) view = make_sample ();
  for (size_t i = 0; i < G_N_ELEMENTS (xattr_rows); i++) {
    const XattrRow *row = &xattr_rows[i];
    g_autoptr (GError) error = NULL;
    VtreeInode inode = resolve (view, row->path);
    VtreeSpan value = { NULL, 0 };
    bool found = false;
    g_test_message ("%s %s", row->path, row->name);
    vtree_view_xattr (view, &inode, text_span (row->name), &found, &value, &error);
    g_assert_no_error (error);
    g_assert_cmpint (found, ==, row->value != NULL);
    if (found)
      vtree_test_assert_span (value, row->value);
  }
}

static void
test_path (void)
{
  static const char *const paths[]
    = { "/", "/usr", "/usr/bin", "/usr/bin/empty", "/symlink", "/hard" };
  g_autoptr (VtreeView) view = make_sample ();
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_autofree char *path = vtree_view_path (view, resolve (view, paths[i]).index);
    g_assert_cmpstr (path, ==, paths[i]);
  }
  /* The first of its names. */
  g_autofree char *hard = vtree_view_path (view, resolve (view, "usr/bin/file").index);
  g_assert_cmpstr (hard, ==, "/hard");
  g_autofree char *none = vtree_view_path (view, 10);
  g_assert_cmpstr (none, ==, "?");
}

/* A path that is longer than a message should be is cut at its start. */
static void
test_deep_path (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *node = vtree_builder_root (builder);
  for (int i = 0; i < 10000; i++)
    node = add (builder, node, "deep", S_IFDIR | 0755);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  g_autofree char *path = vtree_view_path (view, 10000);
  g_assert_true (g_str_has_prefix (path, ".../deep/"));
  g_assert_true (g_str_has_suffix (path, "/deep"));
  g_assert_cmpuint (strlen (path), <, 5000);
}

#define WIDE_ENTRIES 100000

static void
test_wide_directory (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *root = vtree_builder_root (builder);
  for (int i = 0; i < WIDE_ENTRIES; i++) {
    g_autofree char *name = g_strdup_printf ("entry-%d", i);
    add (builder, root, name, S_IFREG | 0644);
  }
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  VtreeInode inode = resolve (view, "");
  VtreeDirectory directory;
  vtree_view_directory (view, &inode, &directory, &error);
  g_assert_no_error (error);
  for (int i = -1; i <= WIDE_ENTRIES; i++) {
    g_autofree char *name = g_strdup_printf ("entry-%d", i);
    bool found = false;
    uint32_t number = 0;
    vtree_view_lookup (view, &directory, text_span (name), &found, &number, &error);
    g_assert_no_error (error);
    g_assert_cmpint (found, ==, i >= 0 && i < WIDE_ENTRIES);
    if (!found)
      continue;
    VtreeEntry entry;
    vtree_view_entry (view, &directory, number - 1, &entry, &error);
    g_assert_no_error (error);
    vtree_test_assert_span (entry.name, name);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/view/totals", test_totals);
  g_test_add_func ("/manifest/view/place", test_place);
  g_test_add_func ("/manifest/view/inodes", test_inodes);
  g_test_add_func ("/manifest/view/resolve-missing", test_resolve_missing);
  g_test_add_func ("/manifest/view/contents", test_contents);
  g_test_add_func ("/manifest/view/target", test_target);
  g_test_add_func ("/manifest/view/entries", test_entries);
  g_test_add_func ("/manifest/view/child", test_child);
  g_test_add_func ("/manifest/view/xattrs", test_xattrs);
  g_test_add_func ("/manifest/view/one-xattr", test_one_xattr);
  g_test_add_func ("/manifest/view/path", test_path);
  g_test_add_func ("/manifest/view/deep-path", test_deep_path);
  g_test_add_func ("/manifest/view/wide-directory", test_wide_directory);
  return vtree_test_run ();
}
