/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passthrough, where libfuse knows it. Owns the ioctls of /dev/fuse for it: libfuse's
 * own wrappers want a request, lose errno, and log each failure. Knows nothing of
 * inodes and objects.
 */
#include "fuse/backing.h"

#include <errno.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>

const char *
vtree_backing_negotiate (struct fuse_conn_info *conn)
{
  if ((conn->capable & FUSE_CAP_PASSTHROUGH) == 0)
    return "the kernel has no passthrough (Linux 6.9 has)";
  conn->want |= FUSE_CAP_PASSTHROUGH;
  conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
  return NULL;
}

int
vtree_backing_register (int device, int fd, int32_t *id)
{
  struct fuse_backing_map map = { .fd = fd };
  int result = ioctl (device, FUSE_DEV_IOC_BACKING_OPEN, &map);
  if (result < 0)
    return -errno;
  *id = result;
  return 0;
}

void
vtree_backing_forget (int device, int32_t id)
{
  uint32_t unsigned_id = (uint32_t) id;
  /* An id that the kernel does not have goes with the connection. */
  (void) ioctl (device, FUSE_DEV_IOC_BACKING_CLOSE, &unsigned_id);
}

void
vtree_backing_set (struct fuse_file_info *fi, int32_t id)
{
  fi->backing_id = id;
}
