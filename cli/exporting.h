/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs of deployments have to do with exports: collecting them from a tree,
 * and switching them with the active version.
 */
#pragma once

#include "cli/deployed.h"

/* What RESOLVED, which REPO has, exports as NAME; what it does not is said. */
VtreeExports *vtree_exporting_collect (const VtreeDeployed *deployed, const char *name,
                                       const VtreeRepo *repo,
                                       const VtreeResolved *resolved, GError **error);

/* Makes VERSION of NAME the active one, with what it exports. */
bool vtree_exporting_switch (const VtreeDeployed *deployed, const char *name,
                             uint64_t version, GError **error);

/* Makes what is exported what the active versions export. */
bool vtree_exporting_update (const VtreeDeployed *deployed, GError **error);
