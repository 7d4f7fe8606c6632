/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the words for VtreeVerityPolicy. What they mean is object.c's and ingest's.
 */
#include "core/policy.h"

#include <glib.h>
#include <string.h>

static const char *const names[] = {
  [VTREE_VERITY_AUTO] = "auto",
  [VTREE_VERITY_REQUIRE] = "require",
  [VTREE_VERITY_OFF] = "off",
};

bool
vtree_verity_policy_parse (const char *text, VtreeVerityPolicy *policy)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    if (strcmp (names[i], text) == 0) {
      *policy = (VtreeVerityPolicy) i;
      return true;
    }
  }
  return false;
}

const char *
vtree_verity_policy_name (VtreeVerityPolicy policy)
{
  g_assert ((size_t) policy < G_N_ELEMENTS (names));
  return names[policy];
}
