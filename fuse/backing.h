/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passthrough as the kernel (6.9) and libfuse (3.17) know it: a file that is registered
 * with the connection serves the reads and mappings of those who open an inode of
 * ours. Facts: Documentation/filesystems/fuse/fuse-passthrough.rst. Built against an
 * older libfuse, backing-none.c stands in the place of backing.c.
 */
#pragma once

#include "fuse/library.h"

/* At INIT, when conn->want has been set: asks for passthrough. NULL, or why there is
 * none. Files that lie on a stacked filesystem (overlayfs) can't be registered; in
 * return, one stacked filesystem may lie on the mount. */
const char *vtree_backing_negotiate (struct fuse_conn_info *conn);

/* Registers FD with the connection DEVICE: 0 and *ID (more than 0), or -errno. The
 * kernel takes a reference; FD may be closed. Needs CAP_SYS_ADMIN, in the first user
 * namespace (-EPERM), as _forget does. */
int vtree_backing_register (int device, int fd, int32_t *id);
void vtree_backing_forget (int device, int32_t id);

/* In an answer to OPEN: the kernel serves the file by ID. */
void vtree_backing_set (struct fuse_file_info *fi, int32_t id);
