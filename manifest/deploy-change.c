/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns every change to a directory of deployments, and that each is durable before the
 * next begins. What is made has a temporary name until it is whole; what is removed
 * gets one first.
 */
#include "core/beneath.h"
#include "core/directory.h"
#include "core/publish.h"
#include "core/text.h"
#include "manifest/deploy-private.h"
#include "manifest/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_ACTIVE VTREE_PUBLISH_TEMP_PREFIX VTREE_DEPLOY_ACTIVE

static bool
prefix_error (GError **error, const char *what, const char *name)
{
  g_prefix_error (error, "%s '%s': ", what, name);
  return false;
}

static bool
sync_directory (int fd, GError **error)
{
  return fsync (fd) == 0 || vtree_error_set_errno (error, errno, "sync a directory");
}

/* Root's are for everybody, a user's for that one. */
static mode_t
directory_mode (void)
{
  return geteuid () == 0 ? 0755 : 0700;
}

bool
vtree_deploy_make_directory (int parent, const char *name, VtreeFd *fd, GError **error)
{
  *fd = vtree_beneath_make_directory (parent, name, directory_mode (), error);
  if (*fd < 0)
    return false;
  return fchmod (*fd, directory_mode ()) == 0
         || vtree_error_set_errno (error, errno, "set the mode of %s", name);
}

/* --- adding ----------------------------------------------------------------------- */

/* Removes what killed processes left in the directory FD of one name. */
static bool
clean (int fd, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, error);
  for (guint i = 0; names != NULL && i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (g_str_has_prefix (name, VTREE_PUBLISH_TEMP_PREFIX)
        && !vtree_remove (fd, name, error))
      return false;
  }
  return names != NULL;
}

/* An empty file of its own: what it says is its name. */
static bool
make_mark (int fd, const char *name, mode_t mode, GError **error)
{
  return vtree_publish (fd, name, "", 0, mode, VTREE_PUBLISH_REPLACE, error);
}

static bool
put_origin (int fd, const VtreeDeployOrigin *origin, const VtreeSeal *seal,
            GError **error)
{
  g_autoptr (GBytes) bytes = vtree_deploy_origin_serialize (origin);
  return vtree_publish_sealed (fd, VTREE_DEPLOY_ORIGIN, bytes, 0644,
                               VTREE_PUBLISH_REPLACE, seal, error);
}

/* All of a version, in the directory FD that has a temporary name yet. */
static bool
fill (int fd, const VtreeDeployOrigin *origin, const VtreeExports *exports,
      const VtreeSeal *seal, GError **error)
{
  g_auto (VtreeFd) files = -1;
  return vtree_deploy_make_directory (fd, VTREE_DEPLOY_FILES, &files, error)
         && make_mark (fd, VTREE_DEPLOY_LEASE, 0644, error)
         && vtree_deploy_put_exports (fd, exports, error)
         && put_origin (fd, origin, seal, error) && sync_directory (fd, error);
}

static bool
make_version (int fd, const VtreeDeployOrigin *origin, const VtreeExports *exports,
              const VtreeSeal *seal, GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  g_auto (VtreeFd) dir = -1;
  vtree_deploy_version_name (origin->version, number);
  g_autofree char *temporary = g_strconcat (VTREE_PUBLISH_TEMP_PREFIX, number, NULL);
  if (!vtree_deploy_make_directory (fd, temporary, &dir, error)
      || !fill (dir, origin, exports, seal, error))
    return false;
  if (renameat (fd, temporary, fd, number) < 0)
    return vtree_error_set_errno (error, errno, "rename to %s", number);
  return sync_directory (fd, error);
}

/* *DIR is the version's directory if it is there, else -1, and *MOVED that it came from
 * another place than ORIGIN says. One that is not whole is removed. */
static bool
find_version (int fd, const VtreeDeployOrigin *origin, VtreeFd *dir, bool *moved,
              GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  GError *failed = NULL;
  vtree_deploy_version_name (origin->version, number);
  if (!vtree_beneath_open_directory (fd, number, dir, error))
    return false;
  if (*dir < 0)
    return true;
  g_autoptr (VtreeDeployOrigin) old
    = vtree_deploy_load_origin (*dir, origin->version, &failed);
  if (failed != NULL) {
    g_propagate_error (error, failed);
    return false;
  }
  if (old == NULL) {
    vtree_fd_replace_take (dir, -1);
    return vtree_remove (fd, number, error);
  }
  *moved = strcmp (old->repository, origin->repository) != 0
           || strcmp (old->ref, origin->ref) != 0;
  return vtree_digest_equal (&old->manifest, &origin->manifest)
         || vtree_error_set (error, VTREE_ERROR_FAILED,
                             "version %s is deployed with another manifest; `vtree "
                             "undeploy` it first",
                             number);
}

static bool
add (int fd, const VtreeDeployOrigin *origin, const VtreeExports *exports,
     const VtreeSeal *seal, GError **error)
{
  g_auto (VtreeFd) dir = -1;
  bool moved = false;
  if (!clean (fd, error) || !find_version (fd, origin, &dir, &moved, error))
    return false;
  if (dir < 0)
    return make_version (fd, origin, exports, seal, error);
  return vtree_deploy_put_exports (dir, exports, error)
         && (!moved || put_origin (dir, origin, seal, error));
}

bool
vtree_deployments_add (const VtreeDeployments *all, const char *name,
                       const VtreeDeployOrigin *origin, const VtreeExports *exports,
                       const VtreeSeal *seal, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  return (vtree_deployments_check_name (name, error)
          && vtree_deploy_make_directory (all->fd, name, &fd, error)
          && sync_directory (all->fd, error) && add (fd, origin, exports, seal, error))
         || prefix_error (error, "deployment", name);
}

bool
vtree_deployments_clean (const VtreeDeployments *all, GError **error)
{
  g_auto (GStrv) names = vtree_deployments_list (all, error);
  for (char **name = names; name != NULL && *name != NULL; name++) {
    g_auto (VtreeFd) fd = -1;
    if (!vtree_deploy_open_name (all, *name, &fd, error) || !clean (fd, error))
      return prefix_error (error, "clean", *name);
  }
  return names != NULL;
}

/* --- changing --------------------------------------------------------------------- */

/* Opens VERSION's directory below FD, which must be a whole version. */
static bool
open_version (int fd, uint64_t version, VtreeFd *dir, GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  GError *failed = NULL;
  if (!vtree_beneath_open_directory (fd, vtree_deploy_version_name (version, number),
                                     dir, error))
    return false;
  g_autoptr (VtreeDeployOrigin) origin
    = *dir >= 0 ? vtree_deploy_load_origin (*dir, version, &failed) : NULL;
  if (failed != NULL) {
    g_propagate_error (error, failed);
    return false;
  }
  return origin != NULL
         || vtree_error_set (error, VTREE_ERROR_MISSING,
                             "version %s is not deployed; see `vtree list`", number);
}

/* A removal that was killed may have taken the mount point. What is mounted there is
 * left alone. */
static bool
ensure_files (int dir, GError **error)
{
  struct stat st;
  g_auto (VtreeFd) files = -1;
  return fstatat (dir, VTREE_DEPLOY_FILES, &st, AT_SYMLINK_NOFOLLOW) == 0
         || errno != ENOENT
         || vtree_deploy_make_directory (dir, VTREE_DEPLOY_FILES, &files, error);
}

static bool
activate (int fd, uint64_t version, GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  g_auto (VtreeFd) dir = -1;
  if (!open_version (fd, version, &dir, error) || !ensure_files (dir, error)
      || !vtree_remove (fd, NEW_ACTIVE, error))
    return false;
  if (symlinkat (vtree_deploy_version_name (version, number), fd, NEW_ACTIVE) < 0
      || fsync (fd) < 0 || renameat (fd, NEW_ACTIVE, fd, VTREE_DEPLOY_ACTIVE) < 0)
    return vtree_error_set_errno (error, errno, "make version %s the active one",
                                  number);
  return sync_directory (fd, error);
}

bool
vtree_deployments_activate (const VtreeDeployments *all, const char *name,
                            uint64_t version, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  return vtree_deploy_open_name (all, name, &fd, error)
         && (activate (fd, version, error) || prefix_error (error, "deployment", name));
}

/* Makes or removes the file NAME in FD. */
static bool
set_mark (int fd, const char *name, bool wanted, GError **error)
{
  if (wanted)
    return make_mark (fd, name, 0644, error);
  if (unlinkat (fd, name, 0) < 0 && errno != ENOENT)
    return vtree_error_set_errno (error, errno, "remove %s", name);
  return sync_directory (fd, error);
}

bool
vtree_deployments_set_pinned (const VtreeDeployments *all, const char *name,
                              uint64_t version, bool pinned, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_auto (VtreeFd) dir = -1;
  return vtree_deploy_open_name (all, name, &fd, error)
         && ((open_version (fd, version, &dir, error)
              && set_mark (dir, VTREE_DEPLOY_PINNED, pinned, error))
             || prefix_error (error, "deployment", name));
}

bool
vtree_deployments_set_held (const VtreeDeployments *all, const char *name, bool held,
                            GError **error)
{
  g_auto (VtreeFd) fd = -1;
  return vtree_deploy_open_name (all, name, &fd, error)
         && (set_mark (fd, VTREE_DEPLOY_HELD, held, error)
             || prefix_error (error, "deployment", name));
}

/* --- removing --------------------------------------------------------------------- */

/* Only an empty directory that nothing is mounted on can be removed. */
static bool
remove_files (int dir, const char *number, GError **error)
{
  if (unlinkat (dir, VTREE_DEPLOY_FILES, AT_REMOVEDIR) == 0 || errno == ENOENT)
    return true;
  if (errno == EBUSY)
    return vtree_error_set (error, VTREE_ERROR_BUSY, "version %s is mounted", number);
  return vtree_error_set_errno (error, errno, "remove the mount point of version %s",
                                number);
}

/* The directory NUMBER below FD, whatever is in it. */
static bool
remove_directory (int fd, const char *number, bool force, GError **error)
{
  g_auto (VtreeFd) dir = -1;
  bool leased = false;
  g_autofree char *temporary = g_strconcat (VTREE_PUBLISH_TEMP_PREFIX, number, NULL);
  if (!vtree_beneath_open_directory (fd, number, &dir, error))
    return false;
  if (dir < 0)
    return true;
  if (!force && !vtree_deploy_is_leased (dir, &leased, error))
    return false;
  if (leased)
    return vtree_error_set (error, VTREE_ERROR_BUSY, "version %s is running", number);
  if (!remove_files (dir, number, error) || !vtree_remove (fd, temporary, error))
    return false;
  if (renameat (fd, number, fd, temporary) < 0)
    return vtree_error_set_errno (error, errno, "rename version %s", number);
  return vtree_remove (fd, temporary, error) && sync_directory (fd, error);
}

bool
vtree_deployments_remove_version (const VtreeDeployments *all, const char *name,
                                  uint64_t version, GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  g_auto (VtreeFd) fd = -1;
  uint64_t active = 0;
  bool found;
  if (!vtree_deploy_open_name (all, name, &fd, error)
      || !vtree_deploy_load_active (fd, &found, &active, error))
    return false;
  if (found && active == version)
    return vtree_error_set (error, VTREE_ERROR_BUSY,
                            "deployment '%s': version %" G_GUINT64_FORMAT
                            " is the active one",
                            name, version);
  vtree_deploy_version_name (version, number);
  return remove_directory (fd, number, false, error)
         || prefix_error (error, "deployment", name);
}

/* Before anything goes: is any of it in use? */
static bool
check_leases (int fd, const GPtrArray *names, GError **error)
{
  for (guint i = 0; i < names->len; i++) {
    const char *number = g_ptr_array_index (names, i);
    g_auto (VtreeFd) dir = -1;
    uint64_t version;
    bool leased = false;
    if (!vtree_text_parse_u64 (number, strlen (number), &version))
      continue;
    if (!vtree_beneath_open_directory (fd, number, &dir, error)
        || (dir >= 0 && !vtree_deploy_is_leased (dir, &leased, error)))
      return false;
    if (leased)
      return vtree_error_set (error, VTREE_ERROR_BUSY,
                              "version %s is running; --force undeploys it all the "
                              "same",
                              number);
  }
  return true;
}

static bool
remove_all (int fd, bool force, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, error);
  if (names == NULL || (!force && !check_leases (fd, names, error)))
    return false;
  if (unlinkat (fd, VTREE_DEPLOY_ACTIVE, 0) < 0 && errno != ENOENT)
    return vtree_error_set_errno (error, errno, "remove " VTREE_DEPLOY_ACTIVE);
  if (!sync_directory (fd, error))
    return false;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    uint64_t version;
    if (vtree_text_parse_u64 (name, strlen (name), &version)
        && !remove_directory (fd, name, force, error))
      return false;
  }
  return vtree_remove_contents (fd, error);
}

bool
vtree_deployments_remove (const VtreeDeployments *all, const char *name, bool force,
                          GError **error)
{
  g_auto (VtreeFd) fd = -1;
  return vtree_deploy_open_name (all, name, &fd, error)
         && ((remove_all (fd, force, error) && vtree_remove (all->fd, name, error)
              && sync_directory (all->fd, error))
             || prefix_error (error, "deployment", name));
}
