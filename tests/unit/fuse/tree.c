/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/fuse/tree.h"

#include "core/ingest.h"
#include "manifest/builder.h"
#include "tests/lib/test.h"

#include <string.h>

uint8_t
test_tree_byte (size_t offset)
{
  return (uint8_t) (offset * 7 + offset / 4096);
}

typedef struct {
  VtreeBuilder *builder;
  VtreeIngest *ingest;
} Making;

static VtreeNode *
add (const Making *making, VtreeNode *parent, const char *name, uint32_t mode)
{
  g_autoptr (GError) error = NULL;
  VtreeNodeAttributes attributes = { .mode = mode,
                                     .uid = 1000,
                                     .gid = 1001,
                                     .mtime = -2,
                                     .nsec = 500000000,
                                     .rdev = S_ISCHR (mode) ? TEST_RDEV : 0 };
  VtreeNode *node
    = vtree_builder_add (making->builder, parent, name, &attributes, &error);
  g_assert_no_error (error);
  return node;
}

static void
fill (const Making *making, VtreeNode *node, const void *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  vtree_ingest_bytes (making->ingest, data, size, &digest, &error);
  g_assert_no_error (error);
  vtree_node_set_content (node, &digest, size);
}

static void
fill_pattern (const Making *making, VtreeNode *node, size_t size)
{
  g_autofree uint8_t *data = g_malloc (size);
  for (size_t i = 0; i < size; i++)
    data[i] = test_tree_byte (i);
  fill (making, node, data, size);
}

static void
add_files (const Making *making, VtreeNode *root)
{
  VtreeNode *dir = add (making, root, "dir", S_IFDIR | 0700);
  for (unsigned i = 0; i < TEST_FILES; i++) {
    g_autofree char *name = g_strdup_printf ("f%03u", i);
    char data[100];
    memset (data, 'a' + (int) (i % 26), sizeof data);
    fill (making, add (making, dir, name, S_IFREG | 0644), data, sizeof data);
  }
}

static void
add_xattrs (const Making *making, VtreeNode *root)
{
  static const char *const pairs[][2]
    = { { "user.a", "1" }, { "user.b", "22" }, { "user.vtree.digest", "lie" } };
  VtreeNode *node = add (making, root, "xattr", S_IFREG | 0644);
  for (size_t i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_autoptr (GError) error = NULL;
    vtree_node_add_xattr (making->builder, node, pairs[i][0], pairs[i][1],
                          strlen (pairs[i][1]), &error);
    g_assert_no_error (error);
  }
}

static void
add_all (const Making *making)
{
  g_autoptr (GError) error = NULL;
  VtreeNode *root = vtree_builder_root (making->builder);
  VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755, .uid = 1000, .gid = 1001 };
  vtree_node_set_attributes (root, &attributes, &error);
  g_assert_no_error (error);
  VtreeNode *data = add (making, root, "data", S_IFREG | 0640);
  fill_pattern (making, data, TEST_DATA_SIZE);
  vtree_builder_link (making->builder, root, "link", data, &error);
  g_assert_no_error (error);
  fill_pattern (making, add (making, root, "large", S_IFREG | 0644), TEST_LARGE_SIZE);
  add (making, root, "empty", S_IFREG | 0644);
  add (making, root, "chr", S_IFCHR | 0600);
  add (making, root, "fifo", S_IFIFO | 0600);
  add (making, root, "sock", S_IFSOCK | 0600);
  vtree_node_set_target (add (making, root, "sym", S_IFLNK | 0777), "data", &error);
  g_assert_no_error (error);
  add_xattrs (making, root);
  add_files (making, root);
}

static void
open_all (TestTree *tree, GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
  tree->view = vtree_view_new (pages, &error);
  g_assert_no_error (error);
  tree->store = vtree_store_new (tree->repo, &error);
  g_assert_no_error (error);
  tree->log = vtree_log_new (tree->log_path, &error);
  g_assert_no_error (error);
}

void
test_tree_init (TestTree *tree)
{
  g_autoptr (GError) error = NULL;
  const VtreeRepoOptions repo_options = { .digest = VTREE_DIGEST_SHA256 };
  const VtreeIngestOptions ingest_options = { .verity = VTREE_VERITY_AUTO };
  tree->path = vtree_test_make_dir ();
  tree->log_path = g_strconcat (tree->path, ".log", NULL);
  vtree_repo_init (tree->path, &repo_options, &error);
  g_assert_no_error (error);
  tree->repo = vtree_repo_open (tree->path, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeIngest) ingest
    = vtree_ingest_new (tree->repo, &ingest_options, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  Making making = { builder, ingest };
  add_all (&making);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  vtree_ingest_seal (ingest, &error);
  g_assert_no_error (error);
  open_all (tree, bytes);
}

void
test_tree_clear (TestTree *tree)
{
  vtree_log_free (tree->log);
  vtree_view_unref (tree->view);
  vtree_store_free (tree->store);
  vtree_repo_free (tree->repo);
  g_free (tree->log_path);
  g_free (tree->path);
}

VtreeInode
test_tree_inode (const TestTree *tree, const char *path)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode = { 0 };
  vtree_view_resolve (tree->view, path, &inode, &error);
  g_assert_no_error (error);
  return inode;
}

char *
test_tree_object_path (const TestTree *tree, const char *name)
{
  VtreeInode inode = test_tree_inode (tree, name);
  VtreeDigest digest;
  uint64_t size;
  char path[VTREE_DIGEST_PATH_MAX];
  g_assert_true (vtree_view_object (tree->view, inode.object, &digest, &size, NULL));
  return g_build_filename (tree->path, "objects", vtree_digest_path (&digest, path),
                           NULL);
}

char *
test_tree_read_log (const TestTree *tree)
{
  char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_file_get_contents (tree->log_path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}
