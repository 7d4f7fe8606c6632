/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A deployment's origin: what is accepted is exactly what is written. */
#include "manifest/deploy-origin.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeDeployOrigin) origin = vtree_deploy_origin_parse (data, size, &error);
  if (origin == NULL) {
    g_assert_null (strchr (error->message, '\n'));
    return 0;
  }
  g_autoptr (GBytes) bytes = vtree_deploy_origin_serialize (origin);
  g_autoptr (GBytes) whole = g_bytes_new_static (data, size);
  g_assert_true (g_bytes_equal (bytes, whole));
  g_assert_true (g_path_is_absolute (origin->repository));
  return 0;
}
