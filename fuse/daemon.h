/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a mounted connection to a daemon that serves it: processes, privileges, the wait
 * until the tree is usable.
 */
#pragma once

#include "fuse/log.h"
#include "fuse/options.h"
#include "fuse/origin.h"

#include <sys/types.h>

typedef struct {
  const VtreeOrigin *origin;
  const VtreeMountOptions *options;
  VtreeLog *log;
  const char *source;
  const char *dir;   /* the mount point, absolute */
  GPtrArray *notes;  /* char *: what has to be said in the log */
  int device;        /* the connection; taken */
  int handoff;       /* a descriptor that the daemon closes, or -1; borrowed */
  int notify;        /* another one */
  pid_t parent;      /* whose end is the daemon's too; 0: nobody's */
  VtreeFsOptions fs; /* without descriptors, which the daemon counts itself */
} VtreeDaemonOptions;

typedef struct {
  pid_t daemon, keeper;
} VtreeProcesses;

/* Starts daemon and keeper, children of ours, and waits until the root of the mount
 * answers. On an error nothing is left mounted or running. Call while there is one
 * thread. */
bool vtree_daemon_start_take (const VtreeDaemonOptions *options,
                              VtreeProcesses *processes, GError **error);
