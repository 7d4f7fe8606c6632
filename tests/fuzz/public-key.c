/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PEM public key: what is accepted is written as OpenSSL does, has the same id, and
 * can be asked about a signature. */
#include "core/key.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePublicKey) key = vtree_public_key_new_from_pem (data, size, &error);
  if (key == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_autofree char *pem = vtree_public_key_to_pem (key);
  g_autoptr (VtreePublicKey) again
    = vtree_public_key_new_from_pem (pem, strlen (pem), &error);
  g_assert_no_error (error);
  g_assert_true (
    vtree_key_id_equal (vtree_public_key_id (key), vtree_public_key_id (again)));
  /* All zeros is a signature that only a key of low order could have made. */
  static const uint8_t signature[VTREE_SIGNATURE_SIZE];
  vtree_public_key_verify (key, data, size, signature);
  return 0;
}
