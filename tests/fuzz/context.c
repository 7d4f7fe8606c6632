/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tree's vtree.ini asks to see of the host, and what is saved of it. */
#include "cli/context.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* No word puts the host's files in the place of what is signed. */
static void
check_place (const char *place)
{
  static const char *const own[] = { "/usr/", "/app/", "/bin/", "/lib/", "/etc/" };
  g_autofree char *whole = g_strconcat (place, "/", NULL);

  g_assert_true (place[0] == '/' || g_str_has_prefix (place, "host"));
  g_assert_cmpstr (place, !=, "/");
  g_assert_null (strstr (whole, "/../"));
  for (size_t i = 0; i < G_N_ELEMENTS (own); i++)
    g_assert_false (g_str_has_prefix (whole, own[i]));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VtreeContext) context = vtree_context_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GList) places = NULL;

  if (size == 0
      || !g_key_file_load_from_data (file, (const char *) data, size, G_KEY_FILE_NONE,
                                     NULL))
    return 0;
  if (!vtree_context_load (context, file, true, &error)) {
    g_assert_null (strchr (error->message, '\n'));
    g_assert_null (strchr (error->message, '\033'));
  }
  places = vtree_context_list_places (context);
  for (GList *place = places; place != NULL; place = place->next)
    check_place (place->data);
  return 0;
}
