/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree log` and `vtree show`: versions of a ref, looked at and judged, none
 * changed. */
#include "cli/output.h"
#include "cli/release.h"
#include "cli/verbs.h"

/* What both verbs open. */
typedef struct {
  VtreePaths *paths;
  VtreeRepo *repo;
  VtreeTrust *trust;
  VtreeRefSpec spec;
  VtreeReleaseSource source;
} History;

static void
history_clear (History *history)
{
  vtree_ref_spec_clear (&history->spec);
  g_clear_pointer (&history->trust, vtree_trust_free);
  g_clear_pointer (&history->repo, vtree_repo_free);
  g_clear_pointer (&history->paths, vtree_paths_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (History, history_clear)

static bool
history_open (const VtreeCli *cli, History *history, GError **error)
{
  if (!vtree_ref_spec_parse (cli->args[0], false, &history->spec, error))
    return false;
  if (history->spec.is_digest)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "show %s: a manifest has no statement; name a ref",
                            cli->args[0]);
  history->paths = vtree_paths_new (error);
  if (history->paths == NULL)
    return false;
  history->repo = vtree_cli_open_repo (cli, history->paths, error);
  if (history->repo == NULL)
    return false;
  history->trust = vtree_trust_load (history->paths, NULL, error);
  history->source = (VtreeReleaseSource){ .repo = history->repo,
                                          .paths = history->paths,
                                          .trust = history->trust };
  return history->trust != NULL;
}

/* "label: text", TEXT escaped: a statement that nobody vouches for can hold
 * anything. */
static void
print_line (const char *label, const char *text)
{
  g_autofree char *escaped = vtree_error_escape (text, -1);

  vtree_out_print ("%s: %s\n", label, escaped);
}

static void
print_verdict (const VtreeRelease *release)
{
  g_autofree char *text = NULL;

  if (release->accepted != NULL)
    text = vtree_release_describe_signer (release->accepted);
  if (text != NULL)
    print_line ("signed by", text);
  else if (release->sig == NULL)
    vtree_out_text ("unsigned\n");
  else
    print_line ("not accepted", release->verdict->message);
}

static void
print_time (const char *label, int64_t seconds)
{
  g_autofree char *text = seconds != 0 ? vtree_time_format (seconds) : NULL;

  if (text != NULL)
    print_line (label, text);
}

static void
print_log_entry (const VtreeRelease *release, bool is_head, bool first)
{
  const VtreeStatement *statement = release->statement;
  char digest[VTREE_DIGEST_TEXT_MAX];
  const char *message;

  vtree_out_print ("%sversion: %" G_GUINT64_FORMAT "%s\n", first ? "" : "\n",
                   release->version, is_head ? " (head)" : "");
  print_verdict (release);
  if (statement == NULL) {
    vtree_out_text ("malformed statement\n");
    return;
  }
  print_line ("manifest", vtree_digest_format (&statement->manifest, digest));
  print_time ("created", statement->created);
  print_time ("expires", statement->expires);
  message = vtree_statement_extra (statement, "x-message");
  if (message != NULL)
    print_line ("message", message);
}

static void
add_log_json (const VtreeRelease *release, bool is_head, VtreeJson *json)
{
  vtree_json_begin_object (json, NULL);
  vtree_release_add_verdict_json (release, json);
  vtree_json_add_bool (json, "head", is_head);
  vtree_json_add_bool (json, "signed", release->sig != NULL);
  vtree_release_add_statement_json (release, json);
  vtree_json_end_object (json);
}

static bool
list_versions (const History *history, const GArray *versions, VtreeJson *json,
               GError **error)
{
  uint64_t head = 0;
  bool found;

  if (!vtree_refs_head (history->repo, history->spec.name, &found, &head, error))
    return false;
  for (guint i = versions->len; i > 0; i--) {
    g_auto (VtreeRelease) release = { .name = NULL };
    VtreeRefSpec spec = { .name = history->spec.name, .has_version = true };
    bool is_head;

    spec.version = g_array_index (versions, uint64_t, i - 1);
    is_head = found && spec.version == head;
    if (!vtree_release_load (&history->source, &spec, spec.version, &release, error))
      return false;
    if (json != NULL)
      add_log_json (&release, is_head, json);
    else
      print_log_entry (&release, is_head, i == versions->len);
  }
  return true;
}

static const GOptionEntry no_entries[]
  = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

bool
vtree_verb_log (VtreeCli *cli, GError **error)
{
  g_auto (History) history = { .paths = NULL };
  g_autoptr (GArray) versions = NULL;
  g_autoptr (VtreeJson) json = NULL;

  if (!vtree_cli_parse (cli, no_entries, error) || !history_open (cli, &history, error))
    return false;
  if (history.spec.has_version)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "list %s: a ref without a version expected", cli->args[0]);
  versions = vtree_refs_versions (history.repo, history.spec.name, error);
  if (versions == NULL)
    return false;
  if (!cli->json)
    return list_versions (&history, versions, NULL, error);
  json = vtree_json_new (stdout);
  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "ref", history.spec.name);
  vtree_json_begin_array (json, "versions");
  if (!list_versions (&history, versions, json, error))
    return false;
  vtree_json_end_array (json);
  vtree_json_end_object (json);
  return true;
}

/* The statement as it stands, if it is one, and each signature line with what it is
 * worth. */
static void
print_show (const VtreeRelease *release, const VtreeTrust *trust)
{
  gsize size;
  const char *text = g_bytes_get_data (release->root, &size);
  size_t count
    = release->signatures != NULL ? vtree_signatures_count (release->signatures) : 0;
  char id[VTREE_KEY_ID_TEXT_MAX];

  if (release->statement != NULL)
    vtree_out_name (text, (gssize) size);
  else
    vtree_out_text ("malformed statement\n");
  for (size_t i = 0; i < count; i++) {
    const VtreeSignatureLine *line = vtree_signatures_peek (release->signatures, i);
    g_autofree char *reason = NULL;
    bool good = vtree_release_judge_line (release, trust, line, &reason);

    vtree_out_print ("signature: %s %s %s%s\n", line->kind,
                     vtree_key_id_format (&line->id, id),
                     good ? "good" : "not good: ", good ? "" : reason);
  }
  if (release->accepted == NULL && release->sig == NULL)
    vtree_out_text ("not accepted: unsigned\n");
  else
    print_verdict (release);
}

static void
print_show_json (const VtreeRelease *release, const VtreeTrust *trust)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);
  size_t count
    = release->signatures != NULL ? vtree_signatures_count (release->signatures) : 0;
  char id[VTREE_KEY_ID_TEXT_MAX];

  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "ref", release->name);
  vtree_release_add_verdict_json (release, json);
  vtree_release_add_statement_json (release, json);
  vtree_json_begin_array (json, "signatures");
  for (size_t i = 0; i < count; i++) {
    const VtreeSignatureLine *line = vtree_signatures_peek (release->signatures, i);
    g_autofree char *reason = NULL;

    vtree_json_begin_object (json, NULL);
    vtree_json_add_string (json, "kind", line->kind);
    vtree_json_add_string (json, "key", vtree_key_id_format (&line->id, id));
    vtree_json_add_bool (json, "good",
                         vtree_release_judge_line (release, trust, line, &reason));
    vtree_json_add_string (json, "reason", reason);
    vtree_json_end_object (json);
  }
  vtree_json_end_array (json);
  vtree_json_end_object (json);
}

bool
vtree_verb_show (VtreeCli *cli, GError **error)
{
  g_auto (History) history = { .paths = NULL };
  g_auto (VtreeRelease) release = { .name = NULL };
  uint64_t version;

  if (!vtree_cli_parse (cli, no_entries, error) || !history_open (cli, &history, error))
    return false;
  version = history.spec.version;
  if (!history.spec.has_version
      && !vtree_release_default_version (history.repo, history.spec.name, &version,
                                         error))
    return false;
  if (!vtree_release_load (&history.source, &history.spec, version, &release, error))
    return false;
  if (cli->json)
    print_show_json (&release, history.trust);
  else
    print_show (&release, history.trust);
  return true;
}
