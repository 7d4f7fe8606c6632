/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the places of runtimes. Whoever has the lock of a lease that its name still
 * leads to has the place: shared to run on it, exclusive to take it away.
 */
#include "cli/runtimes.h"

#include "cli/mounter.h"
#include "cli/mounts.h"
#include "core/beneath.h"
#include "core/directory.h"
#include "core/lock.h"
#include "core/mounts.h"
#include "core/publish.h"
#include "manifest/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define U64 "%" G_GUINT64_FORMAT
#define FILES "files"
#define LEASE "lease"
#define ORIGIN "origin"
/* Who looks whether it is leased has the other lock, for a moment. */
#define LEASE_WAIT 10
/* How often it may be taken away before we have it. */
#define ATTEMPTS 10

void
vtree_runtime_clear (VtreeRuntime *runtime)
{
  vtree_fd_close (runtime->lease);
  g_free (runtime->files);
}

/* The directory of all. A user who runs the system's deployments mounts for himself. */
static char *
find_place (const VtreeDeployed *deployed)
{
  g_autofree char *data = g_path_get_dirname (vtree_paths_deploy (deployed->paths));

  return g_build_filename (data, "runtimes", NULL);
}

/* MANIFEST's name there; a colon would be a trouble in lists of paths. */
static char *
make_name (const VtreeDigest *manifest)
{
  char text[VTREE_DIGEST_TEXT_MAX];

  return g_strdelimit (g_strdup (vtree_digest_format (manifest, text)), ":", '-');
}

/* --- leases ----------------------------------------------------------------------- */

static bool
open_lease (int place, const char *name, VtreeFd *lease, GError **error)
{
  g_autofree char *path = g_build_filename (name, LEASE, NULL);

  *lease = vtree_beneath_open (place, path, O_RDWR | O_CREAT, 0600, error);
  return *lease >= 0;
}

/* Not so where somebody has taken it away meanwhile. */
static bool
is_current (int place, const char *name, int lease)
{
  g_autofree char *path = g_build_filename (name, LEASE, NULL);
  struct stat st, own;

  return fstat (lease, &own) == 0
         && fstatat (place, path, &st, AT_SYMLINK_NOFOLLOW) == 0
         && st.st_dev == own.st_dev && st.st_ino == own.st_ino;
}

/* Makes NAME's place and leases it; *LEASE is -1 where it has gone meanwhile. */
static bool
try_lease (int place, const char *name, VtreeFd *lease, GError **error)
{
  g_auto (VtreeFd) dir = vtree_beneath_make_directory (place, name, 0700, error);
  g_auto (VtreeFd) taken = -1;

  if (dir < 0 || !open_lease (place, name, &taken, error))
    return false;
  if (!vtree_lock_take (taken, VTREE_LOCK_SHARED, LEASE_WAIT, error)) {
    g_prefix_error (error, "lease: ");
    return false;
  }
  if (!is_current (place, name, taken))
    return true;
  /* What is mounted on it is not touched. */
  if (mkdirat (dir, FILES, 0700) != 0 && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "make a mount point");
  *lease = vtree_fd_steal (&taken);
  return true;
}

static bool
take_lease (int place, const char *name, VtreeFd *lease, GError **error)
{
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    g_autoptr (GError) failed = NULL;

    if (try_lease (place, name, lease, &failed) && *lease >= 0)
      return true;
    /* Its directory has gone between two steps. */
    if (failed != NULL && !g_error_matches (failed, VTREE_ERRNO_ERROR, ENOENT)) {
      g_propagate_error (error, g_steal_pointer (&failed));
      return false;
    }
  }
  return vtree_error_set (error, VTREE_ERROR_BUSY,
                          "it is taken away all the time: try again");
}

/* --- mounting --------------------------------------------------------------------- */

typedef struct {
  const VtreeRuntimeMode *mode;
  const VtreeResolved *resolved;
  const char *name; /* its place's */
} Mount;

/* For `vtree list`. */
static bool
put_origin (const Mount *mount, int place, GError **error)
{
  const VtreeStatement *statement = mount->resolved->statement;
  const VtreeDeployOrigin origin = { .repository = mount->mode->application->repository,
                                     .ref = statement->ref,
                                     .version = statement->version,
                                     .manifest = mount->resolved->manifest,
                                     .size = mount->resolved->manifest_size,
                                     .key = mount->resolved->key,
                                     .deployed = time (NULL) };
  g_autoptr (GBytes) bytes = vtree_deploy_origin_serialize (&origin);
  g_autofree char *path = g_build_filename (mount->name, ORIGIN, NULL);

  return vtree_publish (place, path, g_bytes_get_data (bytes, NULL),
                        g_bytes_get_size (bytes), 0644, VTREE_PUBLISH_REPLACE, error);
}

/* The version by its number, and the manifest: what was resolved, or nothing. */
static bool
start (const Mount *mount, int place, const char *files, GError **error)
{
  const VtreeStatement *statement = mount->resolved->statement;
  char digest[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *source
    = g_strdup_printf ("%s:%s@" U64, mount->mode->application->repository,
                       statement->ref, statement->version);
  g_autofree char *options = g_strconcat (
    "digest=", vtree_digest_format (&mount->resolved->manifest, digest), NULL);

  return put_origin (mount, place, error)
         && vtree_mounter_mount (mount->mode->deployed->cli, source, files, options,
                                 error);
}

/* Mounts it unless that has been done; runs that start at once take turns. */
static bool
ensure (const Mount *mount, int place, const char *files, GError **error)
{
  const VtreeCli *cli = mount->mode->deployed->cli;
  g_auto (VtreeFd) lock = -1;
  bool mounted = false;

  if (!vtree_beneath_open_directory (place, mount->name, &lock, error))
    return false;
  if (!mount->mode->private
      && (!vtree_lock_take (lock, VTREE_LOCK_EXCLUSIVE, cli->wait, error)
          || !vtree_mounter_look (cli, files, &mounted, error)))
    return false;
  return (mounted || start (mount, place, files, error))
         && vtree_mounter_check (files, &mount->resolved->manifest, error);
}

static bool
mount_resolved (Mount *mount, VtreeRuntime *runtime, GError **error)
{
  g_autofree char *path = find_place (mount->mode->deployed);
  g_autofree char *name = make_name (&mount->resolved->manifest);
  g_auto (VtreeFd) place = vtree_paths_open_directory (path, true, NULL, error);

  if (place < 0 || !take_lease (place, name, &runtime->lease, error))
    return false;
  mount->name = name;
  runtime->files = g_build_filename (path, name, FILES, NULL);
  return ensure (mount, place, runtime->files, error);
}

static bool
resolve_and_mount (const VtreeRuntimeMode *mode, const char *ref, VtreeRuntime *runtime,
                   GError **error)
{
  const VtreeCli *cli = mode->deployed->cli;
  const VtreeResolveOptions options = { .paths = mode->deployed->paths };
  g_auto (VtreeRefSpec) spec = { .name = NULL };
  g_autoptr (VtreeRepo) repo = NULL;
  g_autoptr (VtreeResolved) resolved = NULL;
  g_auto (VtreeFd) lock = -1;
  Mount mount = { .mode = mode };

  if (!vtree_ref_spec_parse (ref, false, &spec, error))
    return false;
  repo = vtree_deployed_open_origin (mode->name, mode->application, error);
  if (repo == NULL
      || !vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, cli->wait, &lock, error))
    return false;
  resolved = vtree_resolve (repo, &spec, &options, error);
  if (resolved == NULL)
    return false;
  mount.resolved = resolved;
  return mount_resolved (&mount, runtime, error)
         && vtree_resolved_raise_mark (resolved, &options, error);
}

bool
vtree_runtime_mount (const VtreeRuntimeMode *mode, const char *ref,
                     VtreeRuntime *runtime, GError **error)
{
  if (resolve_and_mount (mode, ref, runtime, error))
    return true;
  g_prefix_error (error, "runtime %s: ", ref);
  return false;
}

/* --- those that are there --------------------------------------------------------- */

/* *NAMES are of what is in it, sorted; NULL where there has been none. */
static bool
open_all (const VtreeDeployed *deployed, VtreeFd *place, GPtrArray **names,
          GError **error)
{
  g_autofree char *path = find_place (deployed);
  bool missing = false;

  *names = NULL;
  *place = vtree_paths_open_directory (path, false, &missing, error);
  if (*place < 0)
    return missing;
  *names = vtree_directory_list (*place, error);
  return *names != NULL;
}

static bool
is_temporary (const char *name)
{
  return g_str_has_prefix (name, VTREE_PUBLISH_TEMP_PREFIX);
}

/* Unmounts FILES unless it is in use; *BUSY: it is. */
static bool
unmount (const char *files, bool *busy, GError **error)
{
  g_autofree char *real = vtree_mounts_canonical (files, error);
  g_autoptr (GPtrArray) mounts = real != NULL ? vtree_mounts_list (error) : NULL;
  const VtreeMount *mount;
  GError *failed = NULL;

  if (mounts == NULL)
    return false;
  mount = vtree_mounts_find (mounts, real);
  if (mount == NULL
      || vtree_mounts_unmount (mount, vtree_mounts_is_dead (real), &failed))
    return true;
  *busy = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY);
  if (*busy)
    g_error_free (failed);
  else
    g_propagate_error (error, failed);
  return *busy;
}

/* Takes NAME away unless something runs on it. */
static bool
clean_one (const VtreeDeployed *deployed, int place, const char *name, GError **error)
{
  g_autofree char *path = find_place (deployed);
  g_autofree char *files = g_build_filename (path, name, FILES, NULL);
  g_autofree char *temporary = g_strconcat (VTREE_PUBLISH_TEMP_PREFIX, name, NULL);
  g_auto (VtreeFd) lease = -1;
  bool busy = false;

  if (!open_lease (place, name, &lease, error))
    return false;
  if (!vtree_lock_take (lease, VTREE_LOCK_EXCLUSIVE, 0, NULL))
    return true;
  if (!unmount (files, &busy, error) || busy)
    return busy;
  /* Its name goes first: who waits for the lease sees that. */
  if (renameat (place, name, place, temporary) != 0)
    return vtree_error_set_errno (error, errno, "rename %s", name);
  return vtree_remove (place, temporary, error);
}

bool
vtree_runtimes_clean (const VtreeDeployed *deployed, GError **error)
{
  g_auto (VtreeFd) place = -1;
  g_autoptr (GPtrArray) names = NULL;

  if (!open_all (deployed, &place, &names, error))
    return false;
  for (guint i = 0; names != NULL && i < names->len; i++) {
    const char *name = names->pdata[i];

    if (is_temporary (name) ? !vtree_remove (place, name, error)
                            : !clean_one (deployed, place, name, error)) {
      g_prefix_error (error, "runtime %s: ", name);
      return false;
    }
  }
  return true;
}

/* Whether something runs on NAME. */
static bool
is_leased (int place, const char *name)
{
  g_autofree char *path = g_build_filename (name, LEASE, NULL);
  g_auto (VtreeFd) lease = -1;

  return vtree_beneath_open_file (place, path, &lease, NULL, NULL) && lease >= 0
         && !vtree_lock_take (lease, VTREE_LOCK_EXCLUSIVE, 0, NULL);
}

bool
vtree_runtimes_each (const VtreeDeployed *deployed,
                     bool (*apply) (void *data, const VtreeRuntimeState *state,
                                    GError **error),
                     void *data, GError **error)
{
  g_autofree char *path = find_place (deployed);
  g_auto (VtreeFd) place = -1;
  g_autoptr (GPtrArray) names = NULL;

  if (!open_all (deployed, &place, &names, error))
    return false;
  for (guint i = 0; names != NULL && i < names->len; i++) {
    const char *name = names->pdata[i];
    g_autofree char *where = g_build_filename (name, ORIGIN, NULL);
    g_autofree char *files = g_build_filename (path, name, FILES, NULL);
    g_autoptr (GBytes) bytes = NULL;
    g_autoptr (VtreeDeployOrigin) origin = NULL;
    VtreeRuntimeState state = { .files = files };

    /* One that is not whole is being made, or taken away. */
    if (!is_temporary (name)
        && vtree_beneath_load (place, where, VTREE_DEPLOY_ORIGIN_MAX, &bytes, NULL)
        && bytes != NULL)
      origin = vtree_deploy_origin_parse (g_bytes_get_data (bytes, NULL),
                                          g_bytes_get_size (bytes), NULL);
    if (origin == NULL)
      continue;
    state.origin = origin;
    state.running = is_leased (place, name);
    if (!apply (data, &state, error))
      return false;
  }
  return true;
}
