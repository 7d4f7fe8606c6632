/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what of a D-Bus service file is passed on: its name and its command. A
 * SystemdService= would start a unit of the host, a User= somebody else's process.
 */
#include "core/error.h"
#include "manifest/export-private.h"

#include <string.h>

#define GROUP "D-BUS Service"
#define BUS_NAME_MAX 255

/* Two elements at least, of letters, digits, "_" and "-", none empty, none with a digit
 * at its head. */
static bool
is_bus_name (const char *name)
{
  g_auto (GStrv) elements = g_strsplit (name, ".", -1);
  for (char **element = elements; *element != NULL; element++)
    if (**element == '\0' || g_ascii_isdigit (**element)
        || (*element)[strspn (*element, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-")]
             != '\0')
      return false;
  return g_strv_length (elements) >= 2 && strlen (name) <= BUS_NAME_MAX;
}

GBytes *
vtree_export_service (GBytes *bytes, const char *bus_name,
                      const VtreeExportRunner *runner, GError **error)
{
  g_autoptr (GKeyFile) from = vtree_export_load (bytes, VTREE_EXPORT_TEXT_MAX, error);
  g_autoptr (GKeyFile) to = g_key_file_new ();
  if (from == NULL)
    return NULL;
  g_autofree char *name = g_key_file_get_string (from, GROUP, "Name", NULL);
  g_autofree char *exec = g_key_file_get_string (from, GROUP, "Exec", NULL);
  if (name == NULL || strcmp (name, bus_name) != 0 || !is_bus_name (name)) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "its Name is not a bus name, or not the file's");
    return NULL;
  }
  if (exec == NULL) {
    vtree_error_set (error, VTREE_ERROR_INVALID, "there is no Exec");
    return NULL;
  }
  g_autofree char *line = vtree_export_exec_service (exec, runner, error);
  if (line == NULL)
    return NULL;
  g_key_file_set_string (to, GROUP, "Name", name);
  g_key_file_set_string (to, GROUP, "Exec", line);
  return vtree_export_save (to);
}
