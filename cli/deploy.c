/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree deploy`, `vtree upgrade`: a version of a ref becomes the one that is run. */
#include "cli/deployed.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/repacking.h"
#include "cli/verbs.h"

#include <string.h>

#define U64 "%" G_GUINT64_FORMAT
/* As flatpak and rpm-ostree have it. */
#define EXIT_UNCHANGED 77

/* --- deploy ----------------------------------------------------------------------- */

/* One name is one ref of one repository. */
static bool
check_same (const VtreeDeployed *deployed, const char *name, const char *ref,
            GError **error)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (VtreeDeployment) deployment
    = vtree_deployments_load (deployed->all, name, &failed);
  const VtreeDeployedVersion *active;

  if (deployment == NULL) {
    if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING))
      return true;
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  active = deployment->has_active
             ? vtree_deployment_find (deployment, deployment->active)
             : NULL;
  if (active == NULL || strcmp (active->origin->ref, ref) == 0)
    return true;
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "'%s' is deployed from %s: take another name, or `vtree "
                          "undeploy %s` first",
                          name, active->origin->ref, name);
}

static void
print_deployed (const VtreeDeployed *deployed, const char *name,
                const VtreeResolved *resolved)
{
  const VtreeStatement *statement = resolved->statement;
  g_autofree char *files
    = vtree_deployments_files (deployed->all, name, statement->version);
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_cli_note (deployed->cli, "%s is version " U64 " of %s now", name,
                  statement->version, statement->ref);
  if (deployed->cli->json) {
    g_autoptr (VtreeJson) json = vtree_json_new (stdout);

    vtree_json_begin_answer (json);
    vtree_json_add_string (json, "name", name);
    vtree_json_add_string (json, "ref", statement->ref);
    vtree_json_add_uint (json, "version", statement->version);
    vtree_json_add_string (json, "manifest",
                           vtree_digest_format (&resolved->manifest, digest));
    vtree_json_add_bytes (json, "files", files, strlen (files));
    vtree_json_end_object (json);
    return;
  }
  vtree_out_name (files, -1);
  vtree_out_text ("\n");
}

static bool
deploy (const VtreeDeployed *deployed, const VtreeRefSpec *spec, bool force,
        GError **error)
{
  const VtreeCli *cli = deployed->cli;
  const VtreeResolveOptions options
    = { .paths = deployed->paths, .force = force, .raise_mark = true };
  g_autoptr (VtreeRepo) repo = vtree_cli_open_repo (cli, deployed->paths, error);
  g_auto (VtreeFd) lock = -1;
  g_autoptr (VtreeResolved) resolved = NULL;

  if (repo == NULL || !check_same (deployed, cli->args[0], spec->name, error)
      || !vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, cli->wait, &lock, error))
    return false;
  resolved = vtree_deployed_examine (deployed, repo, spec, &options, error);
  if (resolved == NULL
      || !vtree_deployed_install (deployed, cli->args[0], repo, resolved, error))
    return false;
  print_deployed (deployed, cli->args[0], resolved);
  vtree_fd_replace_take (&lock, -1);
  return vtree_repacking_consider (cli, repo, NULL, error);
}

bool
vtree_verb_deploy (VtreeCli *cli, GError **error)
{
  gboolean force = FALSE, system = FALSE;
  const GOptionEntry entries[]
    = { { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Accept a version that is expired or older than one accepted before", NULL },
        { "system", 0, 0, G_OPTION_ARG_NONE, &system,
          "For all users, in /var/lib/vtree/deploy (root's default)", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (VtreeDeployed) deployed = { .cli = NULL };
  g_auto (VtreeRefSpec) spec = { .name = NULL };

  if (!vtree_cli_parse (cli, entries, error)
      || !vtree_deployments_check_name (cli->args[0], error)
      || !vtree_ref_spec_parse (cli->args[1], false, &spec, error))
    return false;
  if (spec.is_digest)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "a ref expected, not a manifest's digest");
  return vtree_deployed_open (cli, system != FALSE, VTREE_DEPLOYMENTS_CHANGE, &deployed,
                              error)
         && deploy (&deployed, &spec, force != FALSE, error);
}

/* --- upgrade ---------------------------------------------------------------------- */

typedef struct {
  VtreeDeployed deployed;
  gboolean check;
  bool named;   /* the person named them */
  bool changed; /* something was newer */
  VtreeJson *json;
  GError *first; /* of those that could not be upgraded */
} Upgrade;

static void
upgrade_clear (Upgrade *upgrade)
{
  g_clear_error (&upgrade->first);
  g_clear_pointer (&upgrade->json, vtree_json_free);
  vtree_deployed_clear (&upgrade->deployed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Upgrade, upgrade_clear)

/* STATE is "upgraded", "available", "current" or "held". */
static void
tell (const Upgrade *upgrade, const VtreeDeployment *deployment, uint64_t newest,
      const char *state)
{
  VtreeJson *json = upgrade->json;

  if (json == NULL)
    return;
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "name", deployment->name);
  vtree_json_add_uint (json, "active", deployment->active);
  vtree_json_add_uint (json, "newest", newest);
  vtree_json_add_string (json, "state", state);
  vtree_json_end_object (json);
}

static bool
move_forward (Upgrade *upgrade, const VtreeDeployment *deployment,
              const VtreeRepo *repo, const VtreeRefSpec *spec, GError **error)
{
  const VtreeResolveOptions options
    = { .paths = upgrade->deployed.paths, .raise_mark = true };
  g_autoptr (VtreeResolved) resolved
    = vtree_deployed_examine (&upgrade->deployed, repo, spec, &options, error);

  if (resolved == NULL
      || !vtree_deployed_install (&upgrade->deployed, deployment->name, repo, resolved,
                                  error))
    return false;
  vtree_cli_note (upgrade->deployed.cli, "%s: from version " U64 " to " U64,
                  deployment->name, deployment->active, resolved->statement->version);
  tell (upgrade, deployment, resolved->statement->version, "upgraded");
  return true;
}

/* The active version, of REPO, is the newest. What kept an older one may have ended. */
static bool
stay (const Upgrade *upgrade, const VtreeDeployment *deployment, const VtreeRepo *repo,
      GError **error)
{
  const VtreeDeployed *deployed = &upgrade->deployed;

  vtree_cli_note (deployed->cli, "%s: version " U64 " is the newest", deployment->name,
                  deployment->active);
  if (upgrade->check || (deployment->held && !upgrade->named))
    return true;
  return vtree_deployments_set_held (deployed->all, deployment->name, false, error)
         && vtree_deployed_prune (deployed, deployment->name, repo, error);
}

/* NEWEST is what the ref resolves to now. */
static bool
consider (Upgrade *upgrade, const VtreeDeployment *deployment, const VtreeRepo *repo,
          const VtreeRefSpec *spec, GError **error)
{
  const VtreeCli *cli = upgrade->deployed.cli;
  const VtreeResolveOptions options = { .paths = upgrade->deployed.paths };
  g_autoptr (VtreeResolved) resolved = vtree_resolve (repo, spec, &options, error);
  uint64_t newest;

  if (resolved == NULL)
    return false;
  newest = resolved->statement->version;
  if (newest <= deployment->active) {
    tell (upgrade, deployment, newest, "current");
    return stay (upgrade, deployment, repo, error);
  }
  upgrade->changed = true;
  if (!upgrade->check)
    return move_forward (upgrade, deployment, repo, spec, error);
  vtree_cli_note (cli, "%s: version " U64 " is there, " U64 " is deployed",
                  deployment->name, newest, deployment->active);
  tell (upgrade, deployment, newest, "available");
  return true;
}

/* From the repository that its active version came from. */
static bool
upgrade_active (Upgrade *upgrade, const VtreeDeployment *deployment, GError **error)
{
  const VtreeDeployOrigin *origin
    = vtree_deployment_find (deployment, deployment->active)->origin;
  const VtreeRefSpec spec = { .name = origin->ref };
  g_autoptr (VtreeRepo) repo
    = vtree_deployed_open_origin (deployment->name, origin, error);
  g_auto (VtreeFd) lock = -1;

  if (repo != NULL
      && vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, upgrade->deployed.cli->wait,
                          &lock, error)
      && consider (upgrade, deployment, repo, &spec, error)) {
    vtree_fd_replace_take (&lock, -1);
    if (upgrade->check
        || vtree_repacking_consider (upgrade->deployed.cli, repo, NULL, error))
      return true;
  }
  g_prefix_error (error, "%s: ", deployment->name);
  return false;
}

static bool
upgrade_one (Upgrade *upgrade, const char *name, GError **error)
{
  const VtreeCli *cli = upgrade->deployed.cli;
  g_autoptr (VtreeDeployment) deployment
    = vtree_deployments_load (upgrade->deployed.all, name, error);

  if (deployment == NULL)
    return false;
  if (!deployment->has_active)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "'%s' has no active version; deploy it again", name);
  if (deployment->held && !upgrade->named) {
    vtree_cli_note (cli,
                    "%s is held at version " U64 " since its rollback; `vtree upgrade "
                    "%s` goes forward again",
                    name, deployment->active, name);
    tell (upgrade, deployment, deployment->active, "held");
    return true;
  }
  return upgrade_active (upgrade, deployment, error);
}

/* One that fails does not keep the others. */
static void
upgrade_name (Upgrade *upgrade, const char *name)
{
  GError *failed = NULL;

  if (upgrade_one (upgrade, name, &failed))
    return;
  if (upgrade->first == NULL) {
    upgrade->first = failed;
    return;
  }
  vtree_cli_note (upgrade->deployed.cli, "%s", failed->message);
  g_error_free (failed);
}

static bool
upgrade_all (Upgrade *upgrade, char **names, GError **error)
{
  if (upgrade->deployed.cli->json) {
    upgrade->json = vtree_json_new (stdout);
    vtree_json_begin_answer (upgrade->json);
    vtree_json_begin_array (upgrade->json, "deployments");
  }
  for (char **name = names; *name != NULL; name++)
    upgrade_name (upgrade, *name);
  if (upgrade->json != NULL) {
    vtree_json_end_array (upgrade->json);
    vtree_json_end_object (upgrade->json);
  }
  if (upgrade->first == NULL)
    return true;
  g_propagate_error (error, g_steal_pointer (&upgrade->first));
  return false;
}

bool
vtree_verb_upgrade (VtreeCli *cli, GError **error)
{
  gboolean system = FALSE, unchanged_exit = FALSE;
  g_auto (Upgrade) upgrade = { .check = FALSE };
  const GOptionEntry entries[]
    = { { "check", 0, 0, G_OPTION_ARG_NONE, &upgrade.check,
          "Only say what is newer, change nothing", NULL },
        { "unchanged-exit-77", 0, 0, G_OPTION_ARG_NONE, &unchanged_exit,
          "Exit with 77 where nothing was newer", NULL },
        { "system", 0, 0, G_OPTION_ARG_NONE, &system,
          "Those of the system, in /var/lib/vtree/deploy (root's default)", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (GStrv) all = NULL;
  VtreeDeploymentsMode mode;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  mode = upgrade.check ? VTREE_DEPLOYMENTS_LOOK : VTREE_DEPLOYMENTS_CHANGE;
  upgrade.named = cli->n_args > 0;
  if (!vtree_deployed_open (cli, system != FALSE, mode, &upgrade.deployed, error))
    return false;
  all = upgrade.named ? g_strdupv (cli->args)
                      : vtree_deployments_list (upgrade.deployed.all, error);
  if (all == NULL || !upgrade_all (&upgrade, all, error))
    return false;
  if (all[0] == NULL)
    vtree_cli_note (cli, "nothing is deployed");
  if (unchanged_exit && !upgrade.changed)
    cli->status = EXIT_UNCHANGED;
  return true;
}
