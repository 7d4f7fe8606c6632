/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The deployments of one user, or of the system: DIR/NAME/VERSION/{files,origin,lease}
 * and DIR/NAME/active, a symbolic link to the version that is run. Nothing here judges
 * a signature or reads a tree: see doc/deployments.md for the order in which the verbs
 * use it.
 *
 *   all = vtree_deployments_open (dir, VTREE_DEPLOYMENTS_CHANGE, wait, &error);
 *   vtree_deployments_add (all, "hello", origin, &seal, &error);
 *   vtree_deployments_activate (all, "hello", 7, &error);        the last step
 *   vtree_deployments_free (all);
 *
 * Each change is durable when it returns, and a kill at any moment leaves `active`
 * naming a whole version. Not thread-safe.
 */
#pragma once

#include "core/fd.h"
#include "core/seal.h"
#include "manifest/deploy-origin.h"

typedef struct VtreeDeployments VtreeDeployments;

typedef enum {
  VTREE_DEPLOYMENTS_LOOK,   /* no lock; a DIR that is missing has none */
  VTREE_DEPLOYMENTS_CHANGE, /* the one who changes them; DIR is made */
} VtreeDeploymentsMode;

typedef struct {
  VtreeDeployOrigin *origin;
  bool pinned;
  bool leased; /* something runs from it */
} VtreeDeployedVersion;

typedef struct {
  char *name;
  bool has_active;
  uint64_t active;
  bool held;           /* rolled back: a bare upgrade passes over it */
  GPtrArray *versions; /* VtreeDeployedVersion *, ascending */
} VtreeDeployment;

void vtree_deployment_free (VtreeDeployment *deployment);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeDeployment, vtree_deployment_free)

/* VERSION of it, or NULL; borrowed. */
const VtreeDeployedVersion *vtree_deployment_find (const VtreeDeployment *deployment,
                                                   uint64_t version);

/* Opens DIR (absolute). Waits at most WAIT seconds for who changes something just now.
 * Errors: VTREE_ERROR_BUSY, VTREE_ERROR_UNTRUSTED (others can write there),
 * VTREE_ERRNO_ERROR. */
VtreeDeployments *vtree_deployments_open (const char *dir, VtreeDeploymentsMode mode,
                                          int wait, GError **error);
void vtree_deployments_free (VtreeDeployments *all);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeDeployments, vtree_deployments_free)

/* True for what can be a deployment's NAME, one component of a ref; else
 * VTREE_ERROR_INVALID. */
bool vtree_deployments_check_name (const char *name, GError **error);

/* All names, sorted, NULL-terminated. */
char **vtree_deployments_list (const VtreeDeployments *all, GError **error);

/* What NAME has. Errors: VTREE_ERROR_MISSING, VTREE_ERROR_CORRUPT (an origin that is
 * malformed or another version's, an active version that is not there). */
VtreeDeployment *vtree_deployments_load (const VtreeDeployments *all, const char *name,
                                         GError **error);

/* DIR/NAME/VERSION/files, the mount point. To be freed. */
char *vtree_deployments_files (const VtreeDeployments *all, const char *name,
                               uint64_t version);

/* --- with VTREE_DEPLOYMENTS_CHANGE ------------------------------------------------ */

/* Makes ORIGIN's version of NAME, sealed as SEAL says; one that is there with the same
 * manifest is left. Removes what killed processes left of NAME. Errors:
 * VTREE_ERROR_FAILED (it is there with another manifest), VTREE_ERRNO_ERROR. */
bool vtree_deployments_add (const VtreeDeployments *all, const char *name,
                            const VtreeDeployOrigin *origin, const VtreeSeal *seal,
                            GError **error);

/* Makes VERSION, which is there, the active one, atomically. */
bool vtree_deployments_activate (const VtreeDeployments *all, const char *name,
                                 uint64_t version, GError **error);

/* Sets or clears what VtreeDeployedVersion calls pinned, VtreeDeployment held. */
bool vtree_deployments_set_pinned (const VtreeDeployments *all, const char *name,
                                   uint64_t version, bool pinned, GError **error);
bool vtree_deployments_set_held (const VtreeDeployments *all, const char *name,
                                 bool held, GError **error);

/* Removes one version. Errors: VTREE_ERROR_BUSY (active, leased or mounted). */
bool vtree_deployments_remove_version (const VtreeDeployments *all, const char *name,
                                       uint64_t version, GError **error);

/* Removes NAME with all versions, `active` first. FORCE: also what is leased or
 * malformed. Errors: VTREE_ERROR_MISSING, VTREE_ERROR_BUSY (leased; mounted). */
bool vtree_deployments_remove (const VtreeDeployments *all, const char *name,
                               bool force, GError **error);
