/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root statement: what is accepted can be written again, and has one canonical
 * form. */
#include "manifest/statement.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static GBytes *
serialize (const VtreeStatement *statement)
{
  g_autoptr (GError) error = NULL;
  GBytes *bytes = vtree_statement_serialize (statement, &error);
  g_assert_no_error (error);
  return bytes;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStatement) statement = vtree_statement_parse (data, size, &error);
  if (statement == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_autoptr (GBytes) first = serialize (statement);
  g_assert_cmpuint (g_bytes_get_size (first), ==, size);
  g_autoptr (VtreeStatement) again = vtree_statement_parse (
    g_bytes_get_data (first, NULL), g_bytes_get_size (first), &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) second = serialize (again);
  g_assert_true (g_bytes_equal (first, second));
  return 0;
}
