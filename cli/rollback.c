/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree rollback`, `pin`, `unpin`: which of the deployed versions is run, and kept. */
#include "cli/argument.h"
#include "cli/deployed.h"
#include "cli/exporting.h"
#include "cli/json.h"
#include "cli/verbs.h"

#include <time.h>

#define U64 "%" G_GUINT64_FORMAT

/* --- rollback --------------------------------------------------------------------- */

/* The newest version before the active one. */
static bool
find_older (const VtreeDeployment *deployment, uint64_t *version, GError **error)
{
  for (guint i = deployment->versions->len; i-- > 0;) {
    const VtreeDeployedVersion *candidate = deployment->versions->pdata[i];

    *version = candidate->origin->version;
    if (!deployment->has_active || *version < deployment->active)
      return true;
  }
  return vtree_error_set (
    error, VTREE_ERROR_MISSING,
    "'%s' has no older version; `vtree deploy %s %s@VERSION` deploys one that the "
    "repository still has",
    deployment->name, deployment->name,
    deployment->has_active
      ? vtree_deployment_find (deployment, deployment->active)->origin->ref
      : "REF");
}

/* What was deployed is the user's own choice, also when it has expired; that it is what
 * it was is not. */
static bool
check_version (const VtreeDeployed *deployed, const char *name,
               const VtreeDeployOrigin *origin, GError **error)
{
  const VtreeRefSpec spec
    = { .name = origin->ref, .has_version = true, .version = origin->version };
  const VtreeResolveOptions options
    = { .paths = deployed->paths, .digest = &origin->manifest, .force = true };
  g_autoptr (VtreeRepo) repo = vtree_deployed_open_origin (name, origin, error);
  g_auto (VtreeFd) lock = -1;
  g_autoptr (VtreeResolved) resolved = NULL;

  if (repo == NULL
      || !vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, deployed->cli->wait, &lock,
                           error))
    return false;
  resolved = vtree_deployed_examine (deployed, repo, &spec, &options, error);
  if (resolved == NULL)
    return false;
  if (resolved->statement->expires != 0 && resolved->statement->expires <= time (NULL))
    vtree_cli_note (deployed->cli, "version " U64 " of %s has expired since",
                    origin->version, origin->ref);
  return true;
}

static void
print_json (const VtreeDeployment *deployment, uint64_t version, bool held)
{
  g_autoptr (VtreeJson) json = vtree_json_new (stdout);

  vtree_json_begin_answer (json);
  vtree_json_add_string (json, "name", deployment->name);
  vtree_json_add_uint (json, "from", deployment->active);
  vtree_json_add_uint (json, "to", version);
  vtree_json_add_bool (json, "held", held);
  vtree_json_end_object (json);
}

/* Held unless it is the newest one that is there. */
static bool
is_newest (const VtreeDeployment *deployment, uint64_t version)
{
  const VtreeDeployedVersion *last
    = deployment->versions->pdata[deployment->versions->len - 1];

  return last->origin->version == version;
}

static bool
roll_back (const VtreeDeployed *deployed, const VtreeDeployment *deployment,
           uint64_t version, GError **error)
{
  const VtreeCli *cli = deployed->cli;
  const VtreeDeployedVersion *found = vtree_deployment_find (deployment, version);
  bool held;

  if (found == NULL)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "version " U64 " of '%s' is not deployed; see `vtree list`",
                            version, deployment->name);
  held = !is_newest (deployment, version);
  if (!check_version (deployed, deployment->name, found->origin, error)) {
    g_prefix_error (error, "%s: version " U64 ": ", deployment->name, version);
    return false;
  }
  /* Held first: no upgrade comes in between. */
  if (!vtree_deployments_set_held (deployed->all, deployment->name, held, error)
      || !vtree_exporting_switch (deployed, deployment->name, version, error))
    return false;
  vtree_cli_note (cli, "%s: from version " U64 " to " U64 "%s", deployment->name,
                  deployment->active, version,
                  held ? "; a bare `vtree upgrade` leaves it there" : "");
  if (cli->json)
    print_json (deployment, version, held);
  return true;
}

/* The verb's words: NAME's deployment, and *VERSION if one was said. */
static VtreeDeployment *
open_named (VtreeCli *cli, VtreeDeployed *deployed, uint64_t *version, GError **error)
{
  gboolean system = FALSE;
  const GOptionEntry entries[]
    = { { "system", 0, 0, G_OPTION_ARG_NONE, &system,
          "A deployment of the system, in /var/lib/vtree/deploy (root's default)",
          NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

  if (!vtree_cli_parse (cli, entries, error)
      || (cli->n_args == 2
          && !vtree_argument_number ("VERSION", cli->args[1], 1, UINT64_MAX, version,
                                     error))
      || !vtree_deployed_open (cli, system != FALSE, VTREE_DEPLOYMENTS_CHANGE, deployed,
                               error))
    return NULL;
  return vtree_deployments_load (deployed->all, cli->args[0], error);
}

bool
vtree_verb_rollback (VtreeCli *cli, GError **error)
{
  g_auto (VtreeDeployed) deployed = { .cli = NULL };
  uint64_t version = 0;
  g_autoptr (VtreeDeployment) deployment = open_named (cli, &deployed, &version, error);

  return deployment != NULL
         && (cli->n_args == 2 || find_older (deployment, &version, error))
         && roll_back (&deployed, deployment, version, error);
}

/* --- pin, unpin ------------------------------------------------------------------- */

static bool
set_pinned (VtreeCli *cli, bool pinned, GError **error)
{
  g_auto (VtreeDeployed) deployed = { .cli = NULL };
  uint64_t version = 0;
  g_autoptr (VtreeDeployment) deployment = open_named (cli, &deployed, &version, error);

  if (deployment == NULL)
    return false;
  if (cli->n_args < 2 && !deployment->has_active)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "'%s' has no active version; deploy it again",
                            cli->args[0]);
  if (cli->n_args < 2)
    version = deployment->active;
  if (!vtree_deployments_set_pinned (deployed.all, cli->args[0], version, pinned,
                                     error))
    return false;
  vtree_cli_note (cli, "version " U64 " of %s %s", version, cli->args[0],
                  pinned ? "stays until it is unpinned" : "may go");
  return true;
}

bool
vtree_verb_pin (VtreeCli *cli, GError **error)
{
  return set_pinned (cli, true, error);
}

bool
vtree_verb_unpin (VtreeCli *cli, GError **error)
{
  return set_pinned (cli, false, error);
}
