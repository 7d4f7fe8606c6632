/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing. Owns the pushing thread's descriptors.
 */
#include "fuse/push.h"

#include "core/error.h"
#include "fuse/library.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Descriptors of the thread's own: a connection in the place of DEVICE, and none that
 * keeps the keeper waiting. */
static bool
separate (const VtreePush *push, GError **error)
{
  uint32_t other = (uint32_t) push->device;
  if (unshare (CLONE_FILES) != 0)
    return vtree_error_set_errno (error, errno, "unshare descriptors");
  g_auto (VtreeFd) fd = open ("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0 || ioctl (fd, FUSE_DEV_IOC_CLONE, &other) != 0
      || dup3 (fd, push->device, O_CLOEXEC) < 0)
    return vtree_error_set_errno (error, errno, "/dev/fuse");
  vtree_fd_close (push->keeper);
  return true;
}

static VtreeStore *
begin (void *context)
{
  const VtreePush *push = context;
  g_autoptr (GError) error = NULL;
  VtreeStore *store
    = separate (push, &error) ? vtree_store_dup (push->store, &error) : NULL;
  if (store == NULL)
    vtree_log_write (push->log, VTREE_LOG_WARNING,
                     "prefetch: nothing can be read ahead: %s", error->message);
  return store;
}

static int
store (void *context, uint64_t node, const void *data, size_t size)
{
  const VtreePush *push = context;
  struct fuse_bufvec bytes = FUSE_BUFVEC_INIT (size);
  bytes.buf[0].mem = (void *) data;
  return fuse_lowlevel_notify_store (push->session, node, 0, &bytes, 0);
}

/* The kernel lets whoever joins the thread go on before it closes what the thread had:
 * who looks then has to find the connection ended. */
static void
finish (void *context)
{
  const VtreePush *push = context;
  vtree_fd_close (push->device);
}

const VtreePrefetchCalls *
vtree_push_calls (void)
{
  static const VtreePrefetchCalls calls = { begin, store, finish };
  return &calls;
}
