/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the calling thread gets a processor when it wants one, as the kernel's
 * scheduler has counted (/proc/PID/task/TID/schedstat): for work that is only worth
 * doing on a processor that nobody else needs. Waits for a disk or a lock do not count.
 */
#pragma once

#include "core/fd.h"
#include <stdint.h>

typedef struct {
  VtreeFd fd;           /* below 0: nothing is known */
  uint64_t ran, waited; /* nanoseconds, when it was judged last */
} VtreeContention;

typedef enum {
  VTREE_CONTENTION_UNKNOWN, /* not counted here, or too little to go by */
  VTREE_CONTENTION_LOW,
  VTREE_CONTENTION_HIGH
} VtreeContentionLevel;

/* Of the thread that calls, which alone may call the others. */
void vtree_contention_begin (VtreeContention *contention);
void vtree_contention_end (VtreeContention *contention);

/* Since it was judged last, or begun. */
VtreeContentionLevel vtree_contention_judge (VtreeContention *contention);

/* The same for what a thread has RUN and WAITED meanwhile, nanoseconds. */
VtreeContentionLevel vtree_contention_level (uint64_t ran, uint64_t waited);
