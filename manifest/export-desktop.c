/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which keys of a desktop file are passed on: those that are listed here. All
 * others could start something else, or speak to somebody else, than they seem to.
 */
#include "core/error.h"
#include "manifest/export-private.h"

#include <string.h>

#define ENTRY G_KEY_FILE_DESKTOP_GROUP
#define ACTION "Desktop Action "
#define ACTIONS_MAX 32
#define LOCALE G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_@.-"

static const char *const entry_keys[] = { "Version",
                                          "Name",
                                          "GenericName",
                                          "NoDisplay",
                                          "Comment",
                                          "Icon",
                                          "OnlyShowIn",
                                          "NotShowIn",
                                          "Terminal",
                                          "MimeType",
                                          "Categories",
                                          "Keywords",
                                          "StartupNotify",
                                          "StartupWMClass",
                                          "PrefersNonDefaultGPU",
                                          "SingleMainWindow",
                                          NULL };
static const char *const action_keys[] = { "Name", "Icon", NULL };

/* KEY without its "[de_DE]"; NULL where that is malformed. */
static char *
base_of (const char *key)
{
  const char *open = strchr (key, '[');
  if (open == NULL)
    return g_strdup (key);
  size_t length = strspn (open + 1, LOCALE);
  if (length == 0 || strcmp (open + 1 + length, "]") != 0)
    return NULL;
  return g_strndup (key, (gsize) (open - key));
}

/* One line of text, and an icon that is looked for by its name. */
static bool
is_passable (const char *base, const char *value)
{
  if (!g_utf8_validate (value, -1, NULL)
      || (strcmp (base, "Icon") == 0 && !vtree_export_is_simple (value)))
    return false;
  for (; *value != '\0'; value++)
    if (g_ascii_iscntrl (*value))
      return false;
  return true;
}

static void
copy_keys (GKeyFile *from, const char *group, const char *const *allowed, GKeyFile *to)
{
  g_auto (GStrv) keys = g_key_file_get_keys (from, group, NULL, NULL);
  for (char **key = keys; key != NULL && *key != NULL; key++) {
    g_autofree char *base = base_of (*key);
    g_autofree char *value = g_key_file_get_value (from, group, *key, NULL);
    if (base != NULL && value != NULL && g_strv_contains (allowed, base)
        && is_passable (base, value))
      g_key_file_set_value (to, group, *key, value);
  }
}

static bool
copy_exec (GKeyFile *from, const char *group, const VtreeExportRunner *runner,
           GKeyFile *to, GError **error)
{
  g_autofree char *exec = g_key_file_get_string (from, group, "Exec", NULL);
  if (exec == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "there is no Exec");
  g_autofree char *line = vtree_export_exec_desktop (exec, runner, error);
  if (line == NULL)
    return false;
  g_key_file_set_string (to, group, "Exec", line);
  return true;
}

static bool
is_action (const char *id)
{
  size_t length = strlen (id);
  return length > 0 && length <= 64
         && strspn (id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-") == length;
}

static bool
copy_action (GKeyFile *from, const char *id, const VtreeExportRunner *runner,
             GKeyFile *to, GError **error)
{
  if (!is_action (id))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "an action's name is malformed");
  g_autofree char *group = g_strconcat (ACTION, id, NULL);
  copy_keys (from, group, action_keys, to);
  if (copy_exec (from, group, runner, to, error))
    return true;
  g_prefix_error (error, "action %s: ", id);
  return false;
}

static bool
copy_actions (GKeyFile *from, const VtreeExportRunner *runner, GKeyFile *to,
              GError **error)
{
  gsize count = 0;
  g_auto (GStrv) ids
    = g_key_file_get_string_list (from, ENTRY, "Actions", &count, NULL);
  if (count > ACTIONS_MAX)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "it has more than %d actions",
                            ACTIONS_MAX);
  for (gsize i = 0; i < count; i++)
    if (!copy_action (from, ids[i], runner, to, error))
      return false;
  if (count > 0)
    g_key_file_set_string_list (to, ENTRY, "Actions", (const char *const *) ids, count);
  return true;
}

static bool
check_type (GKeyFile *from, GError **error)
{
  g_autofree char *type = g_key_file_get_string (from, ENTRY, "Type", NULL);
  return (type != NULL && strcmp (type, "Application") == 0)
         || vtree_error_set (error, VTREE_ERROR_INVALID, "its Type is not Application");
}

/* What was not passed on is not there. */
static bool
check_name (GKeyFile *to, GError **error)
{
  g_autofree char *name = g_key_file_get_string (to, ENTRY, "Name", NULL);
  return (name != NULL && name[0] != '\0')
         || vtree_error_set (error, VTREE_ERROR_INVALID, "it has no Name");
}

GBytes *
vtree_export_desktop (GBytes *bytes, const VtreeExportRunner *runner, GError **error)
{
  g_autoptr (GKeyFile) from = vtree_export_load (bytes, VTREE_EXPORT_TEXT_MAX, error);
  g_autoptr (GKeyFile) to = g_key_file_new ();
  if (from == NULL || !check_type (from, error))
    return NULL;
  g_key_file_set_string (to, ENTRY, "Type", "Application");
  copy_keys (from, ENTRY, entry_keys, to);
  g_key_file_set_string (to, ENTRY, "TryExec", runner->program);
  if (!check_name (to, error) || !copy_exec (from, ENTRY, runner, to, error)
      || !copy_actions (from, runner, to, error))
    return NULL;
  g_key_file_set_string (to, ENTRY, "X-Vtree", runner->name);
  return vtree_export_save (to);
}
