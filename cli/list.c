/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree list`: what is deployed, and what it runs on. */
#include "cli/deployed.h"
#include "cli/json.h"
#include "cli/mounter.h"
#include "cli/mounts.h"
#include "cli/output.h"
#include "cli/runtimes.h"
#include "cli/verbs.h"
#include "core/mounts.h"
#include "manifest/statement.h"

#include <string.h>

#define U64 "%" G_GUINT64_FORMAT

/* What there is to say of one version. */
typedef struct {
  bool active, held, pinned, running, mounted, dead;
} State;

/* Whether it is mounted on FILES, and by a daemon that lives. */
static bool
find_mounted (const char *files, State *state, GError **error)
{
  g_autofree char *real = vtree_mounts_canonical (files, error);
  g_autoptr (GPtrArray) mounts = real != NULL ? vtree_mounts_list (error) : NULL;

  if (mounts == NULL)
    return false;
  state->mounted = vtree_mounts_find (mounts, real) != NULL;
  state->dead = state->mounted && vtree_mounts_is_dead (real);
  return true;
}

static bool
find_state (const VtreeDeployment *deployment, const VtreeDeployedVersion *version,
            const char *files, State *state, GError **error)
{
  state->active
    = deployment->has_active && deployment->active == version->origin->version;
  state->held = state->active && deployment->held;
  state->pinned = version->pinned;
  state->running = version->leased;
  return find_mounted (files, state, error);
}

/* "active,pinned", or "-". */
static char *
join_state (const State *state)
{
  const struct {
    bool is;
    const char *word;
  } words[] = { { state->active, "active" },
                { state->held, "held" },
                { state->pinned, "pinned" },
                { state->running, "running" },
                { state->mounted && !state->dead, "mounted" },
                { state->dead, "dead" } };
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    if (words[i].is)
      g_string_append_printf (text, "%s%s", text->len > 0 ? "," : "", words[i].word);
  if (text->len == 0)
    g_string_append_c (text, '-');
  return g_string_free (text, FALSE);
}

static void
print_text (const char *name, const VtreeDeployOrigin *origin, const State *state)
{
  g_autofree char *words = join_state (state);
  g_autofree char *deployed = vtree_time_format (origin->deployed);

  vtree_out_print ("%s " U64 " %s %s %s\n", name, origin->version, words, origin->ref,
                   deployed);
}

/* What deployments and runtimes have. */
static void
add_common (const VtreeDeployOrigin *origin, const State *state, const char *files,
            VtreeJson *json)
{
  char digest[VTREE_DIGEST_TEXT_MAX], key[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *deployed = vtree_time_format (origin->deployed);

  vtree_json_add_uint (json, "version", origin->version);
  vtree_json_add_string (json, "ref", origin->ref);
  vtree_json_add_bytes (json, "repository", origin->repository,
                        strlen (origin->repository));
  vtree_json_add_string (json, "manifest",
                         vtree_digest_format (&origin->manifest, digest));
  vtree_json_add_string (json, "signed_by", vtree_key_id_format (&origin->key, key));
  vtree_json_add_string (json, "deployed", deployed);
  vtree_json_add_bytes (json, "files", files, strlen (files));
  vtree_json_add_bool (json, "running", state->running);
  vtree_json_add_bool (json, "mounted", state->mounted);
  vtree_json_add_bool (json, "dead", state->dead);
}

static void
add_json (const char *name, const VtreeDeployOrigin *origin, const State *state,
          const char *files, VtreeJson *json)
{
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "name", name);
  add_common (origin, state, files, json);
  vtree_json_add_bool (json, "active", state->active);
  vtree_json_add_bool (json, "held", state->held);
  vtree_json_add_bool (json, "pinned", state->pinned);
  vtree_json_end_object (json);
}

static bool
list_name (const VtreeDeployed *deployed, const char *name, VtreeJson *json,
           GError **error)
{
  g_autoptr (VtreeDeployment) deployment
    = vtree_deployments_load (deployed->all, name, error);

  for (guint i = 0; deployment != NULL && i < deployment->versions->len; i++) {
    const VtreeDeployedVersion *version = deployment->versions->pdata[i];
    g_autofree char *files
      = vtree_deployments_files (deployed->all, name, version->origin->version);
    State state;

    if (!find_state (deployment, version, files, &state, error))
      return false;
    if (json != NULL)
      add_json (name, version->origin, &state, files, json);
    else
      print_text (name, version->origin, &state);
  }
  return deployment != NULL;
}

/* As vtree_runtimes_each() wants it: one has no name, and only matters in use. */
static bool
list_runtime (void *data, const VtreeRuntimeState *runtime, GError **error)
{
  VtreeJson *json = data;
  State state = { .running = runtime->running };

  if (!find_mounted (runtime->files, &state, error))
    return false;
  if (!state.running && !state.mounted)
    return true;
  if (json == NULL) {
    print_text ("-", runtime->origin, &state);
    return true;
  }
  vtree_json_begin_object (json, NULL);
  add_common (runtime->origin, &state, runtime->files, json);
  vtree_json_end_object (json);
  return true;
}

/* All of NAMES; the *FIRST that can't be read does not keep the others. */
static void
list_names (const VtreeDeployed *deployed, char **names, VtreeJson *json,
            GError **first)
{
  for (char **name = names; *name != NULL; name++) {
    g_autoptr (GError) failed = NULL;

    if (!list_name (deployed, *name, json, &failed) && *first == NULL)
      *first = g_steal_pointer (&failed);
    else if (failed != NULL)
      vtree_cli_note (deployed->cli, "%s", failed->message);
  }
}

static bool
list (const VtreeDeployed *deployed, GError **error)
{
  g_auto (GStrv) names = vtree_deployments_list (deployed->all, error);
  g_autoptr (VtreeJson) json = deployed->cli->json ? vtree_json_new (stdout) : NULL;
  g_autoptr (GError) first = NULL;

  if (names == NULL)
    return false;
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "deployments");
  }
  list_names (deployed, names, json, &first);
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_begin_array (json, "runtimes");
  }
  /* The first error is the one that is told. */
  vtree_runtimes_each (deployed, list_runtime, json, first == NULL ? &first : NULL);
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  if (first == NULL)
    return true;
  g_propagate_error (error, g_steal_pointer (&first));
  return false;
}

bool
vtree_verb_list (VtreeCli *cli, GError **error)
{
  gboolean system = FALSE;
  const GOptionEntry entries[]
    = { { "system", 0, 0, G_OPTION_ARG_NONE, &system,
          "Those of the system, in /var/lib/vtree/deploy (root's default)", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (VtreeDeployed) deployed = { .cli = NULL };

  return vtree_cli_parse (cli, entries, error)
         && vtree_deployed_open (cli, system != FALSE, VTREE_DEPLOYMENTS_LOOK,
                                 &deployed, error)
         && list (&deployed, error);
}
