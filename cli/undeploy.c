/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree undeploy` and `vtree list`: what is deployed, and its end. */
#include "cli/deployed.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/statement.h"

#include <string.h>

#define U64 "%" G_GUINT64_FORMAT

/* --- undeploy --------------------------------------------------------------------- */

/* Idle mounts of a deployment that can be read; for one that can't --force has to
 * do. */
static bool
unmount_versions (const VtreeDeployed *deployed, const char *name, bool force,
                  GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (VtreeDeployment) deployment
    = vtree_deployments_load (deployed->all, name, &failed);

  if (deployment == NULL && force
      && g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT))
    return true;
  if (deployment == NULL) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  for (guint i = 0; i < deployment->versions->len; i++) {
    const VtreeDeployedVersion *version = deployment->versions->pdata[i];

    if (!vtree_deployed_unmount (deployed, name, version->origin->version, force,
                                 error))
      return false;
  }
  return true;
}

/* Leases first: a refusal shall leave everything as it was. */
static bool
check_leases (const VtreeDeployed *deployed, const char *name, GError **error)
{
  g_autoptr (VtreeDeployment) deployment
    = vtree_deployments_load (deployed->all, name, error);

  for (guint i = 0; deployment != NULL && i < deployment->versions->len; i++) {
    const VtreeDeployedVersion *version = deployment->versions->pdata[i];

    if (version->leased)
      return vtree_error_set (error, VTREE_ERROR_BUSY,
                              "undeploy '%s': version " U64
                              " is running; --force undeploys it all the same",
                              name, version->origin->version);
  }
  return deployment != NULL;
}

static bool
undeploy (const VtreeDeployed *deployed, const char *name, bool force, GError **error)
{
  if ((!force && !check_leases (deployed, name, error))
      || !unmount_versions (deployed, name, force, error)
      || !vtree_deployments_remove (deployed->all, name, force, error))
    return false;
  vtree_cli_note (deployed->cli, "%s is deployed no more; `vtree gc` frees the space",
                  name);
  return true;
}

/* One that fails does not keep the others. */
static bool
undeploy_all (const VtreeDeployed *deployed, bool force, GError **error)
{
  g_auto (GStrv) names = vtree_deployments_list (deployed->all, error);
  g_autoptr (GError) first = NULL;

  for (char **name = names; name != NULL && *name != NULL; name++) {
    g_autoptr (GError) failed = NULL;

    if (undeploy (deployed, *name, force, &failed))
      continue;
    if (first == NULL)
      first = g_steal_pointer (&failed);
    else
      vtree_cli_note (deployed->cli, "%s", failed->message);
  }
  if (first == NULL)
    return names != NULL;
  g_propagate_error (error, g_steal_pointer (&first));
  return false;
}

bool
vtree_verb_undeploy (VtreeCli *cli, GError **error)
{
  gboolean all = FALSE, force = FALSE, system = FALSE;
  const GOptionEntry entries[]
    = { { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "All deployments", NULL },
        { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Also what is running, or can't be read", NULL },
        { "system", 0, 0, G_OPTION_ARG_NONE, &system,
          "Those of the system, in /var/lib/vtree/deploy (root's default)", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (VtreeDeployed) deployed = { .cli = NULL };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if ((cli->n_args == 0) == (all == FALSE))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "either NAME or --all expected");
  if (!vtree_deployed_open (cli, system != FALSE, VTREE_DEPLOYMENTS_CHANGE, &deployed,
                            error))
    return false;
  return all ? undeploy_all (&deployed, force != FALSE, error)
             : undeploy (&deployed, cli->args[0], force != FALSE, error);
}

/* --- list ------------------------------------------------------------------------- */

/* What there is to say of one version. */
typedef struct {
  bool active, held, pinned, running, mounted;
} State;

static bool
find_state (const VtreeDeployed *deployed, const VtreeDeployment *deployment,
            const VtreeDeployedVersion *version, State *state, GError **error)
{
  state->active
    = deployment->has_active && deployment->active == version->origin->version;
  state->held = state->active && deployment->held;
  state->pinned = version->pinned;
  state->running = version->leased;
  return vtree_deployed_is_mounted (deployed, deployment->name,
                                    version->origin->version, &state->mounted, error);
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
                { state->mounted, "mounted" } };
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

static void
add_json (const char *name, const VtreeDeployOrigin *origin, const State *state,
          const char *files, VtreeJson *json)
{
  char digest[VTREE_DIGEST_TEXT_MAX], key[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *deployed = vtree_time_format (origin->deployed);

  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "name", name);
  vtree_json_add_uint (json, "version", origin->version);
  vtree_json_add_string (json, "ref", origin->ref);
  vtree_json_add_bytes (json, "repository", origin->repository,
                        strlen (origin->repository));
  vtree_json_add_string (json, "manifest",
                         vtree_digest_format (&origin->manifest, digest));
  vtree_json_add_string (json, "signed_by", vtree_key_id_format (&origin->key, key));
  vtree_json_add_string (json, "deployed", deployed);
  vtree_json_add_bytes (json, "files", files, strlen (files));
  vtree_json_add_bool (json, "active", state->active);
  vtree_json_add_bool (json, "held", state->held);
  vtree_json_add_bool (json, "pinned", state->pinned);
  vtree_json_add_bool (json, "running", state->running);
  vtree_json_add_bool (json, "mounted", state->mounted);
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

    if (!find_state (deployed, deployment, version, &state, error))
      return false;
    if (json != NULL)
      add_json (name, version->origin, &state, files, json);
    else
      print_text (name, version->origin, &state);
  }
  return deployment != NULL;
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
  for (char **name = names; *name != NULL; name++) {
    g_autoptr (GError) failed = NULL;

    if (!list_name (deployed, *name, json, &failed) && first == NULL)
      first = g_steal_pointer (&failed);
    else if (failed != NULL)
      vtree_cli_note (deployed->cli, "%s", failed->message);
  }
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
