/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree checkout`: the work is manifest/checkout.h's. */
#include "manifest/checkout.h"
#include "cli/argument.h"
#include "cli/progress.h"
#include "cli/tree.h"

static bool
write_out (const VtreeCli *cli, VtreeTree *tree, VtreeCheckoutOptions *options,
           GError **error)
{
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("checkout", !cli->quiet);
  const VtreeViewTotals *totals = vtree_view_totals (tree->view);

  if (options->path == NULL)
    vtree_progress_set_total (progress, totals->inodes);
  options->progress = vtree_progress_count;
  options->progress_context = progress;
  return vtree_checkout (tree->view, tree->store, cli->args[1], options, error);
}

bool
vtree_verb_checkout (VtreeCli *cli, GError **error)
{
  g_autofree char *threads = NULL;
  gboolean update = FALSE;
  const GOptionEntry entries[]
    = { { "update", 0, 0, G_OPTION_ARG_NONE, &update,
          "Make an existing DIR equal, writing only what differs", NULL },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &threads,
          "So many workers (default: one a processor)", "N" },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  const VtreeTreeMode mode = { .with_path = true };
  g_auto (VtreeTree) tree = { .paths = NULL };
  VtreeCheckoutOptions options = { .path = NULL };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (threads != NULL && !vtree_argument_threads (threads, &options.threads, error))
    return false;
  if (!vtree_tree_open (cli, cli->args[0], &mode, &tree, error))
    return false;
  options.path = tree.spec.path;
  options.update = update != FALSE;
  options.keep_owner = vtree_paths_is_root (tree.paths);
  return write_out (cli, &tree, &options, error);
}
