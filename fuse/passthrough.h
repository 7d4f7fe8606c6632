/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io=passthrough: which inodes are open, and whether the kernel serves them itself from
 * the object's file, or asks the daemon. The only state that is kept for open files.
 * Thread-safe.
 *
 * The kernel serves an inode in one of the two ways at a time, and by one file: an OPEN
 * that is answered otherwise than those before it fails with EIO. So the first open of
 * an inode decides, by who enforces the object, and all others share its backing id
 * until the last one has been released. The kernel has let go of an open file before it
 * sends its RELEASE, so what is counted here is never less than what the kernel counts.
 */
#pragma once

#include "fuse/fs.h"

typedef struct VtreePassthrough VtreePassthrough;

/* Registering files with the kernel, as vtree_backing_register() and _forget() do. */
typedef struct {
  int (*open) (int device, int fd, int32_t *id);
  void (*close) (int device, int32_t id);
} VtreeBackingCalls;

/* CALLS (constant), FS and LOG are borrowed, and so is DEVICE, the connection. */
VtreePassthrough *vtree_passthrough_new (const VtreeBackingCalls *calls, int device,
                                         VtreeFs *fs, VtreeLog *log);
/* What is registered then goes with the connection. */
void vtree_passthrough_free (VtreePassthrough *passthrough);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePassthrough, vtree_passthrough_free)

/* From here on everything is the daemon's; WHY is said in the log, once. */
void vtree_passthrough_give_up (VtreePassthrough *passthrough, const char *why);
bool vtree_passthrough_is_on (VtreePassthrough *passthrough);

/* An open of NODE. 0: it is counted, and *BACKING is the id that the kernel serves it
 * by, or 0 where the daemon does. Else as vtree_fs_open(), and nothing is counted. */
int vtree_passthrough_open (VtreePassthrough *passthrough, uint64_t node,
                            int32_t *backing);

/* One of them has been released, or its answer did not reach the kernel. */
void vtree_passthrough_release (VtreePassthrough *passthrough, uint64_t node);

/* Adds what there is to say of it. */
void vtree_passthrough_status (VtreePassthrough *passthrough,
                               struct vtree_status *status);
