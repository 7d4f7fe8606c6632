/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree verify`: trust and the manifest's sense; contents are fsck's affair. */
#include "cli/output.h"
#include "cli/release.h"
#include "cli/tree.h"
#include "manifest/check.h"

static void
print_json (const VtreeTree *tree)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);
  const VtreeViewTotals *totals = vtree_view_totals (tree->view);
  const VtreeResolved *resolved = tree->resolved;

  vtree_json_begin_answer (json);
  vtree_tree_add_json (tree, json);
  vtree_release_add_signer_json (resolved, json);
  vtree_json_add_uint (json, "inodes", totals->inodes);
  vtree_json_add_uint (json, "objects", totals->objects);
  vtree_json_add_uint (json, "bytes", totals->bytes);
  vtree_json_begin_array (json, "notes");
  for (guint i = 0; i < resolved->notes->len; i++)
    vtree_json_add_string (json, NULL, resolved->notes->pdata[i]);
  vtree_json_end_array (json);
  vtree_json_end_object (json);
}

static void
print_text (const VtreeCli *cli, const VtreeTree *tree)
{
  const VtreeViewTotals *totals = vtree_view_totals (tree->view);
  const VtreeResolved *resolved = tree->resolved;
  char digest[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *signer = NULL;

  vtree_out_print ("%s\n", vtree_digest_format (&resolved->manifest, digest));
  if (resolved->statement == NULL) {
    vtree_cli_note (cli,
                    "manifest good, named by its digest: no signature was asked for");
    return;
  }
  signer = vtree_release_describe_signer (resolved);
  vtree_cli_note (
    cli, "%s version %" G_GUINT64_FORMAT ", signed by %s: %u inodes, %u objects",
    resolved->statement->ref, resolved->statement->version, signer, totals->inodes,
    totals->objects);
}

bool
vtree_verb_verify (VtreeCli *cli, GError **error)
{
  gboolean force = FALSE;
  const GOptionEntry entries[]
    = { { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Accept a version that is expired or older than one accepted before", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  VtreeTreeMode mode = { .raise_mark = true };
  g_auto (VtreeTree) tree = { .paths = NULL };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  mode.force = force != FALSE;
  if (!vtree_tree_open (cli, cli->args[0], &mode, &tree, error)
      || !vtree_check_manifest (tree.view, error))
    return false;
  if (cli->json)
    print_json (&tree);
  else
    print_text (cli, &tree);
  return true;
}
