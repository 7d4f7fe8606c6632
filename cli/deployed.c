/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the order of a deployment: see doc/deployments.md. */
#include "cli/deployed.h"

#include "cli/exporting.h"
#include "cli/mounts.h"
#include "cli/runtimes.h"
#include "manifest/check.h"
#include "manifest/reach.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define U64 "%" G_GUINT64_FORMAT

void
vtree_deployed_clear (VtreeDeployed *deployed)
{
  g_clear_pointer (&deployed->all, vtree_deployments_free);
  g_clear_pointer (&deployed->paths, vtree_paths_free);
}

/* What one that was killed left, and runtimes that are idle. If that fails, it is not
 * this verb's failure. */
static void
repair (const VtreeDeployed *deployed)
{
  g_autoptr (GError) failed = NULL;

  if (!vtree_deployments_clean (deployed->all, &failed)
      || !vtree_exporting_update (deployed, &failed)
      || !vtree_runtimes_clean (deployed, &failed))
    vtree_cli_note (deployed->cli, "%s", failed->message);
}

bool
vtree_deployed_open (const VtreeCli *cli, bool system, VtreeDeploymentsMode mode,
                     VtreeDeployed *deployed, GError **error)
{
  g_autoptr (VtreePaths) root = vtree_paths_new_for_system ("");
  const char *dir;

  if (system && mode == VTREE_DEPLOYMENTS_CHANGE && geteuid () != 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--system: only root changes the system's deployments");
  deployed->cli = cli;
  deployed->system = system || geteuid () == 0;
  deployed->paths = vtree_paths_new (error);
  if (deployed->paths == NULL)
    return false;
  dir = vtree_paths_deploy (system ? root : deployed->paths);
  deployed->all = vtree_deployments_open (dir, mode, cli->wait, error);
  if (deployed->all != NULL && mode == VTREE_DEPLOYMENTS_CHANGE)
    repair (deployed);
  return deployed->all != NULL;
}

bool
vtree_deployed_has (const char *dir, const char *name)
{
  g_autoptr (GError) failed = NULL;
  g_autoptr (VtreeDeployments) all
    = vtree_deployments_open (dir, VTREE_DEPLOYMENTS_LOOK, 0, &failed);
  g_autoptr (VtreeDeployment) found
    = all != NULL ? vtree_deployments_load (all, name, &failed) : NULL;

  return found != NULL || !g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING);
}

/* --- is it whole? ----------------------------------------------------------------- */

/* VtreeStoreEach; CONTEXT is the store. */
static bool
check_present (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  uint64_t there;
  bool found;

  if (!vtree_store_find (context, digest, &found, &there, error))
    return false;
  vtree_digest_format (digest, text);
  if (!found)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "object %s is missing; `vtree fsck` shows what it is",
                            text);
  return there == size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "object %s has " U64 " bytes, not " U64
                             "; `vtree fsck` shows what it is",
                             text, there, size);
}

static bool
check_whole (const VtreeRepo *repo, const VtreeResolved *resolved, GError **error)
{
  g_autoptr (VtreeStore) store = vtree_store_new (repo, error);
  g_autoptr (VtreeView) view = NULL;

  if (store == NULL)
    return false;
  view = vtree_resolved_open (resolved, store, VTREE_VERITY_AUTO, error);
  return view != NULL && vtree_check_manifest (view, error)
         && vtree_reach_foreach (view, check_present, store, error);
}

VtreeResolved *
vtree_deployed_examine (const VtreeDeployed *deployed, const VtreeRepo *repo,
                        const VtreeRefSpec *spec, const VtreeResolveOptions *options,
                        GError **error)
{
  VtreeResolveOptions look = *options;
  g_autoptr (VtreeResolved) resolved = NULL;

  /* A mark is raised for what turns out to be whole alone. */
  look.raise_mark = false;
  resolved = vtree_resolve (repo, spec, &look, error);
  if (resolved == NULL || !check_whole (repo, resolved, error))
    return NULL;
  /* Who goes back to what is deployed knows that it is older. */
  if (!options->raise_mark)
    return g_steal_pointer (&resolved);
  if (!vtree_resolved_raise_mark (resolved, options, error))
    return NULL;
  for (guint i = 0; i < resolved->notes->len; i++)
    vtree_cli_note (deployed->cli, "%s", (const char *) resolved->notes->pdata[i]);
  return g_steal_pointer (&resolved);
}

VtreeRepo *
vtree_deployed_open_origin (const char *name, const VtreeDeployOrigin *origin,
                            GError **error)
{
  g_autofree char *escaped = vtree_error_escape (origin->repository, -1);
  GError *failed = NULL;
  VtreeRepo *repo = vtree_repo_open (origin->repository, &failed);

  if (repo != NULL)
    return repo;
  if (!g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING)) {
    g_propagate_error (error, failed);
    return NULL;
  }
  g_error_free (failed);
  vtree_error_set (error, VTREE_ERROR_MISSING,
                   "the repository that it was deployed from, %s, is gone; bring it "
                   "back, or `vtree --repo=DIR deploy %s %s` from another",
                   escaped, name, origin->ref);
  return NULL;
}

/* --- mounts ----------------------------------------------------------------------- */

/* The mount of VERSION in MOUNTS, or NULL. */
static const VtreeMount *
find_mount (const VtreeDeployed *deployed, const char *name, uint64_t version,
            const GPtrArray *mounts)
{
  g_autofree char *files = vtree_deployments_files (deployed->all, name, version);
  g_autofree char *real = vtree_mounts_canonical (files, NULL);

  return real != NULL ? vtree_mounts_find (mounts, real) : NULL;
}

bool
vtree_deployed_unmount (const VtreeDeployed *deployed, const char *name,
                        uint64_t version, bool force, GError **error)
{
  g_autoptr (GPtrArray) mounts = vtree_mounts_list (error);
  const VtreeMount *mount;

  if (mounts == NULL)
    return false;
  mount = find_mount (deployed, name, version, mounts);
  return mount == NULL || vtree_mounts_unmount (mount, force, error);
}

/* --- installing ------------------------------------------------------------------- */

static bool
load_keep (const VtreeRepo *repo, unsigned *keep, GError **error)
{
  g_autofree char *text = vtree_repo_config_get (repo, "keep", error);

  if (text == NULL)
    return false;
  *keep = (unsigned) MAX (g_ascii_strtoull (text, NULL, 10), 1);
  return true;
}

bool
vtree_deployed_install (const VtreeDeployed *deployed, const char *name,
                        const VtreeRepo *repo, const VtreeResolved *resolved,
                        GError **error)
{
  const VtreeStatement *statement = resolved->statement;
  const VtreeSeal seal = vtree_repo_seal (repo);
  char *path = realpath (vtree_repo_path (repo), NULL);
  const VtreeDeployOrigin origin
    = { .repository = path != NULL ? path : (char *) vtree_repo_path (repo),
        .ref = statement->ref,
        .version = statement->version,
        .manifest = resolved->manifest,
        .size = resolved->manifest_size,
        .key = resolved->key,
        .deployed = time (NULL) };
  g_autoptr (VtreeExports) exports
    = vtree_exporting_collect (deployed, name, repo, resolved, error);
  bool ok
    = exports != NULL
      && vtree_deployments_add (deployed->all, name, &origin, exports, &seal, error)
      && vtree_exporting_switch (deployed, name, statement->version, error)
      && vtree_deployments_set_held (deployed->all, name, false, error)
      && vtree_deployed_prune (deployed, name, repo, error);

  free (path);
  return ok;
}

/* Removes one that nobody needs, unless it is in use after all. */
static bool
prune_version (const VtreeDeployed *deployed, const char *name, uint64_t version,
               GError **error)
{
  GError *failed = NULL;

  if (vtree_deployed_unmount (deployed, name, version, false, &failed)
      && vtree_deployments_remove_version (deployed->all, name, version, &failed)) {
    vtree_cli_note (deployed->cli, "removed version " U64 " of %s", version, name);
    return true;
  }
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY)) {
    g_clear_error (&failed);
    return true;
  }
  g_propagate_error (error, failed);
  return false;
}

bool
vtree_deployed_prune (const VtreeDeployed *deployed, const char *name,
                      const VtreeRepo *repo, GError **error)
{
  g_autoptr (VtreeDeployment) deployment
    = vtree_deployments_load (deployed->all, name, error);
  unsigned keep, kept = 1; /* the active one */

  if (deployment == NULL || !load_keep (repo, &keep, error))
    return false;
  for (guint i = deployment->versions->len; i-- > 0;) {
    const VtreeDeployedVersion *version = deployment->versions->pdata[i];
    uint64_t number = version->origin->version;

    if ((deployment->has_active && number == deployment->active) || version->pinned
        || version->leased || kept++ < keep)
      continue;
    if (!prune_version (deployed, name, number, error))
      return false;
  }
  return true;
}

/* --- who holds what --------------------------------------------------------------- */

/* A word on why DEPLOYMENT has VERSION. */
static char *
describe (const VtreeDeployment *deployment, const VtreeDeployedVersion *version)
{
  const char *why
    = version->leased   ? ", which is running"
      : version->pinned ? ", where it is pinned"
      : deployment->has_active && deployment->active == version->origin->version
        ? ", where it is active"
        : "";

  return g_strdup_printf ("deployment %s%s", deployment->name, why);
}

static bool
is_same_repository (const VtreeRepo *repo, const char *path)
{
  g_autofree char *ours = g_canonicalize_filename (vtree_repo_path (repo), NULL);
  char *real = realpath (ours, NULL);
  bool same = strcmp (real != NULL ? real : ours, path) == 0;

  free (real);
  return same;
}

static bool
find_in (const char *dir, const VtreeRepo *repo, const char *ref, uint64_t version,
         char **holder, GError **error)
{
  g_autoptr (VtreeDeployments) all
    = vtree_deployments_open (dir, VTREE_DEPLOYMENTS_LOOK, 0, error);
  g_auto (GStrv) names = all != NULL ? vtree_deployments_list (all, error) : NULL;

  for (char **name = names; name != NULL && *name != NULL && *holder == NULL; name++) {
    g_autoptr (VtreeDeployment) deployment = vtree_deployments_load (all, *name, error);
    const VtreeDeployedVersion *found;

    if (deployment == NULL)
      return false;
    found = vtree_deployment_find (deployment, version);
    if (found != NULL && strcmp (found->origin->ref, ref) == 0
        && is_same_repository (repo, found->origin->repository))
      *holder = describe (deployment, found);
  }
  return names != NULL;
}

bool
vtree_deployed_find_holder (const VtreePaths *paths, const VtreeRepo *repo,
                            const char *ref, uint64_t version, char **holder,
                            GError **error)
{
  g_autoptr (VtreePaths) root = vtree_paths_new_for_system ("");
  const char *own = vtree_paths_deploy (paths);
  const char *system = vtree_paths_deploy (root);

  *holder = NULL;
  if (!find_in (own, repo, ref, version, holder, error))
    return false;
  /* What root deploys from a user's repository counts as far as the user can see it. */
  return *holder != NULL || strcmp (own, system) == 0
         || access (system, R_OK | X_OK) != 0
         || find_in (system, repo, ref, version, holder, error);
}
