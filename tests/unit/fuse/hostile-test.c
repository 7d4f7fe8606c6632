/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system over manifests that a hostile publisher signed: whatever they say, it
 * answers, shows a finite tree, and hands out no name that could lead elsewhere.
 */
#include "tests/lib/hostile.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"
#include "tests/unit/fuse/tree.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The good tree has 7 directories; one with two names would be shown twice. */
#define DIRECTORIES_MAX 14

typedef struct {
  VtreeFs *fs;
  GArray *directories; /* uint64_t: nodes still to be listed */
} Walk;

static bool
emit (void *context, const VtreeDirent *entry)
{
  Walk *walk = context;
  uint64_t node = entry->st.st_ino;
  char value[4096];
  if (entry->is_dot)
    return true;
  g_assert_cmpstr (entry->name, !=, "");
  g_assert_cmpstr (entry->name, !=, ".");
  g_assert_cmpstr (entry->name, !=, "..");
  g_assert_null (strchr (entry->name, '/'));
  if (S_ISDIR (entry->st.st_mode))
    g_array_append_val (walk->directories, node);
  if (S_ISLNK (entry->st.st_mode))
    (void) vtree_fs_readlink (walk->fs, node, value);
  (void) vtree_fs_listxattr (walk->fs, node, value, sizeof value);
  (void) vtree_fs_getxattr (walk->fs, node, "user.a", value, sizeof value);
  (void) vtree_fs_read (walk->fs, node, value, sizeof value, 0);
  return true;
}

static void
walk_all (VtreeFs *fs)
{
  g_autoptr (GArray) directories = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  Walk walk = { fs, directories };
  uint64_t root = 1;
  g_array_append_val (directories, root);
  for (guint i = 0; i < directories->len; i++) {
    g_assert_cmpuint (i, <, DIRECTORIES_MAX);
    (void) vtree_fs_readdir (fs, g_array_index (directories, uint64_t, i), 0, emit,
                             &walk);
  }
}

/* What looking PATH up gives, component by component. */
static int
look_up (VtreeFs *fs, const char *path)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  struct stat st = { .st_ino = 1 };
  int result = vtree_fs_getattr (fs, 1, &st);
  for (char **name = names; *name != NULL && result == 0; name++) {
    if (**name != '\0')
      result = vtree_fs_lookup (fs, st.st_ino, *name, &st);
  }
  return result;
}

static void
check_kind (const TestTree *tree, const VtreeTestHostile *hostile)
{
  static const VtreeFsIdentity identity
    = { .source = "hostile",
        .ref = "hostile",
        .key = "",
        .manifest = { .alg = VTREE_DIGEST_SHA256 } };
  g_autoptr (GBytes) bytes = vtree_test_hostile_new (hostile->kind);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  const VtreeFsOptions options = { .descriptors = 8 };
  g_autoptr (VtreeFs) fs
    = vtree_fs_new (view, tree->store, tree->log, &identity, &options);
  walk_all (fs);
  if (hostile->path != NULL)
    g_assert_cmpint (look_up (fs, hostile->path), ==, -EIO);
}

static void
test_hostile (void)
{
  g_auto (TestTree) tree = { 0 };
  test_tree_init (&tree);
  for (size_t i = 0; i < vtree_test_hostile_count (); i++) {
    const VtreeTestHostile *hostile = vtree_test_hostile_peek (i);
    g_test_message ("%s", hostile->kind);
    if (hostile->open_error < 0)
      check_kind (&tree, hostile);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/hostile", test_hostile);
  return vtree_test_run ();
}
