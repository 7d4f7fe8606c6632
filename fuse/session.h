/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection with the kernel: libfuse's session over an open /dev/fuse, served by
 * as many threads as there are processors until it is unmounted or told to end.
 */
#pragma once

#include "core/fd.h"
#include "fuse/passthrough.h"

typedef struct {
  VtreeFs *fs;
  VtreePassthrough *passthrough; /* NULL: not asked for */
  const VtreeStore *store;       /* what FS reads */
  VtreeLog *log;
  uint64_t prefetch; /* bytes to push for one request at most; 0: nothing is pushed */
  bool io_uring;     /* where it is to be had */
  int device;        /* the mounted connection; taken */
  /* called once, when what the kernel can do has been settled, while there is one
   * thread; false ends the session with its error */
  bool (*ready) (void *context, GError **error);
  void *ready_context;
} VtreeSessionOptions;

/* Serves. *UNMOUNTED: the mount has gone; else a signal (SIGTERM, SIGINT, SIGHUP) ended
 * it, and it is there still, though dead. The connection is closed in any case. */
bool vtree_session_run_take (const VtreeSessionOptions *options, bool *unmounted,
                             GError **error);
