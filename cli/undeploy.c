/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree undeploy`: the end of what is deployed. */
#include "cli/deployed.h"
#include "cli/exporting.h"
#include "cli/verbs.h"

#define U64 "%" G_GUINT64_FORMAT

/* A refusal shall leave everything as it was. */
static bool
check_leases (const VtreeDeployment *deployment, GError **error)
{
  for (guint i = 0; i < deployment->versions->len; i++) {
    const VtreeDeployedVersion *version = deployment->versions->pdata[i];

    if (version->leased)
      return vtree_error_set (error, VTREE_ERROR_BUSY,
                              "deployment '%s': version " U64
                              " is running; --force undeploys it all the same",
                              deployment->name, version->origin->version);
  }
  return true;
}

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
  if (!force && !check_leases (deployment, error))
    return false;
  for (guint i = 0; i < deployment->versions->len; i++) {
    const VtreeDeployedVersion *version = deployment->versions->pdata[i];

    if (!vtree_deployed_unmount (deployed, name, version->origin->version, force,
                                 error))
      return false;
  }
  return true;
}

static bool
undeploy (const VtreeDeployed *deployed, const char *name, bool force, GError **error)
{
  if (!unmount_versions (deployed, name, force, error)
      || !vtree_deployments_remove (deployed->all, name, force, error)
      || !vtree_exporting_update (deployed, error))
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
  if (names != NULL && names[0] == NULL)
    vtree_cli_note (deployed->cli, "nothing is deployed");
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
  if ((cli->n_args == 0) == (all == FALSE)) {
    cli->misused = true;
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "either NAME or --all expected");
  }
  if (!vtree_deployed_open (cli, system != FALSE, VTREE_DEPLOYMENTS_CHANGE, &deployed,
                            error))
    return false;
  return all ? undeploy_all (&deployed, force != FALSE, error)
             : undeploy (&deployed, cli->args[0], force != FALSE, error);
}
