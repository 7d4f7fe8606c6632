/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests that have to wait until something long has been done for their inode: the
 * Merkle file of a huge object that has none is computed. One thread does it, one inode
 * after another, so that the threads which answer requests never wait, and memory and
 * load are bounded. That thread alone answers what waits here: when it is done, when
 * the reader was interrupted, or at the end.
 */
#pragma once

#include "core/verity.h"

typedef struct VtreeLater VtreeLater;

/* A request is the caller's own; CONTEXT is what _new was given. */
typedef struct {
  /* Does what NODE needs, asking WANTED now and then; 0 or -errno. */
  int (*prepare) (void *context, uint64_t node, const VtreeWhile *wanted);
  /* Whether who waits for REQUEST wants no answer any more. Called with the lock. */
  bool (*is_interrupted) (void *request);
  /* Answers REQUEST, and frees it. RESULT 0: as if it came now; else -errno. */
  void (*answer) (void *context, void *request, int result);
} VtreeLaterCalls;

/* So many wait at most. (The kernel itself has 64 asynchronous ones at most under way;
 * this bounds what is left, one for each thread of a reader.) */
#define VTREE_LATER_MAX 1024

/* CALLS is constant, CONTEXT borrowed. */
VtreeLater *vtree_later_new (const VtreeLaterCalls *calls, void *context);

/* Gives up what is being done, and answers all that wait with -ENOTCONN; nothing is
 * taken from here on. All have been answered when it returns. Thread-safe, but not for
 * the calls. */
void vtree_later_end (VtreeLater *later);

/* After _end, if need be. */
void vtree_later_free (VtreeLater *later);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeLater, vtree_later_free)

/* Takes REQUEST, which is about NODE. False: it was not taken, since too many wait or
 * there is no thread to be had. Thread-safe; may be called by the calls' answer. */
bool vtree_later_push (VtreeLater *later, uint64_t node, void *request);
