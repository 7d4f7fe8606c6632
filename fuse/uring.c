/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io_uring, where libfuse knows it. Owns: how many requests a ring takes, and the key
 * by which a ring's thread knows at its end that somebody else still answers for it.
 */
#include "fuse/uring.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Requests that a ring holds, those that wait for another thread's answer included:
 * more than the kernel has of asynchronous ones under way (BACKGROUND_MAX in ops.c), or
 * those who wait for one huge file would keep all others waiting. Each has a buffer for
 * the largest READ (1 MiB), but of that only what was ever used is memory, and the
 * kernel takes the one that was used last. */
#define ARGUMENT "-oio_uring,io_uring_q_depth=72"
/* The bits of /proc/PID/status are hexadecimal. */
#define SIGNALS_BASE 16

struct VtreeUring {
  void (*end) (void *context);
  void *context;
  bool has_key;
  pthread_key_t key; /* has a value in threads that gave a request away */
};

static void
thread_ends (void *data)
{
  const VtreeUring *uring = data;
  uring->end (uring->context);
}

VtreeUring *
vtree_uring_new (void (*end) (void *context), void *context)
{
  VtreeUring *uring = g_new0 (VtreeUring, 1);
  uring->end = end;
  uring->context = context;
  uring->has_key = pthread_key_create (&uring->key, thread_ends) == 0;
  return uring;
}

void
vtree_uring_free (VtreeUring *uring)
{
  if (uring == NULL)
    return;
  if (uring->has_key)
    pthread_key_delete (uring->key);
  g_free (uring);
}

const char *
vtree_uring_argument (void)
{
  return ARGUMENT;
}

/* libfuse would find out by itself, and complain to the log. */
static bool
can_have_rings (void)
{
  struct io_uring_params params = { 0 };
  long fd = syscall (SYS_io_uring_setup, 1, &params);
  if (fd < 0)
    return false;
  close ((int) fd);
  return true;
}

bool
vtree_uring_negotiate (struct fuse_conn_info *conn)
{
  const uint64_t offered = conn->capable_ext & FUSE_CAP_OVER_IO_URING;
  bool asks = offered != 0 && can_have_rings ();
  if (asks)
    conn->want |= (unsigned) FUSE_CAP_OVER_IO_URING;
  return asks;
}

void
vtree_uring_enter (void)
{
  pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, NULL);
}

bool
vtree_uring_keep (VtreeUring *uring, fuse_req_t req)
{
  if (!fuse_req_is_uring (req))
    return true;
  return uring->has_key && pthread_setspecific (uring->key, uring) == 0;
}

bool
vtree_uring_carries (fuse_req_t req)
{
  return fuse_req_is_uring (req);
}

/* The set of signals that the line NAME of STATUS has; none without such a line. */
static guint64
find_signals (const char *status, const char *name)
{
  const char *line = strstr (status, name);
  return line != NULL ? g_ascii_strtoull (line + strlen (name), NULL, SIGNALS_BASE) : 0;
}

bool
vtree_uring_is_interrupted (fuse_req_t req)
{
  g_autofree char *status = NULL;
  pid_t pid = fuse_req_is_uring (req) ? fuse_req_ctx (req)->pid : 0;
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", (int) pid);
  if (pid <= 0 || !g_file_get_contents (path, &status, NULL, NULL))
    return false;
  guint64 pending
    = find_signals (status, "\nSigPnd:\t") | find_signals (status, "\nShdPnd:\t");
  return (pending & ~find_signals (status, "\nSigBlk:\t")) != 0;
}
