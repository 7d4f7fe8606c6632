/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The deployments of one user, or of the system: DIR/NAME/VERSION/{files,origin,lease}
 * and DIR/NAME/active, a symbolic link to the version that is run. Nothing here judges
 * a signature or reads a tree: see doc/deployments.md for the order in which the verbs
 * use it.
 *
 *   all = vtree_deployments_open (dir, VTREE_DEPLOYMENTS_CHANGE, wait, &error);
 *   vtree_deployments_add (all, "hello", origin, exports, &seal, &error);
 *   vtree_deployments_prepare_exports (all, "hello", 7, notes, &error);
 *   vtree_deployments_activate (all, "hello", 7, &error);    switches the exports, too
 *   vtree_deployments_update_exports (all, notes, &error);
 *   vtree_deployments_free (all);
 *
 * Each change is durable when it returns, and a kill at any moment leaves `active`
 * naming a whole version. Not thread-safe.
 */
#pragma once

#include "core/fd.h"
#include "core/seal.h"
#include "manifest/deploy-origin.h"
#include "manifest/exports.h"

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

/* Leases VERSION of NAME until *FD (owned) is closed: nothing removes it meanwhile.
 * *FD is -1 where it has gone. */
bool vtree_deployments_lease (const VtreeDeployments *all, const char *name,
                              uint64_t version, VtreeFd *fd, GError **error);

/* One who mounts it: locks VERSION of NAME until *FD is closed. Errors:
 * VTREE_ERROR_BUSY. */
bool vtree_deployments_lock_version (const VtreeDeployments *all, const char *name,
                                     uint64_t version, int wait, VtreeFd *fd,
                                     GError **error);

/* --- with VTREE_DEPLOYMENTS_CHANGE ------------------------------------------------ */

/* Removes what killed processes left of any. */
bool vtree_deployments_clean (const VtreeDeployments *all, GError **error);

/* Makes ORIGIN's version of NAME, sealed as SEAL says; of one that is there with the
 * same manifest only the EXPORTS are made anew, and where it came from another
 * repository or ref, that is replaced. Removes what killed processes left of
 * NAME. Errors: VTREE_ERROR_FAILED (it is there with another manifest),
 * VTREE_ERRNO_ERROR. */
bool vtree_deployments_add (const VtreeDeployments *all, const char *name,
                            const VtreeDeployOrigin *origin,
                            const VtreeExports *exports, const VtreeSeal *seal,
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

/* --- what is exported -------------------------------------------------------------
 *
 * A version's directory has what it exports; DIR/../exports/{share,bin} has links to
 * DIR/NAME/active/exports/…, so that `active` alone switches all of them. A file whose
 * name begins with the names of two deployments is the longer one's. NOTES (char *)
 * gets a line for each file that is another's now. */

/* Makes the links for what VERSION exports and what has none yet. */
bool vtree_deployments_prepare_exports (const VtreeDeployments *all, const char *name,
                                        uint64_t version, GPtrArray *notes,
                                        GError **error);

/* Makes all links what they shall be: there for all that an active version exports, and
 * no others. Repairs whatever was interrupted. What is no link of ours is left. */
bool vtree_deployments_update_exports (const VtreeDeployments *all, GPtrArray *notes,
                                       GError **error);

/* DIR/../exports. To be freed. */
char *vtree_deployments_exports (const VtreeDeployments *all);
