/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The .sig file: one text for what it says, and merging and adding keep it readable. */
#include "core/signature.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
assert_readable (const VtreeSignatures *signatures)
{
  g_autoptr (GBytes) bytes = vtree_signatures_serialize (signatures);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeSignatures) again = vtree_signatures_parse (
    g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_signatures_count (again), ==,
                    vtree_signatures_count (signatures));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_parse (data, size, &error);
  if (signatures == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_autoptr (GBytes) bytes = vtree_signatures_serialize (signatures);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
  g_assert_true (size == 0 || memcmp (g_bytes_get_data (bytes, NULL), data, size) == 0);
  static const uint8_t value[VTREE_SIGNATURE_SIZE];
  g_autoptr (VtreeSignatures) other = vtree_signatures_new ();
  if (!vtree_signatures_merge (other, signatures, NULL))
    return 0;
  for (size_t i = 0; i < vtree_signatures_count (signatures); i++)
    vtree_signatures_add (other, &vtree_signatures_peek (signatures, i)->id, value,
                          NULL);
  assert_readable (other);
  return 0;
}
