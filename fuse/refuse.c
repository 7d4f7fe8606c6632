/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Refusing requests. Speaks to /dev/fuse itself: libfuse's session has died.
 */
#include "fuse/refuse.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The kernel wants room for the largest request that libfuse settled on: a page for the
 * header, 1 MiB of a WRITE. */
#define REQUEST_MAX (1024 * 1024 + 2 * 4096)
int
vtree_refuse_prepare (int device)
{
  uint32_t other = (uint32_t) device;
  g_auto (VtreeFd) fd = open ("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || ioctl (fd, FUSE_DEV_IOC_CLONE, &other) != 0)
    return -1;
  return vtree_fd_steal (&fd);
}

static bool
has_request (int device, int moment)
{
  struct pollfd pollfd = { .fd = device, .events = POLLIN };
  int count;
  while ((count = poll (&pollfd, 1, moment)) < 0 && errno == EINTR)
    continue;
  return count == 1 && (pollfd.revents & POLLERR) == 0;
}

static bool
wants_answer (uint32_t opcode)
{
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET
         && opcode != FUSE_INTERRUPT;
}

/* Takes one request into BUFFER and refuses it; false: there is none. */
static bool
refuse (int device, uint8_t *buffer)
{
  struct fuse_in_header header;
  ssize_t got = read (device, buffer, REQUEST_MAX);
  /* ENOENT, EAGAIN: whoever asked has gone. */
  if (got < 0)
    return errno == EINTR || errno == EAGAIN || errno == ENOENT;
  if (got < (ssize_t) sizeof header)
    return false;
  memcpy (&header, buffer, sizeof header);
  if (!wants_answer (header.opcode))
    return true;
  struct fuse_out_header answer
    = { .len = sizeof answer, .error = -ENOTCONN, .unique = header.unique };
  return write (device, &answer, sizeof answer) >= 0 || errno == ENOENT;
}

bool
vtree_refuse_next (int device, int moment)
{
  if (!has_request (device, moment))
    return false;
  g_autofree uint8_t *buffer = g_try_malloc (REQUEST_MAX);
  return buffer != NULL && refuse (device, buffer);
}
