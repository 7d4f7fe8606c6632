/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passthrough, where libfuse does not know it: there is none.
 */
#include "fuse/backing.h"

#include <errno.h>

const char *
vtree_backing_negotiate (struct fuse_conn_info *conn)
{
  (void) conn;
  return "this build's libfuse has no passthrough (3.17 has)";
}

int
vtree_backing_register (int device, int fd, int32_t *id)
{
  (void) device, (void) fd;
  *id = 0;
  return -EOPNOTSUPP;
}

void
vtree_backing_forget (int device, int32_t id)
{
  (void) device, (void) id;
}

void
vtree_backing_set (struct fuse_file_info *fi, int32_t id)
{
  (void) fi, (void) id;
}
