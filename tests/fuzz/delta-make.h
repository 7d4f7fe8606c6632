/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deltas as a writer makes them, and as none should: without signature and checksum.
 */
#pragma once

#include "core/store.h"
#include "manifest/statement.h"

/* What is done to the chunks. */
typedef enum {
  DELTA_AS_PLANNED,
  DELTA_CUT,      /* every piece in parts, each a chunk of its own */
  DELTA_CUT_ONCE, /* the same, in as few chunks as before */
  DELTA_REVERSED,
  DELTA_TWICE,
  DELTA_CUT_TWICE,
  DELTA_WITHOUT_LAST,
  DELTA_OBJECTS_FIRST, /* before the manifest */
  DELTA_LEFT_OPEN,     /* cut, and the last part is not there */
  DELTA_SWAPPED,       /* cut, and the last two have changed places */
  DELTA_WAYS
} DeltaWay;

/* What leads from FROM (NULL: nothing) to TO, both of which STORE has. */
GByteArray *vtree_fuzz_delta_make (const VtreeStore *store, const VtreeStatement *to,
                                   const VtreeStatement *from, DeltaWay way);
