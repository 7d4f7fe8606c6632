/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file's seal: what is accepted is written again as it was, byte for byte. */
#include "manifest/file-seal.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_statement (const void *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeFileSeal) seal = vtree_file_seal_parse (data, size, &error);
  if (seal == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return;
  }
  g_autoptr (GBytes) again = vtree_file_seal_serialize (seal);
  g_assert_cmpuint (g_bytes_get_size (again), ==, size);
  g_assert_true (memcmp (g_bytes_get_data (again, NULL), data, size) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) whole = g_bytes_new_static (data, size);
  g_autoptr (GBytes) statement = NULL;
  g_autoptr (GBytes) lines = NULL;
  g_autoptr (VtreeSignatures) signatures = NULL;
  check_statement (data, size);
  if (!vtree_file_seal_split (whole, &statement, &lines, NULL))
    return 0;
  check_statement (g_bytes_get_data (statement, NULL), g_bytes_get_size (statement));
  signatures = vtree_signatures_parse (g_bytes_get_data (lines, NULL),
                                       g_bytes_get_size (lines), NULL);
  if (signatures == NULL)
    return 0;
  g_autoptr (GBytes) joined = vtree_file_seal_join (statement, signatures);
  g_assert_true (g_bytes_equal (joined, whole));
  return 0;
}
