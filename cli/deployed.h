/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs of deployments share: where they are, what may be deployed, and which
 * versions of a deployment nobody needs.
 */
#pragma once

#include "cli/command.h"
#include "manifest/deploy.h"
#include "manifest/resolve.h"

typedef struct {
  const VtreeCli *cli;
  VtreePaths *paths;
  VtreeDeployments *all;
} VtreeDeployed;

/* Frees what DEPLOYED holds; a zeroed one is fine. */
void vtree_deployed_clear (VtreeDeployed *deployed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeDeployed, vtree_deployed_clear)

/* The deployments of this user, or with SYSTEM the system's, which only root changes;
 * into the zeroed DEPLOYED. */
bool vtree_deployed_open (const VtreeCli *cli, bool system, VtreeDeploymentsMode mode,
                          VtreeDeployed *deployed, GError **error);

/* Resolves SPEC in REPO (locked by the caller) and looks whether all of it is there:
 * the manifest in full, each object's presence. Where a mark is raised, what was forced
 * is noted. */
VtreeResolved *vtree_deployed_examine (const VtreeDeployed *deployed,
                                       const VtreeRepo *repo, const VtreeRefSpec *spec,
                                       const VtreeResolveOptions *options,
                                       GError **error);

/* Makes RESOLVED, which REPO has, a version of NAME and the active one, and removes
 * what nobody needs any more. */
bool vtree_deployed_install (const VtreeDeployed *deployed, const char *name,
                             const VtreeRepo *repo, const VtreeResolved *resolved,
                             GError **error);

/* Removes versions of NAME beyond the KEEP newest that are neither active nor pinned
 * nor in use. */
bool vtree_deployed_prune (const VtreeDeployed *deployed, const char *name,
                           unsigned keep, GError **error);

/* Unmounts VERSION of NAME if it is mounted; FORCE: also where it is in use. Errors:
 * VTREE_ERROR_BUSY. */
bool vtree_deployed_unmount (const VtreeDeployed *deployed, const char *name,
                             uint64_t version, bool force, GError **error);

/* *MOUNTED: something is mounted for VERSION of NAME. */
bool vtree_deployed_is_mounted (const VtreeDeployed *deployed, const char *name,
                                uint64_t version, bool *mounted, GError **error);

/* *HOLDER (to be freed) says which deployment of this user or the system needs VERSION
 * of REF in REPO; NULL: none. */
bool vtree_deployed_find_holder (const VtreePaths *paths, const VtreeRepo *repo,
                                 const char *ref, uint64_t version, char **holder,
                                 GError **error);
