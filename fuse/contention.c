/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of schedstat and what it is judged by.
 */
#include "fuse/contention.h"

#include <fcntl.h>
#include <unistd.h>

/* Less says nothing: nanoseconds. */
#define SAMPLE (UINT64_C (10) * 1000 * 1000)
/* Of what it wanted a processor for; one that pushes beside one reader on two
 * processors waits for a quarter to a third, beside two readers for half. */
#define HIGH_PERCENT 40

VtreeContentionLevel
vtree_contention_level (uint64_t ran, uint64_t waited)
{
  if (ran + waited < SAMPLE)
    return VTREE_CONTENTION_UNKNOWN;
  return waited * 100 >= (ran + waited) * HIGH_PERCENT ? VTREE_CONTENTION_HIGH
                                                       : VTREE_CONTENTION_LOW;
}

/* False where there is nothing to read. */
static bool
look (const VtreeContention *contention, uint64_t *ran, uint64_t *waited)
{
  char text[80];
  ssize_t got
    = contention->fd >= 0 ? pread (contention->fd, text, sizeof text - 1, 0) : -1;
  if (got <= 0)
    return false;
  text[got] = '\0';
  char *end = text;
  *ran = g_ascii_strtoull (text, &end, 10);
  *waited = g_ascii_strtoull (end, NULL, 10);
  return end != text;
}

void
vtree_contention_begin (VtreeContention *contention)
{
  contention->fd = open ("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (!look (contention, &contention->ran, &contention->waited))
    vtree_contention_end (contention);
}

void
vtree_contention_end (VtreeContention *contention)
{
  vtree_fd_replace_take (&contention->fd, -1);
}

VtreeContentionLevel
vtree_contention_judge (VtreeContention *contention)
{
  uint64_t ran, waited;
  if (!look (contention, &ran, &waited))
    return VTREE_CONTENTION_UNKNOWN;
  VtreeContentionLevel level
    = vtree_contention_level (ran - contention->ran, waited - contention->waited);
  if (level != VTREE_CONTENTION_UNKNOWN) {
    contention->ran = ran;
    contention->waited = waited;
  }
  return level;
}
