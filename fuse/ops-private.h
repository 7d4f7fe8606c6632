/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of ops share; nobody else includes this.
 */
#pragma once

#include "fuse/ops.h"

/* What REQ's session works on; counts REQ as one of KIND. */
VtreeOps *vtree_ops_count (fuse_req_t req, VtreeRequestKind kind);

/* Callbacks of ops-file.c. RELEASE comes for files only: a kernel that gets ENOSYS for
 * OPENDIR sends no RELEASEDIR. */
void vtree_op_open (fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void vtree_op_read (fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *fi);
void vtree_op_release (fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
