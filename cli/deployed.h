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
  bool system; /* the system's, which all may run */
} VtreeDeployed;

/* Frees what DEPLOYED holds; a zeroed one is fine. */
void vtree_deployed_clear (VtreeDeployed *deployed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeDeployed, vtree_deployed_clear)

/* The deployments of this user, or with SYSTEM the system's, which only root changes;
 * into the zeroed DEPLOYED. */
bool vtree_deployed_open (const VtreeCli *cli, bool system, VtreeDeploymentsMode mode,
                          VtreeDeployed *deployed, GError **error);

/* Whether there is a deployment NAME in DIR, also one that can't be read. */
bool vtree_deployed_has (const char *dir, const char *name);

/* Resolves SPEC in REPO (locked by the caller) and looks whether all of it is there:
 * the manifest in full, each object's presence. Where a mark is raised, what was forced
 * is noted. */
VtreeResolved *vtree_deployed_examine (const VtreeDeployed *deployed,
                                       const VtreeRepo *repo, const VtreeRefSpec *spec,
                                       const VtreeResolveOptions *options,
                                       GError **error);

/* Opens the repository that ORIGIN, NAME's, came from. Errors: VTREE_ERROR_MISSING, it
 * is gone, with what can be done; those of vtree_repo_open(). */
VtreeRepo *vtree_deployed_open_origin (const char *name,
                                       const VtreeDeployOrigin *origin, GError **error);

/* Makes RESOLVED, which REPO has, a version of NAME and the active one, and removes
 * what nobody needs any more. */
bool vtree_deployed_install (const VtreeDeployed *deployed, const char *name,
                             const VtreeRepo *repo, const VtreeResolved *resolved,
                             GError **error);

/* Removes versions of NAME that are neither active nor pinned nor in use, but as many
 * of the newest as the configuration of REPO, which the active one is from, keeps. */
bool vtree_deployed_prune (const VtreeDeployed *deployed, const char *name,
                           const VtreeRepo *repo, GError **error);

/* Unmounts VERSION of NAME if it is mounted; FORCE: also where it is in use. Errors:
 * VTREE_ERROR_BUSY. */
bool vtree_deployed_unmount (const VtreeDeployed *deployed, const char *name,
                             uint64_t version, bool force, GError **error);

/* *HOLDER (to be freed) says which deployment of this user or the system needs VERSION
 * of REF in REPO; NULL: none. */
bool vtree_deployed_find_holder (const VtreePaths *paths, const VtreeRepo *repo,
                                 const char *ref, uint64_t version, char **holder,
                                 GError **error);
