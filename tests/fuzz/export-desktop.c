/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A desktop file that is exported starts `vtree run` alone, whoever splits its Exec,
 * and is itself one that could be exported. */
#include "manifest/export-text.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const VtreeExportRunner runner = { "/usr/bin/vtree", "org.x", false };
static const char *const words[] = { "/usr/bin/vtree", "run", "org.x", "--" };

static void
check_group (GKeyFile *file, const char *group)
{
  g_autofree char *exec = g_key_file_get_string (file, group, "Exec", NULL);
  g_auto (GStrv) argv = NULL;
  g_assert_nonnull (exec);
  g_assert_true (g_shell_parse_argv (exec, NULL, &argv, NULL));
  g_assert_cmpuint (g_strv_length (argv), >, G_N_ELEMENTS (words));
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    g_assert_cmpstr (argv[i], ==, words[i]);
  g_assert_false (g_key_file_has_key (file, group, "DBusActivatable", NULL));
  g_assert_false (g_key_file_has_key (file, group, "Path", NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) in = g_bytes_new_static (data, size);
  g_autoptr (GBytes) out = vtree_export_desktop (in, &runner, &error);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  if (out == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_assert_true (g_key_file_load_from_bytes (file, out, G_KEY_FILE_NONE, NULL));
  g_auto (GStrv) groups = g_key_file_get_groups (file, NULL);
  for (char **group = groups; *group != NULL; group++)
    check_group (file, *group);
  if (g_bytes_get_size (out) < VTREE_EXPORT_TEXT_MAX) {
    g_autoptr (GBytes) again = vtree_export_desktop (out, &runner, &error);
    g_assert_no_error (error);
  }
  return 0;
}
