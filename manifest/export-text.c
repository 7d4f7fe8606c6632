/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns which names are exported, and the texts that need no grammar of their own. */
#include "core/error.h"
#include "manifest/export-private.h"

#include <stdint.h>
#include <string.h>

#define NAME_MAX_BYTES 255
#define COMMANDS_MAX 64
#define SIDE_MAX 1024u

/* --- names ------------------------------------------------------------------------ */

bool
vtree_export_is_simple (const char *file)
{
  size_t length = strlen (file);
  return length > 0 && length <= NAME_MAX_BYTES && strchr ("._+-@", file[0]) == NULL
         && strspn (file, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._+-@") == length;
}

bool
vtree_export_belongs (const char *file, const char *name)
{
  size_t length = strlen (name);
  return strncmp (file, name, length) == 0 && strchr (".-_", file[length]) != NULL;
}

/* --- key files -------------------------------------------------------------------- */

GKeyFile *
vtree_export_load (GBytes *bytes, gsize limit, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) cause = NULL;
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  if (size > limit || (size > 0 && memchr (data, '\0', size) != NULL)) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     size > limit ? "it is too large" : "it is no text");
    return NULL;
  }
  if (size == 0
      || g_key_file_load_from_data (file, data, size, G_KEY_FILE_KEEP_TRANSLATIONS,
                                    &cause))
    return g_steal_pointer (&file);
  g_autofree char *line = vtree_error_escape (cause->message, -1);
  vtree_error_set (error, VTREE_ERROR_INVALID, "%s", line);
  return NULL;
}

GBytes *
vtree_export_save (GKeyFile *file)
{
  gsize size;
  char *text = g_key_file_to_data (file, &size, NULL);
  return g_bytes_new_take (text, size);
}

/* --- vtree.ini -------------------------------------------------------------------- */

void
vtree_export_words_clear (VtreeExportWords *words)
{
  g_strfreev (words->commands);
  words->commands = NULL;
}

/* No such key is no error. */
static bool
is_absent (const GError *error)
{
  return g_error_matches (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND)
         || g_error_matches (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND);
}

static bool
check_commands (char **commands, GError **error)
{
  for (char **command = commands; command != NULL && *command != NULL; command++) {
    g_autofree char *escaped = vtree_error_escape (*command, -1);
    if (!vtree_export_is_simple (*command))
      return vtree_error_set (error, VTREE_ERROR_INVALID,
                              "commands: '%s' is not the name of a command", escaped);
  }
  return commands == NULL || g_strv_length (commands) <= COMMANDS_MAX
         || vtree_error_set (error, VTREE_ERROR_INVALID, "commands: more than %d",
                             COMMANDS_MAX);
}

bool
vtree_export_parse_words (GBytes *bytes, VtreeExportWords *words, GError **error)
{
  g_autoptr (GKeyFile) file = vtree_export_load (bytes, VTREE_EXPORT_INI_MAX, error);
  g_autoptr (GError) failed = NULL;
  if (file == NULL)
    return false;
  bool exports
    = g_key_file_get_boolean (file, "Application", "exports", &failed) != FALSE;
  if (failed != NULL && !is_absent (failed))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "exports: neither true nor false");
  g_clear_error (&failed);
  g_auto (GStrv) commands
    = g_key_file_get_string_list (file, "Application", "commands", NULL, &failed);
  if (failed != NULL && !is_absent (failed))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "commands: no list of names");
  if (!check_commands (commands, error))
    return false;
  words->exports = exports;
  words->commands = g_steal_pointer (&commands);
  return true;
}

/* --- commands --------------------------------------------------------------------- */

GBytes *
vtree_export_command (const char *command, const VtreeExportRunner *runner)
{
  g_autofree char *program = g_shell_quote (runner->program);
  char *text
    = g_strdup_printf ("#!/bin/sh\nexec %s run %s%s -- %s \"$@\"\n", program,
                       runner->system ? "--system " : "", runner->name, command);
  return g_bytes_new_take (text, strlen (text));
}

/* --- icons ------------------------------------------------------------------------ */

#define PNG_BEGIN "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
#define PNG_BEGIN_SIZE 16
#define PNG_SIDES_END 24

static uint32_t
read_be32 (const uint8_t *at)
{
  return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8
         | at[3];
}

static bool
is_side (uint32_t side)
{
  return side > 0 && side <= SIDE_MAX;
}

bool
vtree_export_check_icon (GBytes *bytes, const char *file, GError **error)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);
  if (size == 0 || size > VTREE_EXPORT_ICON_MAX)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            size == 0 ? "it is empty" : "it is too large");
  if (g_str_has_suffix (file, ".svg"))
    return g_utf8_validate ((const char *) data, (gssize) size, NULL)
           || vtree_error_set (error, VTREE_ERROR_INVALID, "it is no SVG");
  if (!g_str_has_suffix (file, ".png") || size < PNG_SIDES_END
      || memcmp (data, PNG_BEGIN, PNG_BEGIN_SIZE) != 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "it is no PNG");
  return (is_side (read_be32 (data + PNG_BEGIN_SIZE))
          && is_side (read_be32 (data + PNG_BEGIN_SIZE + 4)))
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "it is not of 1 to %u by 1 to %u pixels", SIDE_MAX,
                             SIDE_MAX);
}
