/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tree's vtree.ini says of exports, and what passes for an icon. */
#include "manifest/export-text.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) in = g_bytes_new_static (data, size);
  g_auto (VtreeExportWords) words = { .exports = false };
  if (vtree_export_check_icon (in, "x.png", NULL))
    g_assert_cmpuint (size, >=, 24);
  if (!vtree_export_parse_words (in, &words, &error)) {
    g_assert_null (strchr (error->message, '\n'));
    g_assert_null (words.commands);
    return 0;
  }
  for (char **command = words.commands; command != NULL && *command != NULL; command++)
    g_assert_true (vtree_export_is_simple (*command));
  return 0;
}
