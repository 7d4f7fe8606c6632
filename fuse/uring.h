/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests by io_uring as the kernel (6.14, if its parameter fuse.enable_uring says so)
 * and libfuse (3.18, built with liburing) know it: a ring and a thread of libfuse's for
 * each processor, which are there from INIT to the end of the session's loop. Facts:
 * Documentation/filesystems/fuse/fuse-io-uring.rst. Built against an older libfuse,
 * uring-none.c stands in the place of uring.c.
 *
 * Two things come by /dev/fuse still, which the session's loop reads as ever: FORGET,
 * and INTERRUPT, which libfuse can't bring together with a request of a ring.
 */
#pragma once

#include "fuse/library.h"

#include <glib.h>
#include <stdbool.h>

typedef struct VtreeUring VtreeUring;

/* One session's. END, with CONTEXT, is called by a ring's thread that ends after it has
 * given a request to _keep, before the request's memory goes: whoever answers such
 * requests has answered all of them when END returns. It may be called more than once,
 * and by several threads at a time. */
VtreeUring *vtree_uring_new (void (*end) (void *context), void *context);

/* After the session's loop. */
void vtree_uring_free (VtreeUring *uring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeUring, vtree_uring_free)

/* What fuse_session_new() has to be told for it, an argument; NULL: nothing. */
const char *vtree_uring_argument (void);

/* At INIT, when conn->want has been set: asks for it, where the kernel offers it and
 * lets this process have rings (the sysctl io_uring_disabled, seccomp); otherwise the
 * session goes by /dev/fuse, and the answer is false. */
bool vtree_uring_negotiate (struct fuse_conn_info *conn);

/* At the begin of each callback: the thread is not to be cancelled in the middle of it,
 * with whatever it has locked, as libfuse does with its rings' threads. */
void vtree_uring_enter (void);

/* Within REQ's callback: another thread is going to answer it. False: that can't be,
 * for want of memory. */
bool vtree_uring_keep (VtreeUring *uring, fuse_req_t req);

/* REQ came by a ring. */
bool vtree_uring_carries (fuse_req_t req);

/* Who waits for REQ, which came by a ring, has a signal to attend to. False where that
 * can't be seen: /proc is not there, or does not show the process. */
bool vtree_uring_is_interrupted (fuse_req_t req);
