/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree status --store`: what the repository holds, and in what. */
#pragma once

#include "cli/command.h"

/* Prints the answer. Errors: vtree_usage_find()'s, and that of opening the
 * repository. */
bool vtree_store_status (const VtreeCli *cli, GError **error);
