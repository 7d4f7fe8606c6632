/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/version.h"

const char *
vtree_version (void)
{
  return VTREE_VERSION;
}
