/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that stays in the foreground while a daemon serves: what a service
 * manager, or a person at a terminal, has started and can end.
 */
#pragma once

#include "fuse/daemon.h"
#include "fuse/notify.h"

typedef struct {
  const char *source, *dir; /* dir: absolute */
  const VtreeNotify *notify;
} VtreeSupervision;

/* From here on the signals that end us wait for _run. Call before the daemon is
 * started. */
void vtree_supervise_prepare (void);

/* Says READY=1, then waits for the end of the daemon: of its own accord, since the tree
 * was unmounted, or because a SIGTERM, SIGINT or SIGHUP to us was handed on to it.
 * While the mount answers, WATCHDOG=1 is said twice in the time that the manager gives.
 * When this returns the keeper has ended too. An error where the daemon failed or was
 * killed; its dead mount has been detached then. */
bool vtree_supervise_run (const VtreeSupervision *supervision,
                          const VtreeProcesses *processes, GError **error);
