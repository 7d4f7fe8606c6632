/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in the place of sha256-pair.c where the processor is another one.
 */
#include "core/sha256-pair.h"

#include <glib.h>

bool
vtree_sha256_pair_is_there (void)
{
  return false;
}

void
vtree_sha256_pair (const uint8_t *a, const uint8_t *b, size_t size,
                   uint8_t hash_a[VTREE_SHA256_SIZE], uint8_t hash_b[VTREE_SHA256_SIZE])
{
  (void) a, (void) b, (void) size, (void) hash_a, (void) hash_b;
  g_assert_not_reached ();
}
