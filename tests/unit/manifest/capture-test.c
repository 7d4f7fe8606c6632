/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a capture makes of a tree; describe.py says what the tree is. */
#include "manifest/device.h"
#include "tests/unit/manifest/tree-fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void
append_xattrs (VtreeView *view, const VtreeInode *inode, GString *line)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) xattrs = vtree_view_xattrs (view, inode, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < xattrs->len; i++) {
    const VtreeXattr *xattr = &g_array_index (xattrs, VtreeXattr, i);
    if (i > 0)
      g_string_append_c (line, ',');
    g_string_append_len (line, (const char *) xattr->name.data,
                         (gssize) xattr->name.size);
    g_string_append_c (line, '=');
    for (size_t k = 0; k < xattr->value.size; k++)
      g_string_append_printf (line, "%02x", xattr->value.data[k]);
  }
}

static void
append_escaped (GString *line, const char *bytes, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char) bytes[i];
    if (c > 0x20 && c < 0x7f && c != 0x5c)
      g_string_append_c (line, (char) c);
    else
      g_string_append_printf (line, "\\x%02x", c);
  }
}

/* The line that describe.py writes. */
static char *
describe (VtreeView *view, const char *path, const VtreeInode *inode)
{
  g_autoptr (GString) line = g_string_new (NULL);
  append_escaped (line, path, strlen (path));
  uint64_t size = inode->size;
  if (S_ISBLK (inode->mode) || S_ISCHR (inode->mode)) {
    dev_t device = vtree_device_decode (inode->rdev);
    size = ((uint64_t) major (device) << 20) + minor (device);
  }
  g_string_append_printf (line,
                          "|%o|%u|%u|%u|%" G_GINT64_FORMAT "|%" G_GUINT64_FORMAT "|",
                          inode->mode, inode->uid, inode->gid, inode->nlink,
                          inode->mtime * 1000000000 + inode->nsec, size);
  VtreeSpan target;
  if (S_ISLNK (inode->mode) && vtree_view_target (view, inode, &target, NULL))
    append_escaped (line, (const char *) target.data, target.size);
  g_string_append_c (line, '|');
  append_xattrs (view, inode, line);
  return g_string_free (g_steal_pointer (&line), FALSE);
}

static void
describe_below (VtreeView *view, const char *path, uint32_t index, GPtrArray *lines)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  vtree_view_inode (view, index, &inode, &error);
  g_assert_no_error (error);
  g_ptr_array_add (lines, describe (view, path, &inode));
  if (!S_ISDIR (inode.mode))
    return;
  VtreeDirectory directory;
  g_assert_true (vtree_view_directory (view, &inode, &directory, NULL));
  for (uint32_t n = 0; n < directory.count; n++) {
    VtreeEntry entry;
    g_assert_true (vtree_view_entry (view, &directory, n, &entry, NULL));
    g_autofree char *name = g_strndup ((const char *) entry.name.data, entry.name.size);
    g_autofree char *child = g_strconcat (path, path[0] != '\0' ? "/" : "", name, NULL);
    describe_below (view, child, entry.inode, lines);
  }
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* What the oracle says of DIR, and what MANIFEST says, line by line. */
static void
check_against_oracle (const char *dir, GBytes *manifest)
{
  const char *source = g_getenv ("VTREE_SOURCE_DIR");
  g_assert_nonnull (source);
  g_autofree char *script
    = g_build_filename (source, "tests/unit/manifest/describe.py", NULL);
  g_autofree char *copy = g_strdup (dir);
  char *argv[] = { (char[]){ "python3" }, script, copy, NULL };
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status;
  g_spawn_sync (NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
                &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  g_auto (GStrv) expected = g_strsplit (g_strchomp (output), "\n", -1);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  describe_below (view, "", 0, lines);
  g_ptr_array_sort (lines, compare_lines);
  for (guint i = 0; i < lines->len && expected[i] != NULL; i++)
    g_assert_cmpstr (lines->pdata[i], ==, expected[i]);
  g_assert_cmpuint (lines->len, ==, g_strv_length (expected));
}

static VtreeCaptureOptions
keep_all (void)
{
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.owner = VTREE_OWNER_KEEP;
  return options;
}

static void
test_everything (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_fill (dir);
  VtreeCaptureOptions options = keep_all ();
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  check_against_oracle (dir, manifest);
}

static void
test_everything_as_user (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  tree_fixture_fill (dir);
  VtreeCaptureOptions options = keep_all ();
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  tree_fixture_become_root (became);
  check_against_oracle (dir, manifest);
}

static void
test_same_at_every_thread_count (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_fill (dir);
  VtreeCaptureOptions options = keep_all ();
  options.threads = 1;
  g_autoptr (GBytes) one = tree_fixture_capture_ok (dir, &options);
  static const unsigned threads[] = { 2, 8, 8, 8 };
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++) {
    options.threads = threads[i];
    g_autoptr (GBytes) other = tree_fixture_capture_ok (dir, &options);
    g_assert_true (g_bytes_equal (one, other));
  }
}

/* Two directories of the same names, made in the order of a shuffled list. */
static void
make_in_order (const char *dir, const unsigned *order, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    g_autofree char *name
      = g_strdup_printf ("d%u/e%u/f%u", order[i] % 7, order[i] % 3, order[i]);
    tree_fixture_file (dir, name, order[i] * 11 % 5000, order[i]);
  }
}

static void
test_same_in_every_order (void)
{
  enum {
    COUNT = 200
  };
  unsigned order[COUNT];
  for (unsigned i = 0; i < COUNT; i++)
    order[i] = i;
  g_autofree char *first = vtree_test_make_dir ();
  make_in_order (first, order, COUNT);
  for (unsigned i = COUNT - 1; i > 0; i--) {
    unsigned k = (unsigned) g_test_rand_int_range (0, (gint32) i + 1);
    unsigned swapped = order[i];
    order[i] = order[k];
    order[k] = swapped;
  }
  g_autofree char *second = vtree_test_make_dir ();
  make_in_order (second, order, COUNT);
  VtreeCaptureOptions options = keep_all ();
  options.mtime = VTREE_MTIME_EPOCH;
  g_autoptr (GBytes) one = tree_fixture_capture_ok (first, &options);
  g_autoptr (GBytes) two = tree_fixture_capture_ok (second, &options);
  g_assert_true (g_bytes_equal (one, two));
}

static void
test_deep (void)
{
  enum {
    DEPTH = 3000
  };
  g_autofree char *dir = vtree_test_make_dir ();
  g_auto (VtreeFd) fd = tree_fixture_open (dir);
  for (unsigned i = 0; i < DEPTH; i++) {
    g_assert_cmpint (mkdirat (fd, "d", 0755), ==, 0);
    vtree_fd_replace_take (&fd, tree_fixture_open_at (fd, "d"));
    g_auto (VtreeFd) file = tree_fixture_create_at (fd, "f");
    g_assert_cmpint (write (file, "x", 1), ==, 1);
  }
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, NULL);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  g_assert_cmpuint (vtree_view_totals (view)->inodes, ==, 2 * DEPTH + 1);
  g_assert_cmpuint (vtree_view_totals (view)->directories, ==, DEPTH + 1);
  tree_fixture_empty (dir);
}

static void
test_wide (void)
{
  enum {
    WIDTH = 20000
  };
  g_autofree char *dir = vtree_test_make_dir ();
  g_auto (VtreeFd) fd = tree_fixture_open (dir);
  for (unsigned i = 0; i < WIDTH; i++) {
    g_autofree char *name = g_strdup_printf ("a-rather-long-name-%u", i);
    g_auto (VtreeFd) file = tree_fixture_create_at (fd, name);
    g_assert_cmpint (file, >=, 0);
  }
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, NULL);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  g_assert_cmpuint (vtree_view_totals (view)->inodes, ==, WIDTH + 1);
}

/* Symlinks' targets and files' xattrs come into one memory from different threads. */
static void
test_symlinks_beside_xattrs (void)
{
  enum {
    COUNT = 3000
  };
  g_autofree char *dir = vtree_test_make_dir ();
  for (unsigned i = 0; i < COUNT; i++) {
    g_autofree char *file = g_strdup_printf ("f%u", i);
    g_autofree char *link = g_strdup_printf ("l%u", i);
    tree_fixture_text (dir, file, "");
    tree_fixture_xattr (dir, file, "user.name", file, strlen (file));
    tree_fixture_symlink (dir, link, file);
  }
  VtreeCaptureOptions options = keep_all ();
  options.threads = 4;
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  for (unsigned i = 0; i < COUNT; i++) {
    g_autofree char *file = g_strdup_printf ("f%u", i);
    g_autofree char *link = g_strdup_printf ("l%u", i);
    VtreeInode inode = tree_fixture_inode (manifest, file);
    g_autoptr (GString) xattrs = g_string_new (NULL);
    append_xattrs (view, &inode, xattrs);
    g_autoptr (GString) expected = g_string_new ("user.name=");
    for (const char *byte = file; *byte != '\0'; byte++)
      g_string_append_printf (expected, "%02x", (unsigned char) *byte);
    g_assert_cmpstr (xattrs->str, ==, expected->str);
    inode = tree_fixture_inode (manifest, link);
    VtreeSpan target = { 0 };
    g_assert_true (vtree_view_target (view, &inode, &target, NULL));
    g_assert_cmpuint (target.size, ==, strlen (file));
    g_assert_true (memcmp (target.data, file, target.size) == 0);
  }
}

static void
test_leaves_access_times (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "d/f", "text");
  const char *const paths[] = { "d", "d/f" };
  struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_nsec = UTIME_OMIT } };
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_autofree char *path = tree_fixture_path (dir, paths[i]);
    g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
  }
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_autofree char *path = tree_fixture_path (dir, paths[i]);
    struct stat st;
    g_assert_cmpint (stat (path, &st), ==, 0);
    g_assert_cmpint (st.st_atim.tv_sec, ==, 1000);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/capture/everything", test_everything);
  g_test_add_func ("/manifest/capture/everything-as-user", test_everything_as_user);
  g_test_add_func ("/manifest/capture/same-at-every-thread-count",
                   test_same_at_every_thread_count);
  g_test_add_func ("/manifest/capture/same-in-every-order", test_same_in_every_order);
  g_test_add_func ("/manifest/capture/deep", test_deep);
  g_test_add_func ("/manifest/capture/wide", test_wide);
  g_test_add_func ("/manifest/capture/symlinks-beside-xattrs",
                   test_symlinks_beside_xattrs);
  g_test_add_func ("/manifest/capture/leaves-access-times", test_leaves_access_times);
  return vtree_test_run ();
}
