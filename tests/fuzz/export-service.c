/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A D-Bus service that is exported has its name and starts `vtree run`, and has no
 * other key. */
#include "manifest/export-text.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define GROUP "D-BUS Service"
#define RUN "/usr/bin/vtree run org.x -- "

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const VtreeExportRunner runner = { "/usr/bin/vtree", "org.x", false };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) in = g_bytes_new_static (data, size);
  g_autoptr (GBytes) out = vtree_export_service (in, "org.x", &runner, &error);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  gsize keys = 0;
  if (out == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_assert_true (g_key_file_load_from_bytes (file, out, G_KEY_FILE_NONE, NULL));
  g_autofree char *name = g_key_file_get_string (file, GROUP, "Name", NULL);
  g_autofree char *exec = g_key_file_get_string (file, GROUP, "Exec", NULL);
  g_autofree char *raw = g_key_file_get_value (file, GROUP, "Exec", NULL);
  g_auto (GStrv) names = g_key_file_get_keys (file, GROUP, &keys, NULL);
  g_assert_cmpuint (keys, ==, 2);
  g_assert_cmpstr (name, ==, "org.x");
  g_assert_true (g_str_has_prefix (exec, RUN));
  /* Whoever reads it, with or without escapes, reads the same. */
  g_assert_cmpstr (exec, ==, raw);
  return 0;
}
