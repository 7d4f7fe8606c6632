/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree repack`, and the word about it of verbs that add packs: the work is
 * manifest/repack.h's. */
#include "manifest/repack.h"
#include "cli/argument.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/repacking.h"
#include "cli/signing.h"
#include "cli/verbs.h"

#include <string.h>

static void
report_damaged (void *context, const char *object, const char *message)
{
  const VtreeCli *cli = context;

  (void) object;
  vtree_cli_note (cli, "left where it is: %s", message);
}

static void
note_result (const VtreeCli *cli, const VtreeRepackResult *result, bool dry_run)
{
  if (result->folded + result->moved + result->unpacked + result->damaged == 0)
    vtree_cli_note (cli, "nothing to repack in %" G_GUINT64_FORMAT " packs",
                    result->packs_before);
  else if (dry_run)
    vtree_cli_note (cli,
                    "would fold %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                    " packs, with %" G_GUINT64_FORMAT " files that are not packed yet",
                    result->folded, result->packs_before, result->moved);
  else
    vtree_cli_note (cli,
                    "folded %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                    " packs and %" G_GUINT64_FORMAT " files; %" G_GUINT64_FORMAT
                    " bytes became %" G_GUINT64_FORMAT,
                    result->folded, result->packs_before, result->moved,
                    result->bytes_before, result->bytes_after);
}

static void
print_json (const VtreeRepackResult *result, bool dry_run)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);

  vtree_json_begin_answer (json);
  vtree_json_add_bool (json, "dry_run", dry_run);
  vtree_json_add_uint (json, "packs_before", result->packs_before);
  vtree_json_add_uint (json, "packs_after", result->packs_after);
  vtree_json_add_uint (json, "folded", result->folded);
  vtree_json_add_uint (json, "moved", result->moved);
  vtree_json_add_uint (json, "unpacked", result->unpacked);
  vtree_json_add_uint (json, "bytes_before", result->bytes_before);
  vtree_json_add_uint (json, "bytes_after", result->bytes_after);
  vtree_json_add_uint (json, "damaged", result->damaged);
  vtree_json_end_object (json);
}

typedef struct {
  char *min_live;
  char *threshold;
  gboolean all;
  gboolean check;
  gboolean dry_run;
  VtreeObjectWords object;
} RepackWords;

static void
repack_words_clear (RepackWords *words)
{
  g_clear_pointer (&words->min_live, g_free);
  g_clear_pointer (&words->threshold, g_free);
  vtree_object_words_clear (&words->object);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RepackWords, repack_words_clear)

static GArray *
repack_entries (RepackWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "min-live", 0, 0, G_OPTION_ARG_FILENAME, &words->min_live,
          "Fold packs of which less is needed (default: 70%)", "PERCENT" },
        { "threshold", 0, 0, G_OPTION_ARG_FILENAME, &words->threshold,
          "Pack contents of at most N bytes (default: the configuration's)", "N" },
        { "all", 0, 0, G_OPTION_ARG_NONE, &words->all, "Fold every pack", NULL },
        { "check", 0, 0, G_OPTION_ARG_NONE, &words->check,
          "Read every pack, and fold those that are damaged", NULL },
        { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &words->dry_run,
          "Only say what would be done", NULL } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_object_words_add (&words->object, entries);
  return entries;
}

/* "70%" or "70". */
static bool
parse_percent (const char *word, unsigned *percent, GError **error)
{
  g_autofree char *number = g_strdup (word);
  size_t length = strlen (number);
  uint64_t value;

  if (length > 1 && number[length - 1] == '%')
    number[length - 1] = '\0';
  if (!vtree_argument_number ("--min-live", number, 0, 100, &value, error))
    return false;
  *percent = (unsigned) value;
  return true;
}

static bool
apply_words (const RepackWords *words, VtreeRepackOptions *options, GError **error)
{
  uint64_t threshold = 0;

  options->min_live = VTREE_REPACK_MIN_LIVE;
  options->all = words->all != FALSE;
  options->check = words->check != FALSE;
  options->dry_run = words->dry_run != FALSE;
  options->has_threshold = words->threshold != NULL;
  if (words->min_live != NULL
      && !parse_percent (words->min_live, &options->min_live, error))
    return false;
  if (words->threshold != NULL
      && !vtree_argument_number ("--threshold", words->threshold, 0,
                                 VTREE_PACK_OBJECT_MAX, &threshold, error))
    return false;
  options->threshold = (uint32_t) threshold;
  return true;
}

static bool
repack (const VtreeCli *cli, const VtreeRepo *repo, const VtreeRepackOptions *words,
        GError **error)
{
  VtreeRepackOptions options = *words;
  VtreeRepackResult result = { .folded = 0 };

  options.verity = vtree_repo_options (repo)->verity;
  options.wait = cli->wait;
  options.damaged = report_damaged;
  options.context = (void *) cli;
  if (!vtree_repack (repo, &options, &result, error))
    return false;
  note_result (cli, &result, options.dry_run);
  if (cli->json)
    print_json (&result, options.dry_run);
  return result.damaged == 0
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "repack %s: %" G_GUINT64_FORMAT
                             " damaged objects stay where they are; "
                             "repair with fsck --repair-from=DIR, then repack again",
                             vtree_repo_path (repo), result.damaged);
}

bool
vtree_verb_repack (VtreeCli *cli, GError **error)
{
  g_auto (RepackWords) words = { .min_live = NULL };
  g_autoptr (GArray) entries = repack_entries (&words);
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;
  VtreeRepackOptions options = { .min_live = 0 };

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !apply_words (&words, &options, error)
      || !vtree_object_words_load (&words.object, &signer, error))
    return false;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL)
    return false;
  options.signer = signer;
  return repack (cli, repo, &options, error);
}

/* --- for others ------------------------------------------------------------------- */

/* Somebody who is at work there now is in nobody's way: the next one repacks. */
static bool
repack_automatically (const VtreeCli *cli, const VtreeRepo *repo,
                      const VtreeObjectSigner *signer, GError **error)
{
  VtreeRepackOptions options = { .min_live = VTREE_REPACK_MIN_LIVE, .signer = signer };
  g_autoptr (GError) failed = NULL;
  VtreeCli quick = *cli;

  quick.wait = 0;
  quick.json = false;
  if (repack (&quick, repo, &options, &failed))
    return true;
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY)) {
    vtree_cli_note (cli, "not repacked: the repository is in use");
    return true;
  }
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

/* *AUTOMATIC: the configuration says that it is to be done at once. */
static bool
is_automatic (const VtreeRepo *repo, bool *automatic, GError **error)
{
  g_autofree char *word = vtree_repo_config_get (repo, "auto-repack", error);

  *automatic = word != NULL && strcmp (word, "true") == 0;
  return word != NULL;
}

bool
vtree_repacking_do (const VtreeCli *cli, const VtreeRepo *repo,
                    const VtreeObjectSigner *signer, uint64_t dead, GError **error)
{
  bool automatic;

  if (!is_automatic (repo, &automatic, error))
    return false;
  if (automatic)
    return repack_automatically (cli, repo, signer, error);
  vtree_cli_note (cli,
                  "%" G_GUINT64_FORMAT " bytes in packs are needed by nothing: "
                  "vtree repack frees them",
                  dead);
  return true;
}

bool
vtree_repacking_consider (const VtreeCli *cli, const VtreeRepo *repo,
                          const VtreeObjectSigner *signer, GError **error)
{
  g_autoptr (VtreeStore) store = vtree_store_new (repo, error);
  uint64_t folded = 0;
  bool pays, automatic;

  if (store == NULL || !vtree_repack_pays (store, &pays, &folded, error)
      || !is_automatic (repo, &automatic, error))
    return false;
  if (!pays)
    return true;
  if (automatic)
    return repack_automatically (cli, repo, signer, error);
  vtree_cli_note (cli,
                  "%" G_GUINT64_FORMAT
                  " packs could be one: vtree repack, or vtree config auto-repack true",
                  folded);
  return true;
}
