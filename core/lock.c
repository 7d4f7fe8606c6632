/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns waiting for a lock. Opens nothing.
 */
#include "core/lock.h"

#include "core/error.h"

#include <errno.h>
#include <sys/file.h>

/* Between two attempts. */
#define POLL_US 20000

/* flock(2) knows no timeout, and an alarm would be the whole process's: poll. */
bool
vtree_lock_take (int fd, VtreeLockKind kind, int wait, GError **error)
{
  int operation = kind == VTREE_LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH;
  int how = wait < 0 ? operation : operation | LOCK_NB;
  gint64 end = g_get_monotonic_time () + (gint64) wait * G_USEC_PER_SEC;
  while (flock (fd, how) < 0) {
    if (errno == EINTR)
      continue;
    if (errno != EWOULDBLOCK)
      return vtree_error_set_errno (error, errno, "lock");
    if (g_get_monotonic_time () >= end)
      return vtree_error_set (error, VTREE_ERROR_BUSY, VTREE_LOCK_HELD);
    g_usleep (POLL_US);
  }
  return true;
}
