/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text form of a digest, as it stands in statements and on command lines. */
#include "core/digest.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  VtreeDigest digest;
  if (!vtree_digest_parse (text, &digest, NULL))
    return 0;
  /* One digest, one text. */
  char again[VTREE_DIGEST_TEXT_MAX];
  g_assert_cmpstr (vtree_digest_format (&digest, again), ==, text);
  g_assert_true (vtree_digest_looks_like (text));
  return 0;
}
