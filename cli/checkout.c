/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree checkout`: options in, figures out; the work is manifest/checkout.h's. */
#include "manifest/checkout.h"
#include "cli/argument.h"
#include "cli/progress.h"
#include "cli/signing.h"
#include "cli/tree.h"

typedef struct {
  VtreeObjectWords object;
  char *verity;
  char *threads;
  gboolean update;
  gboolean hard_links;
  gboolean omit_unsupported;
} CheckoutWords;

static void
checkout_words_clear (CheckoutWords *words)
{
  vtree_object_words_clear (&words->object);
  g_clear_pointer (&words->verity, g_free);
  g_clear_pointer (&words->threads, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CheckoutWords, checkout_words_clear)

/* --- what was done ---------------------------------------------------------------- */

/* "a, b, c" of those figures that are not 0. */
typedef struct {
  uint64_t count;
  const char *text; /* after the figure */
} Figure;

static char *
join_figures (const Figure *figures, size_t count)
{
  GString *line = g_string_new (NULL);
  for (size_t i = 0; i < count; i++) {
    if (figures[i].count > 0)
      g_string_append_printf (line, "%s%" G_GUINT64_FORMAT " %s",
                              line->len > 0 ? ", " : "", figures[i].count,
                              figures[i].text);
  }
  return g_string_free (line, FALSE);
}

/* What a plain user's checkout, and one to vfat, had to leave away. */
static void
note_left (const VtreeCli *cli, const VtreeCheckoutReport *report)
{
  const Figure figures[] = {
    { report->owners, "owners" },
    { report->set_ids, "set-id bits" },
    { report->xattrs, "extended attributes" },
    { report->modes, "modes" },
    { report->times, "times (rounded)" },
    { report->copies, "hard links (copied)" },
    { report->omitted, "links and special files (omitted)" },
  };
  g_autofree char *line = join_figures (figures, G_N_ELEMENTS (figures));
  if (line[0] != '\0')
    vtree_cli_note (cli, "left away, as the user or the filesystem can't have it: %s",
                    line);
  if (report->exposed > 0)
    vtree_cli_note (cli,
                    "%" G_GUINT64_FORMAT
                    " files are open to more people there than the tree says: the "
                    "filesystem has no modes of its own",
                    report->exposed);
}

static void
note_report (const VtreeCli *cli, const VtreeCheckoutReport *report)
{
  const Figure figures[] = {
    { report->cloned, "reflinked" },
    { report->linked, "hard-linked" },
    { report->sealed, "sealed by the kernel" },
  };
  g_autofree char *line = join_figures (figures, G_N_ELEMENTS (figures));
  vtree_cli_note (cli,
                  "%" G_GUINT64_FORMAT " files written (%" G_GUINT64_FORMAT
                  " bytes)%s%s; %" G_GUINT64_FORMAT " kept, %" G_GUINT64_FORMAT
                  " removed",
                  report->files, report->bytes, line[0] != '\0' ? ": " : "", line,
                  report->kept, report->removed);
  note_left (cli, report);
}

static void
print_json (const VtreeTree *tree, const VtreeCheckoutReport *report)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);
  vtree_json_begin_answer (json);
  vtree_tree_add_json (tree, json);
  vtree_json_add_bool (json, "sealing", report->sealing);
  vtree_json_add_uint (json, "files", report->files);
  vtree_json_add_uint (json, "bytes", report->bytes);
  vtree_json_add_uint (json, "reflinked", report->cloned);
  vtree_json_add_uint (json, "hard_linked", report->linked);
  vtree_json_add_uint (json, "sealed", report->sealed);
  vtree_json_add_uint (json, "kept", report->kept);
  vtree_json_add_uint (json, "removed", report->removed);
  vtree_json_begin_object (json, "left_away");
  vtree_json_add_uint (json, "owners", report->owners);
  vtree_json_add_uint (json, "set_ids", report->set_ids);
  vtree_json_add_uint (json, "xattrs", report->xattrs);
  vtree_json_add_uint (json, "modes", report->modes);
  vtree_json_add_uint (json, "exposed", report->exposed);
  vtree_json_add_uint (json, "times", report->times);
  vtree_json_add_uint (json, "hard_links", report->copies);
  vtree_json_add_uint (json, "omitted", report->omitted);
  vtree_json_end_object (json);
  vtree_json_end_object (json);
}

/* --- the verb --------------------------------------------------------------------- */

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
  if (cli->json)
    print_json (tree, &report);
  return true;
}

static bool
apply_words (const CheckoutWords *words, VtreeCheckoutOptions *options, GError **error)
{
  if (words->threads != NULL
      && !vtree_argument_threads (words->threads, &options->threads, error))
    return false;
  if (words->verity != NULL
      && !vtree_argument_verity (words->verity, &options->verity, error))
    return false;
  if (words->hard_links && options->verity == VTREE_VERITY_OFF)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--hardlink and --verity=off exclude each other: only what "
                            "the kernel enforces is linked");
  options->update = words->update != FALSE;
  options->hard_links = words->hard_links != FALSE;
  options->omit_unsupported = words->omit_unsupported != FALSE;
  return true;
}

static GArray *
checkout_entries (CheckoutWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[] = {
    { "update", 0, 0, G_OPTION_ARG_NONE, &words->update,
      "Make an existing DIR equal, writing only what differs", NULL },
    { "verity", 0, 0, G_OPTION_ARG_FILENAME, &words->verity,
      "Enable fs-verity: auto (default: where DIR's filesystem can), require or off",
      "WORD" },
    { "hardlink", 'H', 0, G_OPTION_ARG_NONE, &words->hard_links,
      "Link to the repository's sealed objects where that is safe", NULL },
    { "omit-unsupported", 0, 0, G_OPTION_ARG_NONE, &words->omit_unsupported,
      "Leave out symbolic links and special files where there are none", NULL },
    { "threads", 0, 0, G_OPTION_ARG_FILENAME, &words->threads,
      "So many workers (default: one a processor)", "N" }
  };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_object_words_add (&words->object, entries);
  return entries;
}

bool
vtree_verb_checkout (VtreeCli *cli, GError **error)
{
  g_auto (CheckoutWords) words = { .verity = NULL };
  g_autoptr (GArray) entries = checkout_entries (&words);
  g_autoptr (VtreeObjectSigner) signer = NULL;
  const VtreeTreeMode mode = { .with_path = true };
  g_auto (VtreeTree) tree = { .paths = NULL };
  VtreeCheckoutOptions options = { .path = NULL };

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !apply_words (&words, &options, error)
      || !vtree_object_words_load (&words.object, &signer, error)
      || !vtree_tree_open (cli, cli->args[0], &mode, &tree, error))
    return false;
  options.signer = signer;
  options.path = tree.spec.path;
  options.keep_owner = vtree_paths_is_root (tree.paths);
  return write_out (cli, &tree, &options, error);
}
