/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what the person typed to an open view. Decides nothing about trust: resolve
 * does. */
#include "cli/tree.h"

void
vtree_tree_clear (VtreeTree *tree)
{
  g_clear_pointer (&tree->view, vtree_view_unref);
  g_clear_pointer (&tree->resolved, vtree_resolved_free);
  vtree_ref_spec_clear (&tree->spec);
  g_clear_pointer (&tree->store, vtree_store_free);
  g_clear_pointer (&tree->repo, vtree_repo_free);
  g_clear_pointer (&tree->paths, vtree_paths_free);
}

/* Resolves tree->spec, and says what was forced. */
static bool
resolve (const VtreeCli *cli, const VtreeTreeMode *mode, VtreeTree *tree,
         GError **error)
{
  const VtreeResolveOptions options
    = { .paths = tree->paths, .force = mode->force, .raise_mark = mode->raise_mark };

  tree->resolved = vtree_resolve (tree->repo, &tree->spec, &options, error);
  if (tree->resolved == NULL)
    return false;
  /* Who only looks at an older version, by its number, knows that it is one. */
  for (guint i = 0; mode->raise_mark && i < tree->resolved->notes->len; i++)
    vtree_cli_note (cli, "%s", (const char *) tree->resolved->notes->pdata[i]);
  return true;
}

bool
vtree_tree_open (const VtreeCli *cli, const char *text, const VtreeTreeMode *mode,
                 VtreeTree *tree, GError **error)
{
  g_auto (VtreeFd) lock = -1; /* until the view holds its manifest */

  if (!vtree_ref_spec_parse (text, mode->with_path, &tree->spec, error))
    return false;
  tree->paths = vtree_paths_new (error);
  if (tree->paths == NULL)
    return false;
  tree->repo = vtree_cli_open_repo (cli, tree->paths, error);
  if (tree->repo == NULL
      || !vtree_repo_lock (tree->repo, VTREE_REPO_LOCK_SHARED, cli->wait, &lock, error)
      || !resolve (cli, mode, tree, error))
    return false;
  tree->store = vtree_store_new (tree->repo, error);
  if (tree->store == NULL)
    return false;
  tree->view
    = vtree_resolved_open (tree->resolved, tree->store, VTREE_VERITY_AUTO, error);
  return tree->view != NULL;
}

bool
vtree_tree_find (VtreeTree *tree, VtreeInode *inode, GError **error)
{
  const char *path = tree->spec.path != NULL ? tree->spec.path : "";

  return vtree_view_resolve (tree->view, path, inode, error);
}

void
vtree_tree_add_json (const VtreeTree *tree, VtreeJson *json)
{
  const VtreeStatement *statement = tree->resolved->statement;
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_json_add_string (json, "ref", statement != NULL ? statement->ref : NULL);
  if (statement != NULL)
    vtree_json_add_uint (json, "version", statement->version);
  else
    vtree_json_add_null (json, "version");
  vtree_json_add_string (json, "manifest",
                         vtree_digest_format (&tree->resolved->manifest, digest));
}
