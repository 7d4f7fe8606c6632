/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection with the kernel: libfuse's session over an open /dev/fuse, served by
 * as many threads as there are processors until it is unmounted or told to end.
 */
#pragma once

#include "core/fd.h"
#include "fuse/fs.h"

typedef struct {
  VtreeFs *fs;
  int device; /* the mounted connection; taken */
  /* called from a thread of the session when INIT is being answered */
  void (*ready) (void *context);
  void *ready_context;
} VtreeSessionOptions;

/* Serves. *UNMOUNTED: the mount has gone; else a signal (SIGTERM, SIGINT, SIGHUP) ended
 * it, and it is there still, though dead. The connection is closed in any case. */
bool vtree_session_run_take (const VtreeSessionOptions *options, bool *unmounted,
                             GError **error);
