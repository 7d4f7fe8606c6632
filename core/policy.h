/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has to verify: the same words at init, commit, mount and checkout.
 */
#pragma once

#include <stdbool.h>

typedef enum {
  VTREE_VERITY_AUTO = 0, /* the kernel where it can, else the daemon */
  VTREE_VERITY_REQUIRE,  /* the kernel or an error */
  VTREE_VERITY_OFF,      /* nobody verifies */
} VtreeVerityPolicy;

/* "auto", "require", "off". False, and *POLICY untouched, for anything else. */
bool vtree_verity_policy_parse (const char *text, VtreeVerityPolicy *policy);
const char *vtree_verity_policy_name (VtreeVerityPolicy policy);
