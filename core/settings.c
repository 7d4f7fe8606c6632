/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading vtree.conf. Knows no option: what the words mean is the mount's affair.
 */
#include "core/settings.h"

#include "core/error.h"
#include "core/fd.h"

#include <string.h>

#define FILE_MAX 65536
#define GROUP "mount"

typedef struct {
  GPtrArray *settings; /* VtreeSetting * */
  const char *file;
} Reading;

static void
setting_free (gpointer data)
{
  VtreeSetting *setting = data;
  g_free (setting->name);
  g_free (setting->value);
  g_free (setting->file);
  g_free (setting);
}

/* *BYTES is NULL where PATH does not exist. */
static bool
load_file (const char *path, GBytes **bytes, GError **error)
{
  bool missing = false;
  g_auto (VtreeFd) fd = vtree_paths_open_file (path, &missing, error);
  *bytes = NULL;
  if (fd < 0)
    return missing;
  *bytes = vtree_fd_load (fd, FILE_MAX, error);
  return *bytes != NULL;
}

static bool
has_setting (const Reading *reading, const char *name)
{
  for (guint i = 0; i < reading->settings->len; i++) {
    const VtreeSetting *setting = g_ptr_array_index (reading->settings, i);
    if (strcmp (setting->name, name) == 0)
      return true;
  }
  return false;
}

/* Unless a file before this one had the name. */
static void
add_setting (const Reading *reading, const char *name, const char *value)
{
  if (has_setting (reading, name))
    return;
  VtreeSetting *setting = g_new0 (VtreeSetting, 1);
  setting->name = g_strdup (name);
  setting->off = strcmp (value, "false") == 0;
  if (!setting->off && strcmp (value, "true") != 0)
    setting->value = g_strdup (value);
  setting->file = vtree_error_escape (reading->file, -1);
  g_ptr_array_add (reading->settings, setting);
}

static bool
set_invalid (GError **error, const GError *cause)
{
  return vtree_error_set (error, VTREE_ERROR_INVALID, "%s", cause->message);
}

static bool
add_group (const Reading *reading, GKeyFile *file, GError **error)
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
    add_setting (reading, *key, value);
  }
  return true;
}

static bool
add_file (const Reading *reading, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  if (!load_file (reading->file, &bytes, error))
    return false;
  if (bytes == NULL)
    return true;
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) cause = NULL;
  if (g_bytes_get_size (bytes) > 0
      && !g_key_file_load_from_bytes (file, bytes, G_KEY_FILE_NONE, &cause))
    return set_invalid (error, cause);
  return add_group (reading, file, error);
}

GPtrArray *
vtree_settings_mount_options (const VtreePaths *paths, GError **error)
{
  g_autoptr (GPtrArray) settings = g_ptr_array_new_with_free_func (setting_free);
  for (const char *const *path = vtree_paths_settings (paths); *path != NULL; path++) {
    Reading reading = { settings, *path };
    if (!add_file (&reading, error)) {
      g_autofree char *escaped = vtree_error_escape (*path, -1);
      g_prefix_error (error, "read settings %s: ", escaped);
      return NULL;
    }
  }
  return g_steal_pointer (&settings);
}
