/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree fsck`: a line for each harmed path; the work is manifest/fsck.h's. */
#include "manifest/fsck.h"
#include "cli/argument.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/signing.h"
#include "cli/verbs.h"
#include "manifest/repack.h"

typedef struct {
  VtreeJson *json; /* NULL: text */
  VtreeProgress *progress;
} FsckReport;

static const char *
kind_name (VtreeFsckKind kind)
{
  static const char *const names[]
    = { [VTREE_FSCK_MISSING] = "missing",     [VTREE_FSCK_CORRUPT] = "corrupt",
        [VTREE_FSCK_UNTRUSTED] = "untrusted", [VTREE_FSCK_REPAIRED] = "repaired",
        [VTREE_FSCK_UNSEALED] = "unsealed",   [VTREE_FSCK_STRAY] = "stray" };

  return (size_t) kind < G_N_ELEMENTS (names) ? names[kind] : "unknown";
}

static const char *
or_dash (const char *text)
{
  return text != NULL ? text : "-";
}

static void
report_problem (void *context, const VtreeFsckProblem *problem)
{
  const FsckReport *report = context;
  VtreeJson *json = report->json;

  vtree_progress_hide (report->progress);
  if (json == NULL) {
    vtree_out_print ("%s %s %s ", kind_name (problem->kind), or_dash (problem->ref),
                     or_dash (problem->object));
    /* core has escaped it already */
    vtree_out_print ("%s: %s\n", or_dash (problem->path), or_dash (problem->message));
    return;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "kind", kind_name (problem->kind));
  vtree_json_add_string (json, "ref", problem->ref);
  vtree_json_add_string (json, "object", problem->object);
  vtree_json_add_string (json, "path", problem->path);
  vtree_json_add_string (json, "message", problem->message);
  vtree_json_end_object (json);
}

static void
report_progress (void *context, uint64_t done, uint64_t total)
{
  const FsckReport *report = context;

  vtree_progress_share (report->progress, done, total);
}

static void
add_result (const VtreeFsckResult *result, VtreeJson *json)
{
  vtree_json_add_uint (json, "refs", result->refs);
  vtree_json_add_uint (json, "versions", result->versions);
  vtree_json_add_uint (json, "manifests", result->manifests);
  vtree_json_add_uint (json, "objects", result->objects);
  vtree_json_add_uint (json, "bytes", result->bytes);
  vtree_json_add_uint (json, "missing", result->missing);
  vtree_json_add_uint (json, "corrupt", result->corrupt);
  vtree_json_add_uint (json, "untrusted", result->untrusted);
  vtree_json_add_uint (json, "repaired", result->repaired);
  vtree_json_add_uint (json, "stale_temporary", result->stale_temporary);
  vtree_json_add_uint (json, "stray", result->stray);
  vtree_json_add_uint (json, "packs", result->packs);
  vtree_json_add_uint (json, "damaged_packs", result->damaged_packs);
  vtree_json_add_uint (json, "sealed", result->sealed);
  vtree_json_add_uint (json, "sealed_before", result->sealed_before);
  vtree_json_add_uint (json, "sealed_files", result->sealed_files);
  vtree_json_add_uint (json, "unsealed", result->unsealed);
}

/* The exit code is that of the worst that is left. */
static bool
judge (const VtreeRepo *repo, const VtreeFsckResult *result, GError **error)
{
  VtreeErrorCode code = VTREE_ERROR_UNTRUSTED;

  uint64_t corrupt = result->corrupt + result->damaged_packs;
  const char *cure = "";

  if (corrupt == 0 && result->missing == 0 && result->untrusted == 0)
    return result->unsealed == 0
           || vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                               "check %s: %" G_GUINT64_FORMAT " could not be sealed",
                               vtree_repo_path (repo), result->unsealed);
  if (result->missing > 0)
    code = VTREE_ERROR_MISSING;
  if (corrupt > 0)
    code = VTREE_ERROR_CORRUPT;
  if (result->corrupt + result->missing > 0)
    cure = "; repair with --repair-from=DIR";
  else if (corrupt > 0)
    cure
      = "; nothing that is needed is lost: `vtree repack --check` drops the bad packs";
  return vtree_error_set (error, code,
                          "check %s: %" G_GUINT64_FORMAT " corrupt, %" G_GUINT64_FORMAT
                          " missing, %" G_GUINT64_FORMAT " untrusted%s",
                          vtree_repo_path (repo), corrupt, result->missing,
                          result->untrusted, cure);
}

static void
note_result (const VtreeCli *cli, const VtreeFsckResult *result, bool seal)
{
  if (seal)
    vtree_cli_note (cli,
                    "%" G_GUINT64_FORMAT " objects and %" G_GUINT64_FORMAT
                    " of the repository's own files sealed, %" G_GUINT64_FORMAT
                    " objects were already",
                    result->sealed, result->sealed_files, result->sealed_before);
  vtree_cli_note (cli,
                  "%" G_GUINT64_FORMAT " versions of %" G_GUINT64_FORMAT
                  " refs, %" G_GUINT64_FORMAT " objects, %" G_GUINT64_FORMAT
                  " bytes and %" G_GUINT64_FORMAT " packs checked; %" G_GUINT64_FORMAT
                  " repaired",
                  result->versions, result->refs, result->objects, result->bytes,
                  result->packs, result->repaired);
}

/* After a repair nobody needs the packs that are damaged. */
static bool
drop_packs (const VtreeCli *cli, const VtreeRepo *repo, const VtreeFsckOptions *options,
            VtreeFsckResult *result, GError **error)
{
  VtreeRepackOptions words = { .check = true,
                               .wait = options->wait,
                               .verity = vtree_repo_options (repo)->verity,
                               .signer = options->signer };
  VtreeRepackResult done = { .folded = 0 };

  if (options->repair_from == NULL || result->damaged_packs == 0
      || result->corrupt + result->missing > 0)
    return true;
  if (!vtree_repack (repo, &words, &done, error))
    return false;
  vtree_cli_note (cli, "%" G_GUINT64_FORMAT " damaged packs replaced",
                  result->damaged_packs);
  if (done.damaged == 0)
    result->damaged_packs = 0;
  return true;
}

static bool
check (const VtreeCli *cli, const VtreeRepo *repo, const VtreeFsckOptions *words,
       GError **error)
{
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("fsck", !cli->quiet);
  g_autoptr (VtreeJson) json = cli->json ? vtree_json_new (stdout) : NULL;
  FsckReport report = { .json = json, .progress = progress };
  VtreeFsckResult result = { .refs = 0 };
  VtreeFsckOptions options = *words;

  options.problem = report_problem;
  options.progress = report_progress;
  options.context = &report;
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "problems");
  }
  if (!vtree_fsck (repo, &options, &result, error))
    return false;
  if (json != NULL) {
    vtree_json_end_array (json);
    add_result (&result, json);
    vtree_json_end_object (json);
  }
  g_clear_pointer (&progress, vtree_progress_free);
  note_result (cli, &result, options.seal);
  return drop_packs (cli, repo, &options, &result, error)
         && judge (repo, &result, error);
}

typedef struct {
  char *repair_from;
  char *threads;
  gboolean seal;
  VtreeObjectWords object;
} FsckWords;

static void
fsck_words_clear (FsckWords *words)
{
  g_clear_pointer (&words->repair_from, g_free);
  g_clear_pointer (&words->threads, g_free);
  vtree_object_words_clear (&words->object);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FsckWords, fsck_words_clear)

static GArray *
fsck_entries (FsckWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "repair-from", 0, 0, G_OPTION_ARG_FILENAME, &words->repair_from,
          "Replace bad and missing objects by good ones found in DIR", "DIR" },
        { "seal", 0, 0, G_OPTION_ARG_NONE, &words->seal,
          "Enable the kernel's fs-verity on everything that is good", NULL },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &words->threads,
          "So many workers (default: one a processor)", "N" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_object_words_add (&words->object, entries);
  return entries;
}

/* OPTIONS but for what needs a repository; *SIGNER (owned) is in it. */
static bool
apply_words (const FsckWords *words, VtreeFsckOptions *options,
             VtreeObjectSigner **signer, GError **error)
{
  if (words->threads != NULL
      && !vtree_argument_threads (words->threads, &options->threads, error))
    return false;
  if (!vtree_object_words_load (&words->object, signer, error))
    return false;
  if (*signer != NULL && !words->seal)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "--object-key needs --seal");
  options->repair_from = words->repair_from;
  options->seal = words->seal != FALSE;
  options->signer = *signer;
  return true;
}

bool
vtree_verb_fsck (VtreeCli *cli, GError **error)
{
  g_auto (FsckWords) words = { .repair_from = NULL };
  g_autoptr (GArray) entries = fsck_entries (&words);
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;
  VtreeFsckOptions options = { .refs = NULL };

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !apply_words (&words, &options, &signer, error))
    return false;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL)
    return false;
  options.refs = cli->n_args > 0 ? (const char *const *) cli->args : NULL;
  options.paths = paths;
  options.wait = cli->wait;
  return check (cli, repo, &options, error);
}
