/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of a directory of deployments. All of it is opened beneath that
 * directory, and of the exact form or CORRUPT.
 */
#include "manifest/deploy.h"

#include "core/beneath.h"
#include "core/directory.h"
#include "core/lock.h"
#include "core/paths.h"
#include "core/publish.h"
#include "core/text.h"
#include "manifest/deploy-private.h"
#include "manifest/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who looks whether it is leased has the other lock, for a moment. */
#define LEASE_WAIT 10

static void
version_free (void *data)
{
  VtreeDeployedVersion *version = data;
  vtree_deploy_origin_free (version->origin);
  g_free (version);
}

void
vtree_deployment_free (VtreeDeployment *deployment)
{
  if (deployment == NULL)
    return;
  g_free (deployment->name);
  g_ptr_array_unref (deployment->versions);
  g_free (deployment);
}

const VtreeDeployedVersion *
vtree_deployment_find (const VtreeDeployment *deployment, uint64_t version)
{
  for (guint i = 0; i < deployment->versions->len; i++) {
    const VtreeDeployedVersion *found = g_ptr_array_index (deployment->versions, i);
    if (found->origin->version == version)
      return found;
  }
  return NULL;
}

/* --- the directory ---------------------------------------------------------------- */

static bool
open_directory (VtreeDeployments *all, VtreeDeploymentsMode mode, int wait,
                GError **error)
{
  bool missing = false;
  bool change = mode == VTREE_DEPLOYMENTS_CHANGE;
  all->fd = vtree_paths_open_directory (all->path, change, &missing, error);
  if (all->fd < 0)
    return missing;
  if (!change)
    return true;
  /* What root deploys is for everybody to run. */
  if (geteuid () == 0 && fchmod (all->fd, 0755) < 0)
    return vtree_error_set_errno (error, errno, "set the mode");
  return vtree_lock_take (all->fd, VTREE_LOCK_EXCLUSIVE, wait, error);
}

VtreeDeployments *
vtree_deployments_open (const char *dir, VtreeDeploymentsMode mode, int wait,
                        GError **error)
{
  g_autoptr (VtreeDeployments) all = g_new0 (VtreeDeployments, 1);
  all->fd = -1;
  all->path = g_strdup (dir);
  if (open_directory (all, mode, wait, error))
    return g_steal_pointer (&all);
  g_autofree char *escaped = vtree_error_escape (dir, -1);
  g_prefix_error (error, "open the deployments in %s: ", escaped);
  return NULL;
}

void
vtree_deployments_free (VtreeDeployments *all)
{
  if (all == NULL)
    return;
  vtree_fd_close (all->fd);
  g_free (all->path);
  g_free (all);
}

static bool
set_bad_name (const char *name, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (name, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "deployment name '%s': expected is one word of at most 200 "
                          "letters, digits and '_', '.', '+', '-', that begins with "
                          "none of the last three",
                          escaped);
}

bool
vtree_deployments_check_name (const char *name, GError **error)
{
  return (strchr (name, '/') == NULL && vtree_ref_check_name (name, NULL))
         || set_bad_name (name, error);
}

/* One that can't be opened is there: who passed over it would take its versions for
 * nobody's. */
static bool
is_deployment (const VtreeDeployments *all, const char *name)
{
  struct stat st;
  if (!vtree_deployments_check_name (name, NULL))
    return false;
  if (fstatat (all->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno != ENOENT;
  return S_ISDIR (st.st_mode);
}

char **
vtree_deployments_list (const VtreeDeployments *all, GError **error)
{
  GPtrArray *found = g_ptr_array_new ();
  g_autoptr (GPtrArray) names
    = all->fd >= 0 ? vtree_directory_list (all->fd, error) : g_ptr_array_new ();
  for (guint i = 0; names != NULL && i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (is_deployment (all, name))
      g_ptr_array_add (found, g_strdup (name));
  }
  g_ptr_array_add (found, NULL);
  g_auto (GStrv) list = (char **) g_ptr_array_free (found, FALSE);
  return names != NULL ? g_steal_pointer (&list) : NULL;
}

/* --- one of them ------------------------------------------------------------------ */

char *
vtree_deploy_version_name (uint64_t version, char text[VTREE_DEPLOY_NUMBER_MAX])
{
  g_snprintf (text, VTREE_DEPLOY_NUMBER_MAX, "%" G_GUINT64_FORMAT, version);
  return text;
}

char *
vtree_deployments_files (const VtreeDeployments *all, const char *name,
                         uint64_t version)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  return g_build_filename (all->path, name, vtree_deploy_version_name (version, number),
                           VTREE_DEPLOY_FILES, NULL);
}

bool
vtree_deploy_open_name (const VtreeDeployments *all, const char *name, VtreeFd *fd,
                        GError **error)
{
  *fd = -1;
  if (!vtree_deployments_check_name (name, error))
    return false;
  g_autofree char *escaped = vtree_error_escape (all->path, -1);
  if (all->fd >= 0 && !vtree_beneath_open_directory (all->fd, name, fd, error)) {
    g_prefix_error (error, "deployment '%s' in %s: ", name, escaped);
    return false;
  }
  return *fd >= 0
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "nothing is deployed as '%s' in %s; see `vtree list`",
                             name, escaped);
}

VtreeDeployOrigin *
vtree_deploy_load_origin (int fd, uint64_t version, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  gsize size;
  if (!vtree_beneath_load (fd, VTREE_DEPLOY_ORIGIN, VTREE_DEPLOY_ORIGIN_MAX, &bytes,
                           error)
      || bytes == NULL)
    return NULL;
  const void *data = g_bytes_get_data (bytes, &size);
  g_autoptr (VtreeDeployOrigin) origin = vtree_deploy_origin_parse (data, size, error);
  if (origin != NULL && origin->version != version) {
    vtree_error_set (error, VTREE_ERROR_CORRUPT,
                     "origin: it is version %" G_GUINT64_FORMAT "'s", origin->version);
    return NULL;
  }
  return g_steal_pointer (&origin);
}

bool
vtree_deploy_is_leased (int fd, bool *leased, GError **error)
{
  g_auto (VtreeFd) lease = -1;
  g_autoptr (GError) failed = NULL;
  *leased = false;
  if (!vtree_beneath_open_file (fd, VTREE_DEPLOY_LEASE, &lease, NULL, error))
    return false;
  if (lease < 0 || vtree_lock_take (lease, VTREE_LOCK_EXCLUSIVE, 0, &failed))
    return true;
  *leased = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY);
  if (*leased)
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

bool
vtree_deploy_load_active (int fd, bool *found, uint64_t *version, GError **error)
{
  char target[VTREE_DEPLOY_NUMBER_MAX];
  ssize_t length = readlinkat (fd, VTREE_DEPLOY_ACTIVE, target, sizeof target);
  *found = length >= 0;
  if (length < 0 && errno != ENOENT)
    return vtree_error_set_errno (error, errno, "read " VTREE_DEPLOY_ACTIVE);
  if (!*found || vtree_text_parse_u64 (target, (size_t) length, version))
    return true;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          VTREE_DEPLOY_ACTIVE " names no version");
}

static bool
exists (int fd, const char *name)
{
  return faccessat (fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Adds the version in the directory NAME of FD, unless it is not whole. */
static bool
load_version (VtreeDeployment *deployment, int fd, const char *name, uint64_t number,
              GError **error)
{
  g_auto (VtreeFd) dir = -1;
  GError *failed = NULL;
  bool leased;
  if (!vtree_beneath_open_directory (fd, name, &dir, error))
    return false;
  if (dir < 0)
    return true;
  g_autoptr (VtreeDeployOrigin) origin
    = vtree_deploy_load_origin (dir, number, &failed);
  if (failed != NULL) {
    g_propagate_prefixed_error (error, failed, "version %s: ", name);
    return false;
  }
  if (origin == NULL)
    return true;
  if (!vtree_deploy_is_leased (dir, &leased, error))
    return false;
  VtreeDeployedVersion *version = g_new0 (VtreeDeployedVersion, 1);
  version->origin = g_steal_pointer (&origin);
  version->pinned = exists (dir, VTREE_DEPLOY_PINNED);
  version->leased = leased;
  g_ptr_array_add (deployment->versions, version);
  return true;
}

static int
compare_versions (gconstpointer a, gconstpointer b)
{
  const VtreeDeployedVersion *const *x = a;
  const VtreeDeployedVersion *const *y = b;
  uint64_t left = (*x)->origin->version, right = (*y)->origin->version;
  return left < right ? -1 : left > right;
}

static bool
load (VtreeDeployment *deployment, int fd, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, error);
  if (names == NULL)
    return false;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    uint64_t number;
    if (vtree_text_parse_u64 (name, strlen (name), &number)
        && !load_version (deployment, fd, name, number, error))
      return false;
  }
  g_ptr_array_sort (deployment->versions, compare_versions);
  deployment->held = exists (fd, VTREE_DEPLOY_HELD);
  if (!vtree_deploy_load_active (fd, &deployment->has_active, &deployment->active,
                                 error))
    return false;
  if (!deployment->has_active
      || vtree_deployment_find (deployment, deployment->active) != NULL)
    return true;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                          "its active version %" G_GUINT64_FORMAT " is not there",
                          deployment->active);
}

/* Takes FAILED. What is not whole can only be taken away. */
static void
propagate_load_error (const char *name, GError *failed, GError **error)
{
  g_autoptr (GError) cause = failed;
  if (g_error_matches (cause, VTREE_ERROR, VTREE_ERROR_CORRUPT))
    vtree_error_set (error, VTREE_ERROR_CORRUPT,
                     "deployment '%s': %s; `vtree undeploy --force %s` removes it",
                     name, cause->message, name);
  else
    g_propagate_prefixed_error (error, g_steal_pointer (&cause),
                                "deployment '%s': ", name);
}

VtreeDeployment *
vtree_deployments_load (const VtreeDeployments *all, const char *name, GError **error)
{
  GError *failed = NULL;
  g_auto (VtreeFd) fd = -1;
  g_autoptr (VtreeDeployment) deployment = g_new0 (VtreeDeployment, 1);
  deployment->versions = g_ptr_array_new_with_free_func (version_free);
  deployment->name = g_strdup (name);
  if (!vtree_deploy_open_name (all, name, &fd, error))
    return NULL;
  if (!load (deployment, fd, &failed)) {
    propagate_load_error (name, failed, error);
    return NULL;
  }
  return g_steal_pointer (&deployment);
}

/* --- using it --------------------------------------------------------------------- */

bool
vtree_deployments_lease (const VtreeDeployments *all, const char *name,
                         uint64_t version, VtreeFd *fd, GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  g_auto (VtreeFd) dir = -1;
  g_auto (VtreeFd) lease = -1;
  vtree_deploy_version_name (version, number);
  g_autofree char *path = g_build_filename (number, VTREE_DEPLOY_LEASE, NULL);
  if (!vtree_deploy_open_name (all, name, &dir, error)
      || !vtree_beneath_open_file (dir, path, &lease, NULL, error))
    return false;
  if (lease >= 0 && !vtree_lock_take (lease, VTREE_LOCK_SHARED, LEASE_WAIT, error)) {
    g_prefix_error (error, "lease '%s': ", name);
    return false;
  }
  *fd = vtree_fd_steal (&lease);
  return true;
}

bool
vtree_deployments_lock_version (const VtreeDeployments *all, const char *name,
                                uint64_t version, int wait, VtreeFd *fd, GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  g_auto (VtreeFd) dir = -1;
  g_auto (VtreeFd) lock = -1;
  if (!vtree_deploy_open_name (all, name, &dir, error)
      || !vtree_beneath_open_directory (
        dir, vtree_deploy_version_name (version, number), &lock, error))
    return false;
  if (lock < 0)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "version %s of '%s' has gone",
                            number, name);
  if (!vtree_lock_take (lock, VTREE_LOCK_EXCLUSIVE, wait, error)) {
    g_prefix_error (error, "mount '%s': ", name);
    return false;
  }
  *fd = vtree_fd_steal (&lock);
  return true;
}
