/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a view says, fed to a builder; and a walk that asks a view everything. The walk
 * is for hostile manifests: it ignores errors, and visits by number, not by descent.
 */
#include "core/error.h"
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

/* A directory with a million entries may be listed by each of a million records. */
#define WALK_MAX 20000

typedef struct {
  VtreeView *view;
  VtreeBuilder *builder;
  VtreeNode **nodes; /* by inode */
} Rebuilding;

static bool
copy_xattrs (const Rebuilding *r, const VtreeInode *inode, VtreeNode *node,
             GError **error)
{
  g_autoptr (GArray) xattrs = vtree_view_xattrs (r->view, inode, error);
  if (xattrs == NULL)
    return false;
  for (guint i = 0; i < xattrs->len; i++) {
    const VtreeXattr *xattr = &g_array_index (xattrs, VtreeXattr, i);
    g_autofree char *name
      = g_strndup ((const char *) xattr->name.data, xattr->name.size);
    if (!vtree_node_add_xattr (r->builder, node, name, xattr->value.data,
                               xattr->value.size, error))
      return false;
  }
  return true;
}

static bool
copy_content (const Rebuilding *r, const VtreeInode *inode, VtreeNode *node,
              GError **error)
{
  if (inode->object != VTREE_VIEW_NO_OBJECT) {
    VtreeDigest digest;
    uint64_t size;
    if (!vtree_view_object (r->view, inode->object, &digest, &size, error))
      return false;
    vtree_node_set_content (node, &digest, size);
  }
  if (!S_ISLNK (inode->mode))
    return true;
  VtreeSpan target;
  if (!vtree_view_target (r->view, inode, &target, error))
    return false;
  g_autofree char *text = g_strndup ((const char *) target.data, target.size);
  return vtree_node_set_target (node, text, error);
}

static VtreeNodeAttributes
attributes_of (const VtreeInode *inode)
{
  return (VtreeNodeAttributes){
    .mode = inode->mode,
    .uid = inode->uid,
    .gid = inode->gid,
    .mtime = inode->mtime,
    .nsec = inode->nsec,
    .rdev = inode->rdev,
  };
}

static bool
copy_entry (const Rebuilding *r, const VtreeDirectory *directory,
            const VtreeEntry *entry, GError **error)
{
  VtreeInode inode;
  VtreeNode *parent = r->nodes[directory->inode];
  g_autofree char *name = g_strndup ((const char *) entry->name.data, entry->name.size);
  if (!vtree_view_child (r->view, directory, entry->inode, &inode, error))
    return false;
  VtreeNode **node = &r->nodes[entry->inode];
  if (*node != NULL)
    return vtree_builder_link (r->builder, parent, name, *node, error);
  VtreeNodeAttributes attributes = attributes_of (&inode);
  *node = vtree_builder_add (r->builder, parent, name, &attributes, error);
  return *node != NULL && copy_content (r, &inode, *node, error)
         && copy_xattrs (r, &inode, *node, error);
}

static bool
copy_directory (const Rebuilding *r, uint32_t index, GError **error)
{
  VtreeInode inode;
  VtreeDirectory directory;
  if (!vtree_view_inode (r->view, index, &inode, error))
    return false;
  if (!S_ISDIR (inode.mode))
    return true;
  if (!vtree_view_directory (r->view, &inode, &directory, error))
    return false;
  if (r->nodes[index] == NULL)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "directory %u: unreachable",
                            index);
  for (uint32_t n = 0; n < directory.count; n++) {
    VtreeEntry entry;
    if (!vtree_view_entry (r->view, &directory, n, &entry, error)
        || !copy_entry (r, &directory, &entry, error))
      return false;
  }
  return true;
}

static bool
copy_root (const Rebuilding *r, GError **error)
{
  VtreeInode inode;
  if (!vtree_view_inode (r->view, 0, &inode, error))
    return false;
  VtreeNodeAttributes attributes = attributes_of (&inode);
  r->nodes[0] = vtree_builder_root (r->builder);
  return vtree_node_set_attributes (r->nodes[0], &attributes, error)
         && copy_xattrs (r, &inode, r->nodes[0], error);
}

GBytes *
vtree_test_rebuild (VtreeView *view, GError **error)
{
  const VtreeViewTotals *totals = vtree_view_totals (view);
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (totals->alg);
  g_autofree VtreeNode **nodes = g_new0 (VtreeNode *, totals->inodes);
  Rebuilding r = { view, builder, nodes };
  if (!copy_root (&r, error))
    return NULL;
  for (uint32_t i = 0; i < totals->inodes; i++) {
    if (!copy_directory (&r, i, error))
      return NULL;
  }
  return vtree_builder_finish (builder, error);
}

VtreeView *
vtree_test_view (GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
  VtreeView *view = vtree_view_new (pages, &error);
  g_assert_no_error (error);
  return view;
}

static void
walk_directory (VtreeView *view, const VtreeInode *inode)
{
  VtreeDirectory directory;
  VtreeInode child;
  if (!vtree_view_directory (view, inode, &directory, NULL))
    return;
  for (uint32_t n = 0; n < MIN (directory.count, WALK_MAX); n++) {
    VtreeEntry entry;
    bool found = false;
    uint32_t number = 0;
    if (!vtree_view_entry (view, &directory, n, &entry, NULL))
      continue;
    (void) vtree_view_child (view, &directory, entry.inode, &child, NULL);
    if (vtree_view_lookup (view, &directory, entry.name, &found, &number, NULL)
        && found)
      g_assert_cmpuint (number, <, vtree_view_totals (view)->inodes);
  }
}

static void
walk_inode (VtreeView *view, uint32_t index)
{
  static const char acl[] = "system.posix_acl_access";
  VtreeSpan name = { (const uint8_t *) acl, strlen (acl) };
  VtreeSpan span;
  VtreeInode inode;
  bool found = false;
  if (!vtree_view_inode (view, index, &inode, NULL))
    return;
  g_assert_cmpuint (inode.index, ==, index);
  g_assert_cmpuint (inode.nsec, <, 1000000000);
  g_autoptr (GArray) xattrs = vtree_view_xattrs (view, &inode, NULL);
  (void) vtree_view_xattr (view, &inode, name, &found, &span, NULL);
  if (vtree_view_target (view, &inode, &span, NULL))
    g_assert_cmpuint (span.size, ==, inode.size);
  if (S_ISDIR (inode.mode))
    walk_directory (view, &inode);
}

void
vtree_test_walk (VtreeView *view)
{
  const VtreeViewTotals *totals = vtree_view_totals (view);
  VtreeInode inode;
  VtreeDigest digest;
  uint64_t size;
  for (uint32_t i = 0; i < MIN (totals->inodes, WALK_MAX); i++) {
    g_autofree char *path = i < 64 ? vtree_view_path (view, i) : NULL;
    walk_inode (view, i);
    if (path != NULL)
      (void) vtree_view_resolve (view, path, &inode, NULL);
  }
  for (uint32_t i = 0; i < MIN (totals->objects, WALK_MAX); i++)
    (void) vtree_view_object (view, i, &digest, &size, NULL);
}
