/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io_uring, where libfuse does not know it: all requests come by /dev/fuse.
 */
#include "fuse/uring.h"

#include <stddef.h>

VtreeUring *
vtree_uring_new (void (*end) (void *context), void *context)
{
  (void) end, (void) context;
  return NULL;
}

void
vtree_uring_free (VtreeUring *uring)
{
  (void) uring;
}

const char *
vtree_uring_argument (void)
{
  return NULL;
}

bool
vtree_uring_negotiate (struct fuse_conn_info *conn)
{
  (void) conn;
  return false;
}

void
vtree_uring_enter (void)
{
}

bool
vtree_uring_keep (VtreeUring *uring, fuse_req_t req)
{
  (void) uring, (void) req;
  return true;
}

bool
vtree_uring_carries (fuse_req_t req)
{
  (void) req;
  return false;
}

bool
vtree_uring_is_interrupted (fuse_req_t req)
{
  (void) req;
  return false;
}
