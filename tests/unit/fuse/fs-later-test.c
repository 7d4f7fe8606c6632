/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files whose Merkle file is missing or bad: nobody computes it by the way, everything
 * else goes on, and what can't be repaired is EIO.
 */
#include "fuse/fs.h"

#include "tests/lib/test.h"
#include "tests/unit/fuse/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

typedef struct {
  TestTree tree;
  VtreeFs *fs;
  uint64_t node; /* of /large */
} Fixture;

static uint64_t
node_of (const Fixture *fixture, const char *path)
{
  return (uint64_t) test_tree_inode (&fixture->tree, path).index + 1;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  VtreeFsIdentity identity = { .ref = "", .key = "", .source = "" };
  VtreeFsOptions options = { .open_checked = true, .magic = true, .descriptors = 8 };
  (void) data;
  test_tree_init (&fixture->tree);
  identity.manifest.alg = VTREE_DIGEST_SHA256;
  fixture->fs = vtree_fs_new (fixture->tree.view, fixture->tree.store,
                              fixture->tree.log, &identity, &options);
  fixture->node = node_of (fixture, "large");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  vtree_fs_free (fixture->fs);
  test_tree_clear (&fixture->tree);
}

static char *
merkle_path (const Fixture *fixture)
{
  g_autofree char *object = test_tree_object_path (&fixture->tree, "large");
  const char *name = strstr (object, "/objects/");
  return g_strdup_printf ("%s/merkle/%s", fixture->tree.path,
                          name + strlen ("/objects/"));
}

static void
flip_byte (const char *path, off_t offset)
{
  char byte;
  g_assert_cmpint (chmod (path, 0600), ==, 0);
  g_auto (VtreeFd) fd = open (path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (pread (fd, &byte, 1, offset), ==, 1);
  byte ^= 1;
  g_assert_cmpint (pwrite (fd, &byte, 1, offset), ==, 1);
}

static ssize_t
read_first (Fixture *fixture, uint64_t node)
{
  char data[100];
  return vtree_fs_read (fixture->fs, node, data, sizeof data, 0);
}

/* Everybody else, while the large one is being prepared; once. */
static bool
use_meanwhile (void *context)
{
  Fixture *fixture = context;
  struct stat st;
  struct vtree_status status;
  g_assert_cmpint (vtree_fs_lookup (fixture->fs, 1, "large", &st), ==, 0);
  g_assert_cmpint (read_first (fixture, node_of (fixture, "dir/f001")), ==, 100);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, VTREE_FS_LATER);
  g_assert_cmpint (vtree_fs_open (fixture->fs, fixture->node, NULL), ==,
                   VTREE_FS_LATER);
  g_assert_cmpint (vtree_fs_status (fixture->fs, fixture->node, &status), ==, 0);
  g_assert_cmpuint (status.failures, ==, 0);
  g_assert_cmpuint (status.object_state, ==, VTREE_STATUS_OBJECT_NOT_OPENED);
  char value[16];
  g_assert_cmpint (vtree_fs_getxattr (fixture->fs, fixture->node, "user.vtree.verity",
                                      value, sizeof value),
                   ==, 6);
  g_assert_true (memcmp (value, "daemon", 6) == 0);
  return true;
}

static void
check_prepared (Fixture *fixture)
{
  const VtreeWhile wanted = { use_meanwhile, fixture };
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, &wanted), ==, 0);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, 100);
  g_assert_cmpint (vtree_fs_open (fixture->fs, fixture->node, NULL), ==, 0);
  /* Nothing to do is no failure. */
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, NULL), ==, 0);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, node_of (fixture, "empty"), NULL), ==,
                   0);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, 1, NULL), ==, -EISDIR);
  g_autofree char *log = test_tree_read_log (&fixture->tree);
  g_assert_cmpstr (log, ==, "");
}

static VtreeAheadResult
read_ahead (Fixture *fixture, uint64_t node)
{
  char data[100];
  return vtree_fs_read_ahead (fixture->fs, node, data, sizeof data, 0);
}

/* What is not there yet is no failure. */
static void
test_ahead (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autofree char *path = merkle_path (fixture);
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (read_ahead (fixture, fixture->node), ==, VTREE_AHEAD_LATER);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, NULL), ==, 0);
  g_assert_cmpint (read_ahead (fixture, fixture->node), ==, VTREE_AHEAD_READ);
  g_assert_cmpint (read_ahead (fixture, 1), ==, VTREE_AHEAD_FAILED);
}

static void
test_missing (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autofree char *path = merkle_path (fixture);
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, VTREE_FS_LATER);
  check_prepared (fixture);
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autofree char *path = merkle_path (fixture);
  flip_byte (path, 2 * 4096);
  g_assert_cmpint (vtree_fs_open (fixture->fs, fixture->node, NULL), ==, 0);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, VTREE_FS_LATER);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, NULL), ==, 0);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, 100);
}

static void
test_corrupt (Fixture *fixture, gconstpointer data)
{
  (void) data;
  struct vtree_status status;
  g_autofree char *path = merkle_path (fixture);
  g_autofree char *object = test_tree_object_path (&fixture->tree, "large");
  g_assert_cmpint (unlink (path), ==, 0);
  flip_byte (object, 100000);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, VTREE_FS_LATER);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, NULL), ==, -EIO);
  g_autofree char *log = test_tree_read_log (&fixture->tree);
  g_assert_nonnull (strstr (log, "/large: expected object sha256:"));
  g_assert_cmpint (vtree_fs_status (fixture->fs, fixture->node, &status), ==, 0);
  g_assert_cmpuint (status.failures, ==, 1);
  g_assert_cmpuint (status.object_state, ==, VTREE_STATUS_OBJECT_FAILED);
  /* Repaired, it can be read, by the same mount. */
  flip_byte (object, 100000);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, NULL), ==, 0);
  g_assert_cmpint (read_first (fixture, fixture->node), ==, 100);
}

static bool
never (void *context)
{
  (void) context;
  return false;
}

static void
test_given_up (Fixture *fixture, gconstpointer data)
{
  (void) data;
  const VtreeWhile wanted = { never, NULL };
  g_autofree char *path = merkle_path (fixture);
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (vtree_fs_prepare (fixture->fs, fixture->node, &wanted), ==, -EINTR);
  check_prepared (fixture);
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/fuse/fs-later/", name, NULL);
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("missing", test_missing);
  add ("ahead", test_ahead);
  add ("damaged", test_damaged);
  add ("corrupt", test_corrupt);
  add ("given-up", test_given_up);
  return vtree_test_run ();
}
