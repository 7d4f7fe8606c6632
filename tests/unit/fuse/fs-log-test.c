/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What fs puts into the log of objects that fail again and again. */
#include "fuse/fs.h"

#include "tests/lib/test.h"
#include "tests/unit/fuse/tree.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static VtreeFs *
make_fs (const TestTree *tree)
{
  VtreeFsIdentity identity = {
    .ref = "", .key = "", .source = "", .manifest = { .alg = VTREE_DIGEST_SHA256 }
  };
  VtreeFsOptions options = { .descriptors = 64 };
  return vtree_fs_new (tree->view, tree->store, tree->log, &identity, &options);
}

static void
remove_object (const TestTree *tree, const char *name)
{
  g_autofree char *path = test_tree_object_path (tree, name);
  g_assert_cmpint (unlink (path), ==, 0);
}

static void
read_bad (VtreeFs *fs, const TestTree *tree, const char *name)
{
  char data[4096];
  uint64_t node = (uint64_t) test_tree_inode (tree, name).index + 1;
  g_assert_cmpint (vtree_fs_read (fs, node, data, sizeof data, 0), ==, -EIO);
}

static void
test_no_flood (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree);
  remove_object (&tree, "data");
  for (unsigned i = 0; i < 20 * VTREE_RATE_BURST; i++)
    read_bad (fs, &tree, "data");
  g_autofree char *log = test_tree_read_log (&tree);
  g_auto (GStrv) lines = g_strsplit (log, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), <, 10 * VTREE_RATE_BURST);
}

/* Who makes one object fail all the time hides no other failure by it. */
static void
test_no_object_hides_another (void)
{
  static const char *const others[] = { "large", "dir/f000", "dir/f001" };
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree);
  remove_object (&tree, "data");
  for (size_t i = 0; i < G_N_ELEMENTS (others); i++) {
    g_autofree char *line = g_strdup_printf ("/%s: expected object ", others[i]);
    remove_object (&tree, others[i]);
    for (unsigned j = 0; j < 5 * VTREE_RATE_BURST; j++)
      read_bad (fs, &tree, "data");
    read_bad (fs, &tree, others[i]);
    g_autofree char *log = test_tree_read_log (&tree);
    g_assert_nonnull (strstr (log, line));
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/fs-log/no-flood", test_no_flood);
  g_test_add_func ("/fuse/fs-log/no-object-hides-another",
                   test_no_object_hides_another);
  return vtree_test_run ();
}
