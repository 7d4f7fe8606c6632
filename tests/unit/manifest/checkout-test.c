/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A checkout is the tree again: to another capture, and to rsync. */
#include "tests/unit/manifest/checkout-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat
stat_of (const char *dir, const char *path)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  struct stat st;
  g_assert_cmpint (lstat (full, &st), ==, 0);
  return st;
}

static void
check_same_contents (const char *a, const char *b)
{
  g_autofree char *left = NULL;
  g_autofree char *right = NULL;
  gsize left_size, right_size;
  g_assert_true (g_file_get_contents (a, &left, &left_size, NULL));
  g_assert_true (g_file_get_contents (b, &right, &right_size, NULL));
  g_assert_cmpuint (left_size, ==, right_size);
  g_assert_cmpint (memcmp (left, right, left_size), ==, 0);
}

static unsigned
count_names (const char *dir)
{
  g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
  g_assert_nonnull (open);
  unsigned count = 0;
  while (g_dir_read_name (open) != NULL)
    count++;
  return count;
}

static void
test_everything (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *target = checkout_fixture_target ();
  tree_fixture_fill (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  checkout_fixture_get (&fixture, manifest, target);
  if (geteuid () == 0)
    checkout_fixture_rsync (dir, target);
  g_autofree char *parent = g_path_get_dirname (target);
  g_assert_cmpuint (count_names (parent), ==, 1);
}

/* A plain user gets all of what belongs to him. */
static void
test_everything_as_user (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  {
    g_auto (CheckoutFixture) fixture;
    checkout_fixture_init (&fixture);
    g_autofree char *source = tree_fixture_path (dir, "source");
    g_autofree char *target = tree_fixture_path (dir, "target");
    tree_fixture_directory (dir, "source");
    tree_fixture_fill (source);
    g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, source);
    checkout_fixture_get (&fixture, manifest, target);
    g_assert_cmpuint (fixture.report.owners, ==, 0);
    g_assert_cmpuint (fixture.report.set_ids, ==, 0);
    checkout_fixture_rsync (source, target);
  }
  tree_fixture_become_root (became);
}

static void
test_same_at_every_thread_count (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_fill (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  static const unsigned threads[] = { 1, 2, 8 };
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++) {
    g_autofree char *target = checkout_fixture_target ();
    fixture.checkout.threads = threads[i];
    checkout_fixture_get (&fixture, manifest, target);
  }
}

/* What a plain user can't have without handing out his own rights. */
static void
test_foreign_owner_as_user (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can make files of other owners");
    return;
  }
  static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "sudo", "x");
  tree_fixture_mode (dir, "sudo", 04755);
  tree_fixture_text (dir, "ping", "x");
  tree_fixture_xattr (dir, "ping", "security.capability", capability,
                      sizeof capability);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  fixture.checkout.keep_owner = false;
  /* Root without keep_owner is the same case, but for ids that are root's. */
  g_autoptr (GError) error = NULL;
  g_assert_true (checkout_fixture_try (&fixture, manifest, target, &error));
  g_assert_cmpuint (stat_of (target, "sudo").st_mode & 07777, ==, 04755);
  g_assert_cmpuint (fixture.report.xattrs, ==, 1);
  g_autofree char *home = vtree_test_make_dir ();
  g_autofree char *out = tree_fixture_path (home, "out");
  tree_fixture_mode (fixture.path, ".", 0755);
  bool became = tree_fixture_become_user (home);
  bool ok = checkout_fixture_try (&fixture, manifest, out, &error);
  tree_fixture_become_root (became);
  g_assert_no_error (error);
  g_assert_true (ok);
  g_assert_cmpuint (stat_of (out, "sudo").st_mode & 07777, ==, 0755);
  g_assert_cmpuint (stat_of (out, "sudo").st_uid, ==, TREE_FIXTURE_USER);
  g_assert_cmpuint (fixture.report.set_ids, ==, 1);
  g_assert_cmpuint (fixture.report.owners, ==, 2);
  g_assert_cmpuint (fixture.report.xattrs, ==, 1);
}

static void
test_device_as_user (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can make device nodes");
    return;
  }
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *node = tree_fixture_path (dir, "null");
  g_assert_cmpint (mknod (node, S_IFCHR | 0666, 0x103), ==, 0);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *home = vtree_test_make_dir ();
  g_autofree char *out = tree_fixture_path (home, "out");
  fixture.checkout.keep_owner = false;
  bool became = tree_fixture_become_user (home);
  g_autoptr (GError) error = NULL;
  bool ok = checkout_fixture_try (&fixture, manifest, out, &error);
  tree_fixture_become_root (became);
  g_assert_false (ok);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EPERM,
                           "null: make a device node, for which one has to be root");
  g_assert_cmpuint (count_names (home), ==, 0);
}

static void
test_deep_and_wide (void)
{
  enum {
    DEPTH = 3000,
    WIDTH = 20000
  };
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  g_auto (VtreeFd) fd = tree_fixture_open (dir);
  for (unsigned i = 0; i < WIDTH; i++) {
    g_autofree char *name = g_strdup_printf ("%u", i);
    g_auto (VtreeFd) file = tree_fixture_create_at (fd, name);
  }
  for (unsigned i = 0; i < DEPTH; i++) {
    g_assert_cmpint (mkdirat (fd, "d", 0755), ==, 0);
    vtree_fd_replace_take (&fd, tree_fixture_open_at (fd, "d"));
  }
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.files, ==, DEPTH + WIDTH);
  tree_fixture_empty (dir);
  tree_fixture_empty (target);
}

static void
test_subtree_and_file (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_fill (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *links = checkout_fixture_target ();
  g_autoptr (GError) error = NULL;
  fixture.checkout.path = "links";
  g_assert_true (checkout_fixture_try (&fixture, manifest, links, &error));
  g_autofree char *from = tree_fixture_path (dir, "links");
  checkout_fixture_rsync (from, links);
  g_autofree char *file = checkout_fixture_target ();
  g_autofree char *parent = g_path_get_dirname (file);
  fixture.checkout.path = "links/a/one";
  checkout_fixture_try (&fixture, manifest, file, &error);
  g_assert_no_error (error);
  g_autofree char *one = tree_fixture_path (dir, "links/a/one");
  check_same_contents (one, file);
  g_assert_cmpint (stat_of (dir, "links/a/one").st_mtime, ==,
                   stat_of (parent, "out").st_mtime);
  g_assert_false (checkout_fixture_try (&fixture, manifest, file, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED,
                           "--update replaces it");
  g_clear_error (&error);
  fixture.checkout.update = true;
  fixture.checkout.path = "run/fifo";
  checkout_fixture_try (&fixture, manifest, file, &error);
  g_assert_no_error (error);
  g_assert_true (S_ISFIFO (stat_of (parent, "out").st_mode));
  g_assert_cmpuint (count_names (parent), ==, 1);
}

static void
test_sparse (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  g_autofree char *path = tree_fixture_path (dir, "f");
  g_assert_cmpint (truncate (path, 100 << 20), ==, 0);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpint (stat_of (target, "f").st_size, ==, 100 << 20);
  g_assert_cmpint (stat_of (target, "f").st_blocks, <, 1000);
}

/* What a parent hands down is not the tree's. */
static void
test_in_a_directory_that_hands_down (void)
{
  static const uint8_t acl[]
    = { 2, 0, 0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,  7,
        0, 5, 0,   0,   0,   4,   0,  7, 0,   255, 255, 255, 255, 16, 0,
        7, 0, 255, 255, 255, 255, 32, 0, 7,   0,   255, 255, 255, 255 };
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "a/b/f", "x");
  tree_fixture_symlink (dir, "a/l", "x");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *parent = vtree_test_make_dir ();
  tree_fixture_xattr (parent, ".", "system.posix_acl_default", acl, sizeof acl);
  tree_fixture_mode (parent, ".", 02777);
  g_autofree char *target = tree_fixture_path (parent, "out");
  checkout_fixture_get (&fixture, manifest, target);
  tree_fixture_directory (parent, "empty");
  g_autofree char *empty = tree_fixture_path (parent, "empty");
  checkout_fixture_get (&fixture, manifest, empty);
  g_autofree char *file = tree_fixture_path (parent, "file");
  fixture.checkout.path = "a/b/f";
  g_autoptr (GError) error = NULL;
  checkout_fixture_try (&fixture, manifest, file, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) all = tree_fixture_capture_ok (parent, &fixture.capture);
  g_assert_cmpuint (tree_fixture_inode (all, "file").xattrs, ==, 0);
  g_assert_cmpuint (tree_fixture_inode (all, "file").mode, ==,
                    tree_fixture_inode (manifest, "a/b/f").mode);
  g_assert_cmpuint (count_names (parent), ==, 3);
}

static void
test_refuses_what_is_there (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *full = vtree_test_make_dir ();
  tree_fixture_text (full, "precious", "x");
  g_autoptr (GError) error = NULL;
  g_assert_false (checkout_fixture_try (&fixture, manifest, full, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "is not empty");
  g_clear_error (&error);
  g_autofree char *file = tree_fixture_path (full, "precious");
  g_assert_false (checkout_fixture_try (&fixture, manifest, file, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "is no directory");
  g_clear_error (&error);
  g_autofree char *lost = tree_fixture_path (full, "no/such/place");
  g_assert_false (checkout_fixture_try (&fixture, manifest, lost, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOENT, "no/such/place");
  g_assert_cmpuint (count_names (full), ==, 1);
}

/* A missing object: the path is named, and nothing is left. */
static void
test_failure_leaves_nothing (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_fill (dir);
  tree_fixture_text (dir, "usr/share/lost", "the only file with these contents");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  VtreeInode inode = tree_fixture_inode (manifest, "usr/share/lost");
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeDigest digest;
  uint64_t size;
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_view_object (view, inode.object, &digest, &size, NULL));
  g_assert_true (vtree_store_remove (fixture.store, &digest, NULL));
  g_autofree char *target = checkout_fixture_target ();
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "usr/share/lost: ");
  g_clear_error (&error);
  g_autofree char *parent = g_path_get_dirname (target);
  g_assert_cmpuint (count_names (parent), ==, 0);
  g_autofree char *empty = vtree_test_make_dir ();
  tree_fixture_mode (empty, ".", 0711);
  g_assert_false (checkout_fixture_try (&fixture, manifest, empty, &error));
  g_assert_cmpuint (count_names (empty), ==, 0);
  g_assert_cmpuint (stat_of (empty, ".").st_mode & 07777, ==, 0711);
}

/* Names in a signed manifest are not to be trusted: whatever the full check would let
 * through, nothing is made outside. Here "xx" becomes "..", byte by byte. */
static void
test_hostile_name (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "xx", "x");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  size_t size;
  const char *bytes = g_bytes_get_data (manifest, &size);
  static const char *const names[] = { "..", "a/", "/a", ".\0" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *copy = g_memdup2 (bytes, size);
    char *name = memmem (copy, size, "\2xx", 3);
    g_assert_nonnull (name);
    memcpy (name + 1, names[i], 2);
    g_autoptr (GBytes) hostile = g_bytes_new (copy, size);
    g_autofree char *target = checkout_fixture_target ();
    g_autoptr (GError) error = NULL;
    g_assert_false (checkout_fixture_try (&fixture, hostile, target, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
    g_autofree char *parent = g_path_get_dirname (target);
    g_assert_cmpuint (count_names (parent), ==, 0);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/checkout/everything", test_everything);
  g_test_add_func ("/manifest/checkout/everything-as-user", test_everything_as_user);
  g_test_add_func ("/manifest/checkout/same-at-every-thread-count",
                   test_same_at_every_thread_count);
  g_test_add_func ("/manifest/checkout/foreign-owner-as-user",
                   test_foreign_owner_as_user);
  g_test_add_func ("/manifest/checkout/device-as-user", test_device_as_user);
  g_test_add_func ("/manifest/checkout/deep-and-wide", test_deep_and_wide);
  g_test_add_func ("/manifest/checkout/subtree-and-file", test_subtree_and_file);
  g_test_add_func ("/manifest/checkout/sparse", test_sparse);
  g_test_add_func ("/manifest/checkout/in-a-directory-that-hands-down",
                   test_in_a_directory_that_hands_down);
  g_test_add_func ("/manifest/checkout/refuses-what-is-there",
                   test_refuses_what_is_there);
  g_test_add_func ("/manifest/checkout/failure-leaves-nothing",
                   test_failure_leaves_nothing);
  g_test_add_func ("/manifest/checkout/hostile-name", test_hostile_name);
  return vtree_test_run ();
}
