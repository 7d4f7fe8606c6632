/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree stat`: one inode of a manifest, whole. */
#include "cli/entry.h"
#include "cli/output.h"
#include "cli/tree.h"

#include <sys/stat.h>

static void
print_xattrs (const GArray *xattrs)
{
  for (guint i = 0; i < xattrs->len; i++) {
    const VtreeXattr *xattr = &g_array_index (xattrs, VtreeXattr, i);
    g_autofree char *name
      = vtree_error_escape ((const char *) xattr->name.data, (gssize) xattr->name.size);
    g_autofree char *value = vtree_error_escape ((const char *) xattr->value.data,
                                                 (gssize) xattr->value.size);

    vtree_out_print ("xattr: %s = \"%s\"\n", name, value);
  }
}

static bool
print_content (VtreeView *view, const VtreeInode *inode, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *escaped = NULL;
  VtreeDigest digest;
  VtreeSpan target;
  uint64_t size;

  if (S_ISREG (inode->mode) && inode->object != VTREE_VIEW_NO_OBJECT) {
    if (!vtree_view_object (view, inode->object, &digest, &size, error))
      return false;
    vtree_out_print ("digest: %s\n", vtree_digest_format (&digest, text));
  }
  if (S_ISLNK (inode->mode)) {
    if (!vtree_view_target (view, inode, &target, error))
      return false;
    escaped = vtree_error_escape ((const char *) target.data, (gssize) target.size);
    vtree_out_print ("target: %s\n", escaped);
  }
  if (S_ISCHR (inode->mode) || S_ISBLK (inode->mode))
    vtree_out_print ("device: %u, %u\n", vtree_entry_major (inode->rdev),
                     vtree_entry_minor (inode->rdev));
  return true;
}

static bool
print_text (VtreeTree *tree, const VtreeInode *inode, const GArray *xattrs,
            GError **error)
{
  g_autofree char *time = vtree_entry_time (inode->mtime);
  g_autofree char *path
    = vtree_error_escape (tree->spec.path != NULL ? tree->spec.path : "/", -1);
  char mode[11];

  vtree_out_print ("path: %s\ntype: %s\nmode: %04o (%s)\n", path,
                   vtree_entry_type (inode->mode), inode->mode & 07777,
                   vtree_entry_mode (inode->mode, mode));
  vtree_out_print ("uid: %u\ngid: %u\nlinks: %u\nsize: %" G_GUINT64_FORMAT "\n",
                   inode->uid, inode->gid, inode->nlink, inode->size);
  vtree_out_print ("mtime: %s.%09u UTC\ninode: %u\n", time, inode->nsec,
                   inode->index + 1);
  if (!print_content (tree->view, inode, error))
    return false;
  print_xattrs (xattrs);
  return true;
}

static bool
print_json (VtreeTree *tree, const VtreeInode *inode, const GArray *xattrs,
            GError **error)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);

  vtree_json_begin_answer (json);
  vtree_tree_add_json (tree, json);
  vtree_json_add_string (json, "path", tree->spec.path != NULL ? tree->spec.path : "");
  vtree_json_add_uint (json, "inode", (uint64_t) inode->index + 1);
  if (!vtree_entry_add_json (tree->view, inode, json, error))
    return false;
  vtree_json_begin_array (json, "xattrs");
  for (guint i = 0; i < xattrs->len; i++) {
    const VtreeXattr *xattr = &g_array_index (xattrs, VtreeXattr, i);

    vtree_json_begin_object (json, NULL);
    vtree_json_add_bytes (json, "name", (const char *) xattr->name.data,
                          xattr->name.size);
    vtree_json_add_base64 (json, "value", xattr->value.data, xattr->value.size);
    vtree_json_end_object (json);
  }
  vtree_json_end_array (json);
  vtree_json_end_object (json);
  return true;
}

bool
vtree_verb_stat (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  const VtreeTreeMode mode = { .with_path = true };
  g_auto (VtreeTree) tree = { .paths = NULL };
  g_autoptr (GArray) xattrs = NULL;
  VtreeInode inode;

  if (!vtree_cli_parse (cli, entries, error)
      || !vtree_tree_open (cli, cli->args[0], &mode, &tree, error)
      || !vtree_tree_find (&tree, &inode, error))
    return false;
  xattrs = vtree_view_xattrs (tree.view, &inode, error);
  if (xattrs == NULL)
    return false;
  return cli->json ? print_json (&tree, &inode, xattrs, error)
                   : print_text (&tree, &inode, xattrs, error);
}
