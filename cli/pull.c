/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree pull`: which refs and versions; the work is manifest/pull.h's. */
#include "manifest/pull.h"
#include "cli/argument.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/pulled.h"
#include "cli/repacking.h"
#include "cli/signing.h"
#include "cli/verbs.h"

#include <string.h>

typedef struct {
  VtreeObjectWords object;
  char *depth;
  char *verity;
  char *threads;
  gboolean force;
  gboolean allow_secret;
} PullWords;

static void
pull_words_clear (PullWords *words)
{
  vtree_object_words_clear (&words->object);
  g_clear_pointer (&words->depth, g_free);
  g_clear_pointer (&words->verity, g_free);
  g_clear_pointer (&words->threads, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PullWords, pull_words_clear)

typedef struct {
  const VtreeCli *cli;
  VtreePaths *paths;
  VtreeRepo *to;
  VtreeRepo *from;
  VtreePullOptions options;
  uint64_t depth;
  VtreeJson *json;
  GError *first; /* of the refs that could not be pulled */
} Pulling;

static void
pulling_clear (Pulling *pulling)
{
  g_clear_error (&pulling->first);
  g_clear_pointer (&pulling->json, vtree_json_free);
  g_clear_pointer (&pulling->from, vtree_repo_free);
  g_clear_pointer (&pulling->to, vtree_repo_free);
  g_clear_pointer (&pulling->paths, vtree_paths_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pulling, pulling_clear)

/* --- what is said ----------------------------------------------------------------- */

static const char *
state_name (VtreePullState state)
{
  static const char *const names[] = { [VTREE_PULL_MOVED] = "moved",
                                       [VTREE_PULL_ADDED] = "added",
                                       [VTREE_PULL_PRESENT] = "present" };
  return names[state];
}

static void
add_json (const VtreePullResult *result, VtreeJson *json)
{
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "ref", result->ref);
  vtree_json_add_uint (json, "version", result->version);
  vtree_json_add_string (json, "manifest",
                         vtree_digest_format (&result->manifest, digest));
  vtree_json_add_string (json, "state", state_name (result->state));
  vtree_json_add_uint (json, "head", result->head);
  vtree_json_add_uint (json, "new_objects", result->stats.new_objects);
  vtree_json_add_uint (json, "new_bytes", result->stats.new_bytes);
  vtree_json_add_uint (json, "found_objects", result->found_objects);
  vtree_json_add_uint (json, "found_bytes", result->found_bytes);
  vtree_json_add_uint (json, "replaced_objects", result->stats.replaced);
  vtree_json_end_object (json);
}

static void
note (const VtreeCli *cli, const VtreePullResult *result)
{
  const char *ref = result->ref;
  const VtreeIngestStats *stats = &result->stats;

  for (guint i = 0; result->notes != NULL && i < result->notes->len; i++)
    vtree_cli_note (cli, "%s", (const char *) result->notes->pdata[i]);
  if (result->state == VTREE_PULL_PRESENT)
    vtree_cli_note (cli, "%s version %" G_GUINT64_FORMAT " was there already", ref,
                    result->version);
  else
    vtree_cli_note (cli,
                    "%s version %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT
                    " objects (%" G_GUINT64_FORMAT " bytes) new, %" G_GUINT64_FORMAT
                    " (%" G_GUINT64_FORMAT " bytes) were there",
                    ref, result->version, stats->new_objects, stats->new_bytes,
                    result->found_objects, result->found_bytes);
  if (stats->replaced > 0)
    vtree_cli_note (cli,
                    "replaced %" G_GUINT64_FORMAT " objects that were corrupt here",
                    stats->replaced);
  if (result->head != result->version)
    vtree_cli_note (cli, "%s stays at version %" G_GUINT64_FORMAT ", which is newer",
                    ref, result->head);
}

void
vtree_pulled_print (const VtreeCli *cli, const VtreePullResult *result, VtreeJson *json)
{
  char digest[VTREE_DIGEST_TEXT_MAX];

  note (cli, result);
  if (json != NULL)
    add_json (result, json);
  else
    vtree_out_print ("%s@%" G_GUINT64_FORMAT " %s\n", result->ref, result->version,
                     vtree_digest_format (&result->manifest, digest));
}

/* --- which ------------------------------------------------------------------------ */

static bool
pull_version (Pulling *pulling, const VtreeRefSpec *spec, GError **error)
{
  g_autoptr (VtreeProgress) progress
    = vtree_progress_new ("pull", !pulling->cli->quiet);
  g_auto (VtreePullResult) result = { .version = 0 };
  VtreePullOptions options = pulling->options;

  options.progress = vtree_progress_count;
  options.progress_context = progress;
  if (!vtree_pull (pulling->to, pulling->from, spec, &options, &result, error))
    return false;
  g_clear_pointer (&progress, vtree_progress_free);
  vtree_pulled_print (pulling->cli, &result, pulling->json);
  return true;
}

/* Those before the one that is meant, the oldest first, so that a head that moves only
 * moves up. */
static bool
pull_older (Pulling *pulling, const VtreeRefSpec *spec, GError **error)
{
  g_autoptr (GArray) versions = NULL;
  uint64_t newest = spec->version;
  bool found = true;
  guint below = 0, start;

  if (!spec->has_version
      && !vtree_refs_head (pulling->from, spec->name, &found, &newest, error))
    return false;
  if (!found)
    return true; /* the pull itself says so */
  versions = vtree_refs_versions (pulling->from, spec->name, error);
  if (versions == NULL)
    return false;
  while (below < versions->len && g_array_index (versions, uint64_t, below) < newest)
    below++;
  start = pulling->depth >= below ? 0 : below - (guint) pulling->depth;
  for (guint i = start; i < below; i++) {
    const VtreeRefSpec older = { .name = spec->name,
                                 .has_version = true,
                                 .version = g_array_index (versions, uint64_t, i) };

    if (!pull_version (pulling, &older, error))
      return false;
  }
  return true;
}

/* One that fails does not keep the others. */
static void
pull_ref (Pulling *pulling, const char *text)
{
  g_auto (VtreeRefSpec) spec = { .name = NULL };
  GError *failed = NULL;

  if (vtree_ref_spec_parse (text, false, &spec, &failed)
      && (pulling->depth == 0 || spec.is_digest || pull_older (pulling, &spec, &failed))
      && pull_version (pulling, &spec, &failed))
    return;
  if (pulling->first == NULL) {
    pulling->first = failed;
    return;
  }
  vtree_cli_note (pulling->cli, "%s", failed->message);
  g_error_free (failed);
}

/* All refs there that have a head. */
static bool
pull_all (Pulling *pulling, GError **error)
{
  g_auto (GStrv) names = vtree_refs_list (pulling->from, NULL, error);
  unsigned pulled = 0;

  for (char **name = names; name != NULL && *name != NULL; name++) {
    uint64_t head;
    bool found;

    if (!vtree_refs_head (pulling->from, *name, &found, &head, error))
      return false;
    if (!found) {
      vtree_cli_note (pulling->cli, "%s has no signed version yet: left out", *name);
      continue;
    }
    pull_ref (pulling, *name);
    pulled++;
  }
  if (names == NULL)
    return false;
  return pulled > 0
         || vtree_error_set (error, VTREE_ERROR_MISSING, "%s has no refs to pull",
                             vtree_repo_path (pulling->from));
}

static bool
pull (Pulling *pulling, GError **error)
{
  const VtreeCli *cli = pulling->cli;

  if (cli->json) {
    pulling->json = vtree_json_new (stdout);
    vtree_json_begin_answer (pulling->json);
    vtree_json_begin_array (pulling->json, "pulled");
  }
  if (cli->n_args == 1 && !pull_all (pulling, error))
    return false;
  for (unsigned i = 1; i < cli->n_args; i++)
    pull_ref (pulling, cli->args[i]);
  if (pulling->json != NULL) {
    vtree_json_end_array (pulling->json);
    vtree_json_end_object (pulling->json);
  }
  if (pulling->first == NULL)
    return true;
  g_propagate_error (error, g_steal_pointer (&pulling->first));
  return false;
}

/* --- the verb --------------------------------------------------------------------- */

static bool
parse_depth (const char *text, uint64_t *depth, GError **error)
{
  if (strcmp (text, "-1") == 0) {
    *depth = UINT64_MAX;
    return true;
  }
  return vtree_argument_number ("--depth", text, 0, UINT64_MAX, depth, error);
}

static bool
apply_words (const PullWords *words, Pulling *pulling, GError **error)
{
  VtreePullOptions *options = &pulling->options;

  if (words->depth != NULL && !parse_depth (words->depth, &pulling->depth, error))
    return false;
  if (words->threads != NULL
      && !vtree_argument_threads (words->threads, &options->threads, error))
    return false;
  options->has_verity = words->verity != NULL;
  if (options->has_verity
      && !vtree_argument_verity (words->verity, &options->verity, error))
    return false;
  options->force = words->force != FALSE;
  options->allow_secret = words->allow_secret != FALSE;
  return true;
}

static GArray *
pull_entries (PullWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "depth", 0, 0, G_OPTION_ARG_FILENAME, &words->depth,
          "Also the N versions before it (default: 0; -1: all)", "N" },
        { "force", 0, 0, G_OPTION_ARG_NONE, &words->force,
          "Accept a version that is expired or older than one accepted before", NULL },
        { "allow-secret", 0, 0, G_OPTION_ARG_NONE, &words->allow_secret,
          "Take files that not everybody may read into a shared repository", NULL },
        { "verity", 0, 0, G_OPTION_ARG_FILENAME, &words->verity,
          "Enable fs-verity: auto, require or off (default: the configuration's)",
          "WORD" },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &words->threads,
          "So many workers (default: one a processor)", "N" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_object_words_add (&words->object, entries);
  return entries;
}

/* Nothing is to be made there. */
static VtreeRepo *
open_source (const char *path, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (path, -1);
  GError *failed = NULL;
  VtreeRepo *repo = vtree_repo_open (path, &failed);

  if (!g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING)) {
    if (failed != NULL)
      g_propagate_error (error, failed);
    return repo;
  }
  g_error_free (failed);
  vtree_error_set (error, VTREE_ERROR_MISSING,
                   "%s is no repository; PATH is the directory of one on this machine",
                   escaped);
  return NULL;
}

bool
vtree_verb_pull (VtreeCli *cli, GError **error)
{
  g_auto (PullWords) words = { .depth = NULL };
  g_autoptr (GArray) entries = pull_entries (&words);
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_auto (Pulling) pulling = { .cli = cli };

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !apply_words (&words, &pulling, error)
      || !vtree_object_words_load (&words.object, &signer, error))
    return false;
  pulling.to = vtree_cli_open_own_repo (cli, &pulling.paths, error);
  if (pulling.to == NULL)
    return false;
  pulling.from = open_source (cli->args[0], error);
  if (pulling.from == NULL)
    return false;
  pulling.options.paths = pulling.paths;
  pulling.options.signer = signer;
  pulling.options.wait = cli->wait;
  return pull (&pulling, error)
         && vtree_repacking_consider (cli, pulling.to, signer, error);
}
