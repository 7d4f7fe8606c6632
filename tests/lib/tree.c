/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random trees as data, and their way through a builder in any order. */
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

#define XATTRS_MAX 3

typedef struct {
  VtreeNodeAttributes attributes;
  VtreeDigest digest;
  uint64_t size;
  char *target;
  const char *xattrs[XATTRS_MAX]; /* names; the value is the name and SALT */
  uint8_t salt;
} TreeInode;

typedef struct {
  unsigned parent, inode;
  char *name;
} TreeName;

/* A builder's tree while it is filled. */
typedef struct {
  const VtreeTestTree *tree;
  VtreeBuilder *builder;
  VtreeNode **nodes; /* by inode */
  GArray *ready;     /* unsigned: names whose directory is there */
} Filling;

static const char *const xattr_names[] = { "user.a",
                                           "user.ab",
                                           "user.b",
                                           "security.capability",
                                           "system.posix_acl_access",
                                           "user.zz",
                                           "trusted.overlay.opaque" };

static void
clear_inode (gpointer inode)
{
  g_free (((TreeInode *) inode)->target);
}

static void
clear_name (gpointer name)
{
  g_free (((TreeName *) name)->name);
}

void
vtree_test_tree_free (VtreeTestTree *tree)
{
  g_array_unref (tree->inodes);
  g_array_unref (tree->names);
  g_free (tree);
}

static bool
one_in (GRand *random, int n)
{
  return g_rand_int_range (random, 0, n) == 0;
}

static uint32_t
random_type (GRand *random, bool extras)
{
  static const uint32_t plain[] = { S_IFREG, S_IFREG, S_IFREG, S_IFDIR, S_IFLNK };
  static const uint32_t rare[] = { S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK };
  if (extras && one_in (random, 10))
    return rare[g_rand_int_range (random, 0, G_N_ELEMENTS (rare))];
  return plain[g_rand_int_range (random, 0, G_N_ELEMENTS (plain))];
}

/* Few different ones, so that records are shared. */
static void
random_attributes (GRand *random, bool extras, uint32_t type,
                   VtreeNodeAttributes *attributes)
{
  static const uint32_t modes[] = { 0644, 0755, 0600, 01777, 04755, 02711 };
  size_t count = extras ? G_N_ELEMENTS (modes) : 4;
  *attributes = (VtreeNodeAttributes){
    .mode = type | modes[g_rand_int_range (random, 0, (gint32) count)],
    .uid = one_in (random, 4) ? g_rand_int (random) : 0,
    .gid = one_in (random, 4) ? 1000 : 0,
    .mtime = (int64_t) (((uint64_t) g_rand_int (random) << 32) | g_rand_int (random)),
    .nsec = (uint32_t) g_rand_int_range (random, 0, 1000000000),
    .rdev = g_rand_int (random),
  };
}

static void
random_digest (GRand *random, VtreeDigestAlg alg, VtreeDigest *digest, uint64_t *size)
{
  uint8_t value[VTREE_DIGEST_MAX_SIZE] = { 0 };
  value[0] = (uint8_t) g_rand_int_range (random, 0, 40);
  /* One digest has one size. */
  *size = one_in (random, 5) ? 0 : 1 + value[0] * UINT64_C (1000003) * 4096;
  vtree_digest_init (digest, alg, value);
}

static void
random_xattrs (GRand *random, TreeInode *inode)
{
  size_t first = (size_t) g_rand_int_range (random, 0, G_N_ELEMENTS (xattr_names));
  int count = g_rand_int_range (random, 1, XATTRS_MAX + 1);
  for (int i = 0; i < count; i++)
    inode->xattrs[i] = xattr_names[(first + (size_t) i) % G_N_ELEMENTS (xattr_names)];
  inode->salt = (uint8_t) g_rand_int_range (random, 0, 3);
}

static TreeInode
random_inode (GRand *random, const VtreeTestTreeParams *params)
{
  TreeInode inode = { 0 };
  uint32_t type = random_type (random, !params->no_extras);
  random_attributes (random, !params->no_extras, type, &inode.attributes);
  random_digest (random, params->alg, &inode.digest, &inode.size);
  inode.target = g_strnfill ((gsize) g_rand_int_range (random, 1, 300), 't');
  if (!params->no_extras && one_in (random, 6))
    random_xattrs (random, &inode);
  return inode;
}

/* The number makes it unique; the rest makes neighbours differ early or late. */
static char *
random_name (GRand *random, unsigned number)
{
  static const char *const starts[] = { "", "a", "lib", "a-rather-long-name-", "\xff" };
  const char *start = starts[g_rand_int_range (random, 0, G_N_ELEMENTS (starts))];
  return g_strdup_printf ("%s%u", start, number);
}

VtreeTestTree *
vtree_test_tree_new_random (GRand *random, const VtreeTestTreeParams *params)
{
  VtreeTestTree *tree = g_new0 (VtreeTestTree, 1);
  g_autoptr (GArray) directories = g_array_new (FALSE, FALSE, sizeof (unsigned));
  unsigned root = 0;
  tree->alg = params->alg;
  tree->inodes = g_array_new (FALSE, FALSE, sizeof (TreeInode));
  tree->names = g_array_new (FALSE, FALSE, sizeof (TreeName));
  g_array_set_clear_func (tree->inodes, clear_inode);
  g_array_set_clear_func (tree->names, clear_name);
  TreeInode root_inode = random_inode (random, params);
  random_attributes (random, false, S_IFDIR, &root_inode.attributes);
  g_array_append_val (tree->inodes, root_inode);
  g_array_append_val (directories, root);
  for (unsigned i = 1; tree->inodes->len < params->inodes; i++) {
    guint parent = (guint) g_rand_int_range (random, 0, (gint32) directories->len);
    TreeName name = { .parent = g_array_index (directories, unsigned, parent),
                      .inode = tree->inodes->len,
                      .name = random_name (random, i) };
    guint old = (guint) g_rand_int_range (random, 0, (gint32) tree->inodes->len);
    const TreeInode *linked = &g_array_index (tree->inodes, TreeInode, old);
    if (one_in (random, 12) && !S_ISDIR (linked->attributes.mode)) {
      name.inode = old;
    } else {
      TreeInode inode = random_inode (random, params);
      g_array_append_val (tree->inodes, inode);
      if (S_ISDIR (inode.attributes.mode))
        g_array_append_val (directories, name.inode);
    }
    g_array_append_val (tree->names, name);
  }
  return tree;
}

static void
fill_node (const Filling *filling, const TreeInode *inode, VtreeNode *node)
{
  g_autoptr (GError) error = NULL;
  if (S_ISLNK (inode->attributes.mode))
    vtree_node_set_target (node, inode->target, &error);
  g_assert_no_error (error);
  if (S_ISREG (inode->attributes.mode))
    vtree_node_set_content (node, &inode->digest, inode->size);
  for (int i = 0; i < XATTRS_MAX && inode->xattrs[i] != NULL; i++) {
    g_autofree char *value = g_strdup_printf ("%s%d", inode->xattrs[i], inode->salt);
    vtree_node_add_xattr (filling->builder, node, inode->xattrs[i], value,
                          inode->salt == 0 ? 0 : strlen (value), &error);
    g_assert_no_error (error);
  }
}

/* INODE is there as a directory: its names can be added from now on. */
static void
make_ready (const Filling *filling, unsigned inode)
{
  for (unsigned i = 0; i < filling->tree->names->len; i++) {
    if (g_array_index (filling->tree->names, TreeName, i).parent == inode)
      g_array_append_val (filling->ready, i);
  }
}

static void
fill_name (const Filling *filling, unsigned index)
{
  g_autoptr (GError) error = NULL;
  const TreeName *name = &g_array_index (filling->tree->names, TreeName, index);
  const TreeInode *inode
    = &g_array_index (filling->tree->inodes, TreeInode, name->inode);
  VtreeNode *parent = filling->nodes[name->parent];
  VtreeNode **node = &filling->nodes[name->inode];
  if (*node != NULL) {
    vtree_builder_link (filling->builder, parent, name->name, *node, &error);
    g_assert_no_error (error);
    return;
  }
  *node = vtree_builder_add (filling->builder, parent, name->name, &inode->attributes,
                             &error);
  g_assert_no_error (error);
  fill_node (filling, inode, *node);
  if (S_ISDIR (inode->attributes.mode))
    make_ready (filling, name->inode);
}

GBytes *
vtree_test_tree_build (const VtreeTestTree *tree, GRand *random)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (tree->alg);
  g_autofree VtreeNode **nodes = g_new0 (VtreeNode *, tree->inodes->len);
  g_autoptr (GArray) ready = g_array_new (FALSE, FALSE, sizeof (unsigned));
  Filling filling = { tree, builder, nodes, ready };
  const TreeInode *root = &g_array_index (tree->inodes, TreeInode, 0);
  nodes[0] = vtree_builder_root (builder);
  vtree_node_set_attributes (nodes[0], &root->attributes, &error);
  g_assert_no_error (error);
  fill_node (&filling, root, nodes[0]);
  make_ready (&filling, 0);
  while (ready->len > 0) {
    guint at = (guint) g_rand_int_range (random, 0, (gint32) ready->len);
    unsigned index = g_array_index (ready, unsigned, at);
    g_array_remove_index_fast (ready, at);
    fill_name (&filling, index);
  }
  GBytes *bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  return bytes;
}
