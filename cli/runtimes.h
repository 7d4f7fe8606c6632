/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trees whose /usr applications stand on, beside the deployments:
 * runtimes/MANIFEST/{files,lease,origin}, each mounted once for all that run on it, and
 * gone when deployments are changed and nothing does. What is mounted there is resolved
 * at each run, as any mount is.
 */
#pragma once

#include "cli/deployed.h"
#include "core/digest.h"

typedef struct {
  char *files; /* where it is mounted */
  VtreeFd lease;
} VtreeRuntime;

/* clang-format off */
#define VTREE_RUNTIME_INIT { .lease = -1 }
/* clang-format on */

/* Ends the lease; the mount stays. */
void vtree_runtime_clear (VtreeRuntime *runtime);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeRuntime, vtree_runtime_clear)

/* How a runtime is found and mounted. */
typedef struct {
  const VtreeDeployed *deployed;
  const char *name;                     /* of the application */
  const VtreeDeployOrigin *application; /* whose repository has the runtime */
  bool private;                         /* in a mount namespace of this run's own */
} VtreeRuntimeMode;

/* Resolves REF, mounts its tree unless it is mounted, and leases it until RUNTIME
 * (VTREE_RUNTIME_INIT) is cleared. Errors: those of vtree_resolve() and of the mount
 * helper. */
bool vtree_runtime_mount (const VtreeRuntimeMode *mode, const char *ref,
                          VtreeRuntime *runtime, GError **error);

/* Unmounts and removes those of this user that nothing runs on. The caller changes the
 * deployments. */
bool vtree_runtimes_clean (const VtreeDeployed *deployed, GError **error);

/* What there is to say of one. */
typedef struct {
  const VtreeDeployOrigin *origin; /* by which name it was mounted first */
  const char *files;
  bool running;
} VtreeRuntimeState;

/* Hands each of this user's to APPLY, which returns false to end with its error. */
bool vtree_runtimes_each (const VtreeDeployed *deployed,
                          bool (*apply) (void *data, const VtreeRuntimeState *state,
                                         GError **error),
                          void *data, GError **error);
