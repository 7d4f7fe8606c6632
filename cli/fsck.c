/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree fsck`: a line for each harmed path; the work is manifest/fsck.h's. */
#include "manifest/fsck.h"
#include "cli/argument.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"

typedef struct {
  VtreeJson *json; /* NULL: text */
  VtreeProgress *progress;
} FsckReport;

static const char *
kind_name (VtreeFsckKind kind)
{
  static const char *const names[] = { [VTREE_FSCK_MISSING] = "missing",
                                       [VTREE_FSCK_CORRUPT] = "corrupt",
                                       [VTREE_FSCK_UNTRUSTED] = "untrusted",
                                       [VTREE_FSCK_REPAIRED] = "repaired" };

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
}

/* The exit code is that of the worst that is left. */
static bool
judge (const VtreeRepo *repo, const VtreeFsckResult *result, GError **error)
{
  VtreeErrorCode code = VTREE_ERROR_UNTRUSTED;

  if (result->corrupt == 0 && result->missing == 0 && result->untrusted == 0)
    return true;
  if (result->missing > 0)
    code = VTREE_ERROR_MISSING;
  if (result->corrupt > 0)
    code = VTREE_ERROR_CORRUPT;
  return vtree_error_set (error, code,
                          "check %s: %" G_GUINT64_FORMAT " corrupt, %" G_GUINT64_FORMAT
                          " missing, %" G_GUINT64_FORMAT " untrusted%s",
                          vtree_repo_path (repo), result->corrupt, result->missing,
                          result->untrusted,
                          result->corrupt + result->missing > 0
                            ? "; repair with --repair-from=DIR or a new commit"
                            : "");
}

static void
note_result (const VtreeCli *cli, const VtreeFsckResult *result)
{
  vtree_cli_note (
    cli,
    "%" G_GUINT64_FORMAT " versions of %" G_GUINT64_FORMAT " refs, %" G_GUINT64_FORMAT
    " objects, %" G_GUINT64_FORMAT " bytes checked; %" G_GUINT64_FORMAT " repaired",
    result->versions, result->refs, result->objects, result->bytes, result->repaired);
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
    vtree_json_begin_object (json, NULL);
    vtree_json_add_int (json, "schema", 1);
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
  note_result (cli, &result);
  return judge (repo, &result, error);
}

bool
vtree_verb_fsck (VtreeCli *cli, GError **error)
{
  g_autofree char *repair_from = NULL;
  g_autofree char *threads = NULL;
  const GOptionEntry entries[]
    = { { "repair-from", 0, 0, G_OPTION_ARG_FILENAME, &repair_from,
          "Replace bad and missing objects by good ones found in DIR", "DIR" },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &threads,
          "So many workers (default: one a processor)", "N" },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;
  VtreeFsckOptions options = { .refs = NULL };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (threads != NULL && !vtree_argument_threads (threads, &options.threads, error))
    return false;
  paths = vtree_paths_new (error);
  repo = paths != NULL ? vtree_cli_open_repo (cli, paths, error) : NULL;
  if (repo == NULL)
    return false;
  options.refs = cli->n_args > 0 ? (const char *const *) cli->args : NULL;
  options.repair_from = repair_from;
  options.paths = paths;
  options.wait = cli->wait;
  options.wait = cli->wait;
  return check (cli, repo, &options, error);
}
