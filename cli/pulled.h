/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of a version that has been brought into the repository. */
#pragma once

#include "cli/command.h"
#include "cli/json.h"
#include "manifest/pull.h"

/* On stderr what was new, forced and left; the answer into JSON (an array is open), or
 * a line on stdout if that is NULL. */
void vtree_pulled_print (const VtreeCli *cli, const VtreePullResult *result,
                         VtreeJson *json);
