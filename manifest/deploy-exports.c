/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns where exported files lie: those of a version in its own directory, and one tree
 * of symbolic links for all deployments, which go through `active`. A link is made
 * before `active` is switched and removed after it, so that an interruption leaves
 * links that lead nowhere at most.
 */
#include "core/beneath.h"
#include "core/directory.h"
#include "core/paths.h"
#include "core/publish.h"
#include "manifest/deploy-private.h"
#include "manifest/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_EXPORTS VTREE_PUBLISH_TEMP_PREFIX VTREE_DEPLOY_EXPORTS
#define NEW_LINK VTREE_PUBLISH_TEMP_PREFIX "link"
#define THROUGH_ACTIVE "/" VTREE_DEPLOY_ACTIVE "/" VTREE_DEPLOY_EXPORTS "/"
/* share/icons/hicolor/48x48/apps/hello.png */
#define DEPTH_MAX 6

static bool
fail (GError **error, const char *what, const char *path)
{
  int errnum = errno;
  g_autofree char *escaped = vtree_error_escape (path, -1);
  return vtree_error_set_errno (error, errnum, "%s %s", what, escaped);
}

/* Opens, made where it is missing, the directory that PATH is in. */
static bool
open_parent (int fd, const char *path, VtreeFd *parent, GError **error)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  g_auto (VtreeFd) at = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (at < 0)
    return fail (error, "open the directory of", path);
  for (char **name = names; name[1] != NULL; name++) {
    g_auto (VtreeFd) next = -1;
    if (!vtree_deploy_make_directory (at, *name, &next, error))
      return false;
    vtree_fd_replace_take (&at, vtree_fd_steal (&next));
  }
  *parent = vtree_fd_steal (&at);
  return true;
}

static const char *
base_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash != NULL ? slash + 1 : path;
}

/* --- a version's own -------------------------------------------------------------- */

static bool
write_files (int fd, const VtreeExports *exports, GError **error)
{
  for (guint i = 0; i < exports->files->len; i++) {
    const VtreeExport *file = g_ptr_array_index (exports->files, i);
    g_auto (VtreeFd) parent = -1;
    gsize size;
    const void *data = g_bytes_get_data (file->bytes, &size);
    if (!open_parent (fd, file->path, &parent, error)
        || !vtree_publish (parent, base_of (file->path), data, size, file->mode,
                           VTREE_PUBLISH_REPLACE | VTREE_PUBLISH_NO_SYNC, error))
      return false;
  }
  return syncfs (fd) == 0 || fail (error, "sync", VTREE_DEPLOY_EXPORTS);
}

/* NEW_EXPORTS takes the place of the old ones, at once where the filesystem can. */
static bool
exchange (int fd, GError **error)
{
  if (renameat2 (fd, NEW_EXPORTS, fd, VTREE_DEPLOY_EXPORTS, RENAME_EXCHANGE) == 0)
    return vtree_remove (fd, NEW_EXPORTS, error);
  if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
    return fail (error, "rename to", VTREE_DEPLOY_EXPORTS);
  if (!vtree_remove (fd, VTREE_DEPLOY_EXPORTS, error))
    return false;
  return renameat (fd, NEW_EXPORTS, fd, VTREE_DEPLOY_EXPORTS) == 0
         || fail (error, "rename to", VTREE_DEPLOY_EXPORTS);
}

bool
vtree_deploy_put_exports (int fd, const VtreeExports *exports, GError **error)
{
  g_auto (VtreeFd) dir = -1;
  if (!vtree_remove (fd, NEW_EXPORTS, error))
    return false;
  if (exports == NULL || exports->files->len == 0)
    return vtree_remove (fd, VTREE_DEPLOY_EXPORTS, error);
  if (!vtree_deploy_make_directory (fd, NEW_EXPORTS, &dir, error)
      || !write_files (dir, exports, error) || !exchange (fd, error))
    return false;
  return fsync (fd) == 0 || fail (error, "sync", VTREE_DEPLOY_EXPORTS);
}

/* --- walking ---------------------------------------------------------------------- */

typedef struct {
  GPtrArray *directories; /* char *: still to be listed; "." at first */
  GPtrArray *files;       /* char *: whatever is no directory */
} Walk;

static unsigned
depth_of (const char *path)
{
  unsigned depth = 1;
  for (const char *at = strchr (path, '/'); at != NULL; at = strchr (at + 1, '/'))
    depth++;
  return depth;
}

static bool
walk_directory (Walk *walk, int fd, const char *path, GError **error)
{
  g_auto (VtreeFd) dir = -1;
  if (!vtree_beneath_open_directory (fd, path, &dir, error))
    return false;
  g_autoptr (GPtrArray) names
    = dir >= 0 ? vtree_directory_list (dir, error) : g_ptr_array_new ();
  for (guint i = 0; names != NULL && i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    char *whole
      = strcmp (path, ".") == 0 ? g_strdup (name) : g_build_filename (path, name, NULL);
    struct stat st;
    bool is_directory
      = fstatat (dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
    if (is_directory && depth_of (whole) >= DEPTH_MAX)
      g_free (whole);
    else
      g_ptr_array_add (is_directory ? walk->directories : walk->files, whole);
  }
  return names != NULL;
}

/* The paths of all files below FD; NULL on an error. */
static GPtrArray *
list_files (int fd, GError **error)
{
  g_autoptr (GPtrArray) directories = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  Walk walk = { directories, files };
  g_ptr_array_add (directories, g_strdup ("."));
  for (guint i = 0; i < directories->len; i++)
    if (!walk_directory (&walk, fd, g_ptr_array_index (directories, i), error))
      return NULL;
  return g_steal_pointer (&files);
}

/* What VERSION of NAME exports; empty where it is not there. */
static GPtrArray *
list_exports (const VtreeDeployments *all, const char *name, uint64_t version,
              GError **error)
{
  char number[VTREE_DEPLOY_NUMBER_MAX];
  g_auto (VtreeFd) fd = -1;
  vtree_deploy_version_name (version, number);
  g_autofree char *path = g_build_filename (name, number, VTREE_DEPLOY_EXPORTS, NULL);
  if (!vtree_beneath_open_directory (all->fd, path, &fd, error))
    return NULL;
  return fd >= 0 ? list_files (fd, error) : g_ptr_array_new ();
}

/* --- links ------------------------------------------------------------------------ */

char *
vtree_deployments_exports (const VtreeDeployments *all)
{
  g_autofree char *parent = g_path_get_dirname (all->path);
  return g_build_filename (parent, VTREE_DEPLOY_EXPORTS, NULL);
}

/* *FD is -1 where it is missing and not to be MADE. */
static bool
open_links (const VtreeDeployments *all, bool make, VtreeFd *fd, GError **error)
{
  g_autofree char *path = vtree_deployments_exports (all);
  bool missing = false;
  *fd = vtree_paths_open_directory (path, make, &missing, error);
  if (*fd < 0)
    return missing;
  /* What root deploys is for everybody. */
  return !make || geteuid () != 0 || fchmod (*fd, 0755) == 0
         || fail (error, "set the mode of", path);
}

/* "../../deploy/": from a link PATH to the deployments. */
static char *
way_up (const VtreeDeployments *all, const char *path)
{
  g_autoptr (GString) way = g_string_new (NULL);
  g_autofree char *deploy = g_path_get_basename (all->path);
  for (unsigned n = depth_of (path); n > 0; n--)
    g_string_append (way, "../");
  g_string_append_printf (way, "%s/", deploy);
  return g_strdup (way->str);
}

/* *FOUND: something is at PATH. *OWNER (to be freed) is whose link it is, NULL if it is
 * none of ours. */
static bool
read_link (const VtreeDeployments *all, int fd, const char *path, bool *found,
           char **owner, GError **error)
{
  char target[PATH_MAX];
  ssize_t length = readlinkat (fd, path, target, sizeof target - 1);
  *owner = NULL;
  *found = length >= 0 || errno == EINVAL;
  if (length < 0)
    return errno == ENOENT || errno == EINVAL || fail (error, "read the link", path);
  target[length] = '\0';
  g_autofree char *before = way_up (all, path);
  g_autofree char *behind = g_strconcat (THROUGH_ACTIVE, path, NULL);
  size_t around = strlen (before) + strlen (behind);
  if ((size_t) length <= around || !g_str_has_prefix (target, before)
      || !g_str_has_suffix (target, behind))
    return true;
  g_autofree char *name
    = g_strndup (target + strlen (before), (size_t) length - around);
  if (vtree_deployments_check_name (name, NULL))
    *owner = g_steal_pointer (&name);
  return true;
}

/* A link PATH to what NAME's active version exports, in the place of another one. */
static bool
make_link (const VtreeDeployments *all, int fd, const char *path, const char *name,
           GError **error)
{
  g_auto (VtreeFd) parent = -1;
  g_autofree char *up = way_up (all, path);
  g_autofree char *target = g_strconcat (up, name, THROUGH_ACTIVE, path, NULL);
  if (!open_parent (fd, path, &parent, error)
      || !vtree_remove (parent, NEW_LINK, error))
    return false;
  return (symlinkat (target, parent, NEW_LINK) == 0
          && renameat (parent, NEW_LINK, parent, base_of (path)) == 0)
         || fail (error, "make the link", path);
}

/* Whose PATH is, that both FIRST and SECOND may have. */
static const char *
closer (const char *first, const char *second)
{
  return strlen (first) >= strlen (second) ? first : second;
}

static void
add_note (GPtrArray *notes, const char *path, const char *owner, const char *why)
{
  g_ptr_array_add (notes, g_strdup_printf ("%s in exports is %s%s", path, owner, why));
}

/* PATH becomes NAME's, unless something else is there. */
static bool
claim (const VtreeDeployments *all, int fd, const char *path, const char *name,
       GPtrArray *notes, GError **error)
{
  g_autofree char *owner = NULL;
  bool found;
  if (!read_link (all, fd, path, &found, &owner, error))
    return false;
  if (owner != NULL && strcmp (owner, name) == 0)
    return true;
  if (found && owner == NULL) {
    add_note (notes, path, "somebody else's file: ", "it is left");
    return true;
  }
  if (owner != NULL)
    add_note (notes, path, name, "'s now, whose name is closer, or alone");
  return make_link (all, fd, path, name, error);
}

/* --- before the switch ------------------------------------------------------------ */

static bool
prepare (const VtreeDeployments *all, const char *name, const GPtrArray *paths,
         GPtrArray *notes, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!open_links (all, true, &fd, error))
    return false;
  for (guint i = 0; i < paths->len; i++) {
    const char *path = g_ptr_array_index (paths, i);
    g_autofree char *owner = NULL;
    bool found;
    if (!read_link (all, fd, path, &found, &owner, error)
        || (!found && !make_link (all, fd, path, name, error)))
      return false;
    if (owner != NULL && closer (owner, name) == owner && strcmp (owner, name) != 0)
      add_note (notes, path, owner, "'s, whose name is closer");
  }
  return syncfs (fd) == 0 || fail (error, "sync", VTREE_DEPLOY_EXPORTS);
}

bool
vtree_deployments_prepare_exports (const VtreeDeployments *all, const char *name,
                                   uint64_t version, GPtrArray *notes, GError **error)
{
  g_autoptr (GPtrArray) paths = list_exports (all, name, version, error);
  if (paths != NULL && (paths->len == 0 || prepare (all, name, paths, notes, error)))
    return true;
  g_prefix_error (error, "exports of '%s': ", name);
  return false;
}

/* --- after it --------------------------------------------------------------------- */

/* Adds what NAME's active version exports to WANTED (path -> name). */
static bool
add_wanted (const VtreeDeployments *all, const char *name, GHashTable *wanted,
            GError **error)
{
  g_auto (VtreeFd) fd = -1;
  uint64_t version = 0;
  bool found;
  /* What is malformed, `list` says. */
  if (!vtree_deploy_open_name (all, name, &fd, NULL)
      || !vtree_deploy_load_active (fd, &found, &version, NULL) || !found)
    return true;
  g_autoptr (GPtrArray) paths = list_exports (all, name, version, error);
  for (guint i = 0; paths != NULL && i < paths->len; i++) {
    const char *path = g_ptr_array_index (paths, i);
    const char *owner = g_hash_table_lookup (wanted, path);
    if (vtree_export_belongs (base_of (path), name)
        && (owner == NULL || closer (owner, name) == name))
      g_hash_table_replace (wanted, g_strdup (path), g_strdup (name));
  }
  return paths != NULL;
}

/* path -> whose it shall be. */
static GHashTable *
find_wanted (const VtreeDeployments *all, GError **error)
{
  g_autoptr (GHashTable) wanted
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_auto (GStrv) names = vtree_deployments_list (all, error);
  if (names == NULL)
    return NULL;
  for (char **name = names; *name != NULL; name++)
    if (!add_wanted (all, *name, wanted, error))
      return NULL;
  return g_steal_pointer (&wanted);
}

/* The directories above PATH, as far as they are empty. */
static bool
remove_parents (int fd, const char *path, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);
  while (strcmp (parent, ".") != 0) {
    if (unlinkat (fd, parent, AT_REMOVEDIR) < 0)
      return errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT
             || fail (error, "remove", parent);
    char *above = g_path_get_dirname (parent);
    g_free (parent);
    parent = above;
  }
  return true;
}

static bool
remove_stale (const VtreeDeployments *all, int fd, const char *path, GError **error)
{
  g_autofree char *owner = NULL;
  bool found;
  if (!read_link (all, fd, path, &found, &owner, error))
    return false;
  if (owner == NULL && strcmp (base_of (path), NEW_LINK) != 0)
    return true;
  if (unlinkat (fd, path, 0) < 0)
    return fail (error, "remove the link", path);
  return remove_parents (fd, path, error);
}

static bool
claim_all (const VtreeDeployments *all, int fd, GHashTable *wanted, GPtrArray *notes,
           GError **error)
{
  GHashTableIter iter;
  void *path, *name;
  g_hash_table_iter_init (&iter, wanted);
  while (g_hash_table_iter_next (&iter, &path, &name))
    if (!claim (all, fd, path, name, notes, error))
      return false;
  return true;
}

static bool
update (const VtreeDeployments *all, int fd, GHashTable *wanted, GPtrArray *notes,
        GError **error)
{
  if (!claim_all (all, fd, wanted, notes, error))
    return false;
  g_autoptr (GPtrArray) paths = list_files (fd, error);
  for (guint i = 0; paths != NULL && i < paths->len; i++) {
    const char *path = g_ptr_array_index (paths, i);
    if (!g_hash_table_contains (wanted, path) && !remove_stale (all, fd, path, error))
      return false;
  }
  return paths != NULL;
}

bool
vtree_deployments_update_exports (const VtreeDeployments *all, GPtrArray *notes,
                                  GError **error)
{
  g_autoptr (GHashTable) wanted = find_wanted (all, error);
  g_auto (VtreeFd) fd = -1;
  if (wanted != NULL && open_links (all, g_hash_table_size (wanted) > 0, &fd, error)
      && (fd < 0 || update (all, fd, wanted, notes, error)))
    return true;
  g_prefix_error (error, "update what is exported: ");
  return false;
}
