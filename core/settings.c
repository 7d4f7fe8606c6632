/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading vtree.conf. Knows no option: what the words mean is the mount's affair.
 */
#include "core/settings.h"

#include "core/error.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX 65536
#define GROUP "mount"

/* *BYTES is NULL where PATH does not exist. */
static bool
load_file (const char *path, GBytes **bytes, GError **error)
{
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  *bytes = NULL;
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return true;
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "open");
  if (!S_ISREG (st.st_mode))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "not a regular file");
  if (!vtree_paths_check_owner (fd, path, error))
    return false;
  *bytes = vtree_fd_load (fd, FILE_MAX, error);
  return *bytes != NULL;
}

static bool
has_option (const GPtrArray *names, const char *name)
{
  for (size_t i = 0; i < names->len; i++) {
    if (strcmp (g_ptr_array_index (names, i), name) == 0)
      return true;
  }
  return false;
}

/* Takes NAME and VALUE as an option, unless a file before this one had the name. */
static void
add_option (GPtrArray *options, GPtrArray *names, const char *name, const char *value)
{
  if (has_option (names, name))
    return;
  g_ptr_array_add (names, g_strdup (name));
  if (strcmp (value, "true") == 0)
    g_ptr_array_add (options, g_strdup (name));
  else if (strcmp (value, "false") != 0)
    g_ptr_array_add (options, g_strdup_printf ("%s=%s", name, value));
}

static bool
set_invalid (GError **error, const GError *cause)
{
  return vtree_error_set (error, VTREE_ERROR_INVALID, "%s", cause->message);
}

static bool
add_group (GPtrArray *options, GPtrArray *names, GKeyFile *file, GError **error)
{
  if (!g_key_file_has_group (file, GROUP))
    return true;
  g_autoptr (GError) cause = NULL;
  g_auto (GStrv) keys = g_key_file_get_keys (file, GROUP, NULL, &cause);
  if (keys == NULL)
    return set_invalid (error, cause);
  for (char **key = keys; *key != NULL; key++) {
    g_autofree char *value = g_key_file_get_string (file, GROUP, *key, &cause);
    if (value == NULL)
      return set_invalid (error, cause);
    add_option (options, names, *key, value);
  }
  return true;
}

static bool
add_file (GPtrArray *options, GPtrArray *names, const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  if (!load_file (path, &bytes, error))
    return false;
  if (bytes == NULL)
    return true;
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) cause = NULL;
  if (g_bytes_get_size (bytes) > 0
      && !g_key_file_load_from_bytes (file, bytes, G_KEY_FILE_NONE, &cause))
    return set_invalid (error, cause);
  return add_group (options, names, file, error);
}

char **
vtree_settings_mount_options (const VtreePaths *paths, GError **error)
{
  g_autoptr (GPtrArray) options = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  for (const char *const *path = vtree_paths_settings (paths); *path != NULL; path++) {
    if (!add_file (options, names, *path, error)) {
      g_autofree char *escaped = vtree_error_escape (*path, -1);
      g_prefix_error (error, "read settings %s: ", escaped);
      return NULL;
    }
  }
  g_ptr_array_add (options, NULL);
  return (char **) g_ptr_array_steal (options, NULL);
}
