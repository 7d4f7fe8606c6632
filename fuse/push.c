/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pushing. Owns the pushing thread's descriptors, and speaks to /dev/fuse itself.
 */
#include "fuse/push.h"

#include "core/fd.h"
#include "fuse/refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* The session's place, and a store's. */
#define KEPT (1 + VTREE_STORE_DESCRIPTORS)

static int
compare_descriptors (const void *a, const void *b)
{
  const int *left = a, *right = b;
  return (*left > *right) - (*left < *right);
}

/* Closes all but the standard ones and KEPT (sorted; those below 0 are none). */
static void
close_others (const int kept[KEPT])
{
  unsigned first = STDERR_FILENO + 1;
  for (unsigned i = 0; i < KEPT; i++) {
    if (kept[i] < (int) first)
      continue;
    if (kept[i] > (int) first)
      close_range (first, (unsigned) kept[i] - 1, 0);
    first = (unsigned) kept[i] + 1;
  }
  close_range (first, ~0U, 0);
}

/* Whether there is a connection to be had; while what is opened is everybody's. */
static bool
can_connect (const VtreePush *push)
{
  g_auto (VtreeFd) fd = vtree_refuse_prepare (push->device);
  if (fd < 0)
    vtree_log_write (push->log, VTREE_LOG_WARNING,
                     "prefetch: nothing can be read ahead: /dev/fuse: %s",
                     g_strerror (errno));
  return fd >= 0;
}

static VtreeStore *
begin (void *context)
{
  VtreePush *push = context;
  int kept[KEPT] = { push->device };
  if (!can_connect (push) || unshare (CLONE_FILES) != 0)
    return NULL;
  g_auto (VtreeFd) fd = vtree_refuse_prepare (push->device);
  if (fd < 0 || dup3 (fd, push->device, O_CLOEXEC) < 0)
    return NULL;
  VtreeStore *store = vtree_store_dup (push->store, NULL);
  if (store == NULL)
    return NULL;
  vtree_fd_replace_take (&fd, -1);
  vtree_store_peek_fds (store, kept + 1);
  qsort (kept, KEPT, sizeof *kept, compare_descriptors);
  close_others (kept);
  vtree_contention_begin (&push->contention);
  return store;
}

static int
push_all (void *context, uint64_t node, const void *data, size_t size)
{
  const VtreePush *push = context;
  struct fuse_notify_store_out store = { .nodeid = node, .size = (uint32_t) size };
  struct fuse_out_header header = { .error = FUSE_NOTIFY_STORE };
  header.len = (uint32_t) (sizeof header + sizeof store + size);
  struct iovec parts[]
    = { { &header, sizeof header }, { &store, sizeof store }, { (void *) data, size } };
  ssize_t written;
  while ((written = writev (push->device, parts, G_N_ELEMENTS (parts))) < 0
         && errno == EINTR)
    continue;
  return written < 0 ? -errno : 0;
}

static VtreeContentionLevel
judge (void *context)
{
  VtreePush *push = context;
  return vtree_contention_judge (&push->contention);
}

/* The kernel lets whoever joins the thread go on before it closes what the thread had:
 * who looks then has to find the connection ended. */
static void
finish (void *context)
{
  VtreePush *push = context;
  vtree_contention_end (&push->contention);
  vtree_fd_close (push->device);
}

const VtreePrefetchCalls *
vtree_push_calls (void)
{
  static const VtreePrefetchCalls calls = { begin, push_all, judge, finish };
  return &calls;
}
