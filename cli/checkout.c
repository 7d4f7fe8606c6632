/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree checkout`: the work is manifest/checkout.h's. */
#include "manifest/checkout.h"
#include "cli/argument.h"
#include "cli/progress.h"
#include "cli/tree.h"

/* What was done, and what a plain user's checkout had to leave away. */
static void
note_report (const VtreeCli *cli, const VtreeCheckoutReport *report)
{
  vtree_cli_note (cli,
                  "%" G_GUINT64_FORMAT " files written (%" G_GUINT64_FORMAT
                  " bytes), %" G_GUINT64_FORMAT " kept, %" G_GUINT64_FORMAT " removed",
                  report->files, report->bytes, report->kept, report->removed);
  if (report->owners + report->set_ids + report->xattrs > 0)
    vtree_cli_note (cli,
                    "left away: %" G_GUINT64_FORMAT " owners, %" G_GUINT64_FORMAT
                    " set-id bits, %" G_GUINT64_FORMAT
                    " extended attributes, which only root may set",
                    report->owners, report->set_ids, report->xattrs);
}

static bool
write_out (const VtreeCli *cli, VtreeTree *tree, const VtreeCheckoutOptions *words,
           GError **error)
{
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("checkout", !cli->quiet);
  const VtreeViewTotals *totals = vtree_view_totals (tree->view);
  VtreeCheckoutReport report = { .files = 0 };
  VtreeCheckoutOptions options = *words;

  if (options.path == NULL)
    vtree_progress_set_total (progress, totals->inodes);
  options.progress = vtree_progress_count;
  options.progress_context = progress;
  options.report = &report;
  if (!vtree_checkout (tree->view, tree->store, cli->args[1], &options, error))
    return false;
  g_clear_pointer (&progress, vtree_progress_free);
  note_report (cli, &report);
  return true;
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
