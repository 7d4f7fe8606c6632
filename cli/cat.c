/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree cat`: a file's contents out of the store, each block verified before it
 * goes out. */
#include "cli/output.h"
#include "cli/tree.h"

#include <sys/stat.h>

#define CHUNK_SIZE ((size_t) 256 * 1024)

static bool
copy_out (VtreeObject *object, GError **error)
{
  g_autofree uint8_t *chunk = g_malloc (CHUNK_SIZE);
  uint64_t offset = 0;
  size_t got;

  while (offset < vtree_object_size (object)) {
    if (!vtree_object_read (object, chunk, CHUNK_SIZE, offset, &got, error)
        || !vtree_out_write (chunk, got, error))
      return false;
    offset += got;
  }
  return true;
}

static bool
print_file (VtreeTree *tree, const VtreeInode *inode, GError **error)
{
  VtreeObjectSpec spec = { .policy = VTREE_VERITY_AUTO };
  g_autoptr (VtreeObject) object = NULL;

  if (inode->object == VTREE_VIEW_NO_OBJECT)
    return true;
  if (!vtree_view_object (tree->view, inode->object, &spec.digest, &spec.size, error))
    return false;
  object = vtree_store_open_object (tree->store, &spec, error);
  return object != NULL && copy_out (object, error);
}

bool
vtree_verb_cat (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  const VtreeTreeMode mode = { .with_path = true };
  g_auto (VtreeTree) tree = { .paths = NULL };
  g_autofree char *escaped = NULL;
  VtreeInode inode;

  if (!vtree_cli_parse (cli, entries, error)
      || !vtree_tree_open (cli, cli->args[0], &mode, &tree, error)
      || !vtree_tree_find (&tree, &inode, error))
    return false;
  escaped = vtree_error_escape (cli->args[0], -1);
  if (S_ISLNK (inode.mode))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "print %s: it is a symbolic link; see `vtree stat`",
                            escaped);
  if (!S_ISREG (inode.mode))
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "print %s: it is no regular file", escaped);
  if (print_file (&tree, &inode, error))
    return true;
  g_prefix_error (error, "print %s: ", escaped);
  return false;
}
