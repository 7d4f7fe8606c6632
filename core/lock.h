/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flock(2) with a time limit. The lock belongs to the open file: it goes when the last
 * descriptor of it is closed, so also when its process dies.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
  VTREE_LOCK_SHARED,
  VTREE_LOCK_EXCLUSIVE,
} VtreeLockKind;

/* What VTREE_ERROR_BUSY says here, for who knows what can be done. */
#define VTREE_LOCK_HELD "somebody else holds the lock"

/* Locks what FD is open on; waits at most WAIT seconds (-1: for ever). Errors:
 * VTREE_ERROR_BUSY, VTREE_ERRNO_ERROR. The caller says in a prefix what it locks. */
bool vtree_lock_take (int fd, VtreeLockKind kind, int wait, GError **error);
