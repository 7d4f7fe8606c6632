/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the files of overrides: where they are, who may write to them. */
#include "cli/overrides.h"

#include "core/fd.h"
#include "core/publish.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 65536

char *
vtree_overrides_path (const VtreePaths *paths, const char *name)
{
  g_autofree char *config = g_path_get_dirname (vtree_paths_private (paths));

  return g_build_filename (config, "overrides", name, NULL);
}

static GKeyFile *
read_file (const char *path, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) cause = NULL;
  g_autoptr (GBytes) bytes = NULL;
  bool missing = false;
  g_auto (VtreeFd) fd = vtree_paths_open_file (path, &missing, error);

  if (fd < 0)
    return missing ? g_steal_pointer (&file) : NULL;
  bytes = vtree_fd_load (fd, FILE_MAX, error);
  if (bytes == NULL) {
    g_prefix_error (error, "%s: ", path);
    return NULL;
  }
  if (g_bytes_get_size (bytes) == 0
      || g_key_file_load_from_bytes (file, bytes, G_KEY_FILE_KEEP_COMMENTS, &cause))
    return g_steal_pointer (&file);
  vtree_error_set (error, VTREE_ERROR_INVALID, "%s: %s", path, cause->message);
  return NULL;
}

GKeyFile *
vtree_overrides_read (const VtreePaths *paths, const char *name, GError **error)
{
  g_autofree char *path = vtree_overrides_path (paths, name);

  return read_file (path, error);
}

bool
vtree_overrides_write (const VtreePaths *paths, const char *name, GKeyFile *file,
                       GError **error)
{
  g_autofree char *path = vtree_overrides_path (paths, name);
  g_autofree char *dir = g_path_get_dirname (path);
  g_auto (VtreeFd) fd = vtree_paths_open_directory (dir, true, NULL, error);
  g_autofree char *text = NULL;
  gsize size;

  if (fd < 0)
    return false;
  if (file == NULL)
    return unlinkat (fd, name, 0) == 0 || errno == ENOENT
           || vtree_error_set_errno (error, errno, "remove %s", path);
  text = g_key_file_to_data (file, &size, NULL);
  if (vtree_publish (fd, name, text, size, 0644, VTREE_PUBLISH_REPLACE, error))
    return true;
  g_prefix_error (error, "write %s: ", path);
  return false;
}

static bool
load_own (const VtreePaths *paths, const char *name, VtreeContext *context,
          GError **error)
{
  g_autofree char *path = vtree_overrides_path (paths, name);
  g_autoptr (GKeyFile) file = read_file (path, error);

  if (file == NULL)
    return false;
  if (vtree_context_load (context, file, true, error))
    return true;
  g_prefix_error (error, "%s: ", path);
  return false;
}

bool
vtree_overrides_load (const VtreePaths *paths, const char *name, VtreeContext *context,
                      GError **error)
{
  g_autoptr (VtreePaths) root = vtree_paths_new_for_system ("");

  return load_own (root, name, context, error)
         && (vtree_paths_is_root (paths) || load_own (paths, name, context, error));
}
