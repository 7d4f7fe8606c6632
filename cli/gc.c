/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree gc`: the work is manifest/gc.h's. */
#include "manifest/gc.h"
#include "cli/argument.h"
#include "cli/deployed.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/repacking.h"
#include "cli/verbs.h"
#include "manifest/repack.h"

#define KEEP_MAX 1000000

typedef struct {
  const VtreeCli *cli;
  const VtreePaths *paths;
  const VtreeRepo *repo;
  VtreeJson *json; /* NULL: text */
  bool dry_run;
} GcReport;

static void
report_removed (void *context, const char *what)
{
  const GcReport *report = context;

  if (report->json != NULL) {
    vtree_json_add_string (report->json, NULL, what);
  } else if (report->dry_run) {
    vtree_out_name (what, -1);
    vtree_out_text ("\n");
  }
}

static void
report_held (void *context, const char *manifest)
{
  const GcReport *report = context;

  vtree_cli_note (report->cli, "kept %s: a mount holds it", manifest);
}

/* As VtreeGcOptions.hold: deployments need their versions. */
static bool
find_holder (void *context, const char *ref, uint64_t version, char **holder,
             GError **error)
{
  const GcReport *report = context;

  return vtree_deployed_find_holder (report->paths, report->repo, ref, version, holder,
                                     error);
}

static void
report_kept (void *context, const char *ref, uint64_t version, const char *holder)
{
  const GcReport *report = context;

  vtree_cli_note (report->cli, "kept %s@%" G_GUINT64_FORMAT ": %s", ref, version,
                  holder);
}

static void
add_totals (const VtreeGcResult *result, VtreeJson *json)
{
  vtree_json_add_uint (json, "versions", result->versions);
  vtree_json_add_uint (json, "objects", result->objects);
  vtree_json_add_uint (json, "packs", result->packs);
  vtree_json_add_uint (json, "bytes", result->bytes);
  vtree_json_add_uint (json, "kept_objects", result->kept_objects);
  vtree_json_add_uint (json, "kept_bytes", result->kept_bytes);
  vtree_json_add_uint (json, "held_manifests", result->held_manifests);
  vtree_json_add_uint (json, "kept_packs", result->kept_packs);
  vtree_json_add_uint (json, "live_bytes", result->live_bytes);
  vtree_json_add_uint (json, "dead_bytes", result->dead_bytes);
}

static void
note_totals (const VtreeCli *cli, const VtreeGcResult *result, bool dry_run)
{
  g_autofree char *packs
    = result->packs > 0 ? g_strdup_printf (
        ", among them %" G_GUINT64_FORMAT " whole packs", result->packs)
                        : g_strdup ("");

  vtree_cli_note (cli,
                  "%s %" G_GUINT64_FORMAT " versions and %" G_GUINT64_FORMAT
                  " objects (%" G_GUINT64_FORMAT " bytes%s); kept %" G_GUINT64_FORMAT
                  " objects (%" G_GUINT64_FORMAT " bytes)",
                  dry_run ? "would remove" : "removed", result->versions,
                  result->objects, result->bytes, packs, result->kept_objects,
                  result->kept_bytes);
}

static bool
collect (const VtreeCli *cli, const VtreePaths *paths, const VtreeRepo *repo,
         const VtreeGcOptions *words, VtreeGcResult *result, GError **error)
{
  g_autoptr (VtreeJson) json = cli->json ? vtree_json_new (stdout) : NULL;
  GcReport report = {
    .cli = cli, .paths = paths, .repo = repo, .json = json, .dry_run = words->dry_run
  };
  VtreeGcOptions options = *words;

  options.removed = report_removed;
  options.held = report_held;
  options.hold = find_holder;
  options.kept = report_kept;
  options.context = &report;
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_add_bool (json, "dry_run", options.dry_run);
    vtree_json_begin_array (json, "removed");
  }
  if (!vtree_gc (repo, &options, result, error))
    return false;
  note_totals (cli, result, options.dry_run);
  if (json == NULL)
    return true;
  vtree_json_end_array (json);
  add_totals (result, json);
  vtree_json_end_object (json);
  return true;
}

/* Whoever has just thrown away versions wants the space. */
static bool
consider_repack (const VtreeCli *cli, const VtreeRepo *repo,
                 const VtreeGcResult *result, bool dry_run, GError **error)
{
  uint64_t all = result->live_bytes + result->dead_bytes;
  bool much = result->dead_bytes > all / 100 * (100 - VTREE_REPACK_MIN_LIVE);

  if (dry_run) {
    if (result->dead_bytes > 0)
      vtree_cli_note (cli,
                      "%" G_GUINT64_FORMAT
                      " bytes in packs would be needed by nothing: "
                      "vtree repack frees %s",
                      result->dead_bytes, much ? "them" : "them with --all");
    return true;
  }
  return much ? vtree_repacking_do (cli, repo, NULL, result->dead_bytes, error)
              : vtree_repacking_consider (cli, repo, NULL, error);
}

/* --keep, else the configuration's word, else the default. */
static bool
choose_keep (const VtreeRepo *repo, const char *word, unsigned *keep, GError **error)
{
  g_autofree char *configured = NULL;
  uint64_t number = 0;

  if (word == NULL) {
    configured = vtree_repo_config_get (repo, "keep", error);
    if (configured == NULL)
      return false;
  }
  if (!vtree_argument_number (word != NULL ? "--keep" : "configuration key keep",
                              word != NULL ? word : configured, 1, KEEP_MAX, &number,
                              error))
    return false;
  *keep = (unsigned) number;
  return true;
}

bool
vtree_verb_gc (VtreeCli *cli, GError **error)
{
  g_autofree char *keep = NULL;
  gboolean dry_run = FALSE;
  const GOptionEntry entries[] = {
    { "keep", 0, 0, G_OPTION_ARG_FILENAME, &keep,
      "Keep the N newest versions of each ref (default: the configuration's, 2)", "N" },
    { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry_run, "Only list what would go", NULL },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL }
  };
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;
  VtreeGcOptions options = { .keep = 0 };
  VtreeGcResult result = { .versions = 0 };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL || !choose_keep (repo, keep, &options.keep, error))
    return false;
  options.dry_run = dry_run != FALSE;
  options.wait = cli->wait;
  if (!collect (cli, paths, repo, &options, &result, error))
    return false;
  return consider_repack (cli, repo, &result, options.dry_run, error);
}
