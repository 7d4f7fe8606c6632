/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way from what a person types to a place and an open file. Looks at nothing
 * in the file.
 */
#include "manifest/file-seal-target.h"

#include "core/builtin.h"
#include "core/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOME_PREFIX "~/"

void
vtree_file_seal_target_clear (VtreeFileSealTarget *target)
{
  g_clear_pointer (&target->path, g_free);
  g_clear_pointer (&target->place, g_free);
  g_clear_pointer (&target->base, g_free);
  vtree_fd_replace_take (&target->dirfd, -1);
  vtree_fd_replace_take (&target->fd, -1);
}

static bool
has_dot_dot (const char *path)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  return g_strv_contains ((const char *const *) names, "..");
}

/* FILE's directory as the kernel resolves it, with FILE's last component: what ".."
 * means behind a symlink can't be read off the path. NULL where that fails. */
static char *
resolve_dot_dot (const char *file)
{
  g_autofree char *dir = g_path_get_dirname (file);
  g_autofree char *base = g_path_get_basename (file);
  char *real = realpath (dir, NULL); /* malloc(3)'s */
  char *path = real != NULL ? g_build_filename (real, base, NULL) : NULL;
  free (real);
  return path;
}

char *
vtree_file_seal_path (const char *file)
{
  g_autofree char *resolved = has_dot_dot (file) ? resolve_dot_dot (file) : NULL;
  g_autofree char *path
    = g_canonicalize_filename (resolved != NULL ? resolved : file, NULL);
  return g_strdup (g_str_has_prefix (path, "//") ? path + 1 : path);
}

/* "~/…" if PATH is below DIR; else NULL. */
static char *
place_below (const char *path, const char *dir)
{
  size_t length = strlen (dir);
  if (strncmp (path, dir, length) != 0 || path[length] != '/' || length <= 1)
    return NULL;
  return g_strconcat (HOME_PREFIX, path + length + 1, NULL);
}

/* The home directory can be reached by two names, one in the password database and one
 * without symlinks. */
char *
vtree_file_seal_place (const VtreePaths *paths, const char *path)
{
  const char *home = vtree_paths_home (paths);
  if (home == NULL)
    return g_strdup (path);
  char *place = place_below (path, home);
  char *real = place == NULL ? realpath (home, NULL) : NULL; /* malloc(3)'s */
  if (real != NULL)
    place = place_below (path, real);
  free (real);
  return place != NULL ? place : g_strdup (path);
}

char *
vtree_file_seal_place_path (const VtreePaths *paths, const char *place)
{
  const char *home = vtree_paths_home (paths);
  if (home == NULL || !g_str_has_prefix (place, HOME_PREFIX))
    return g_strdup (place);
  return g_build_filename (home, place + strlen (HOME_PREFIX), NULL);
}

/* Opens the file itself; whatever else stands there is looked at from outside alone. */
static bool
open_base (VtreeFileSealTarget *target, VtreeFileSealTargetKind *kind, GError **error)
{
  if (fstatat (target->dirfd, target->base, &target->stat, AT_SYMLINK_NOFOLLOW) < 0) {
    *kind = VTREE_FILE_SEAL_TARGET_MISSING;
    return errno == ENOENT || vtree_error_set_errno (error, errno, "look for it");
  }
  *kind = VTREE_FILE_SEAL_TARGET_OTHER;
  if (!S_ISREG (target->stat.st_mode))
    return true;
  g_auto (VtreeFd) fd
    = openat (target->dirfd, target->base,
              O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &target->stat) < 0) {
    vtree_error_set_errno (error, errno, "open it");
    vtree_builtin_explain (error);
    return false;
  }
  if (!S_ISREG (target->stat.st_mode))
    return true;
  target->fd = vtree_fd_steal (&fd);
  *kind = VTREE_FILE_SEAL_TARGET_OPEN;
  return true;
}

bool
vtree_file_seal_target_open (const VtreePaths *paths, const char *file,
                             VtreeFileSealTarget *target, VtreeFileSealTargetKind *kind,
                             GError **error)
{
  target->path = vtree_file_seal_path (file);
  target->place = vtree_file_seal_place (paths, target->path);
  target->base = g_path_get_basename (target->path);
  g_autofree char *dir = g_path_get_dirname (target->path);
  target->dirfd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (target->dirfd < 0) {
    *kind = VTREE_FILE_SEAL_TARGET_MISSING;
    return errno == ENOENT || errno == ENOTDIR
           || vtree_error_set_errno (error, errno, "open its directory");
  }
  if (strcmp (target->base, "/") == 0) {
    *kind = VTREE_FILE_SEAL_TARGET_OTHER;
    return fstat (target->dirfd, &target->stat) == 0
           || vtree_error_set_errno (error, errno, "look at it");
  }
  return open_base (target, kind, error);
}

static char *
describe_link (const VtreeFileSealTarget *target)
{
  char text[PATH_MAX];
  ssize_t length = readlinkat (target->dirfd, target->base, text, sizeof text);
  g_autofree char *shown = vtree_error_escape (text, MAX (length, 0));
  return length < 0 ? g_strdup ("a symbolic link")
                    : g_strdup_printf ("a symbolic link to '%s'", shown);
}

char *
vtree_file_seal_target_describe (const VtreeFileSealTarget *target)
{
  mode_t mode = target->stat.st_mode;
  if (S_ISLNK (mode))
    return describe_link (target);
  return g_strdup (S_ISREG (mode)    ? "a regular file"
                   : S_ISDIR (mode)  ? "a directory"
                   : S_ISFIFO (mode) ? "a fifo"
                   : S_ISSOCK (mode) ? "a socket"
                                     : "a device");
}
