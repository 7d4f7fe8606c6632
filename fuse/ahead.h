/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and verifying ahead of who reads a large file in order, so that several
 * processors hash for one reader, whom the kernel lets ask for one readahead window at
 * a time. Thread-safe.
 *
 * The file is taken in pieces of VTREE_AHEAD_PIECE bytes. Each is read once, whoever
 * asks for it: by a worker ahead of its time, or by the thread whose READ wants it,
 * which works on others while a piece of its own is with a worker. Nothing is done for
 * who does not read in order, a reader who moves elsewhere loses what was prepared, and
 * all pieces together are no more than VTREE_AHEAD_MAX_BYTES.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define VTREE_AHEAD_PIECE ((size_t) 128 * 1024)
#define VTREE_AHEAD_MAX_BYTES ((size_t) 4 * 1024 * 1024)
/* How far a reader is led. */
#define VTREE_AHEAD_BYTES ((size_t) 1024 * 1024)
/* A READ touches no more pieces than that; larger ones are not for here. */
#define VTREE_AHEAD_PIECES 9

typedef struct VtreeAhead VtreeAhead;

typedef enum {
  VTREE_AHEAD_READ,
  VTREE_AHEAD_LATER, /* not now: nothing is wrong with it */
  VTREE_AHEAD_FAILED /* not this way */
} VtreeAheadResult;

/* SIZE verified bytes of NODE from OFFSET on, all within the file, into DATA, private
 * memory; several threads call it. Where they are not read, the READ that wants them
 * finds out why; after _FAILED, nothing is read ahead for who just reads on. */
typedef VtreeAheadResult (*VtreeAheadRead) (void *context, uint64_t node, void *data,
                                            size_t size, uint64_t offset);

/* THREADS work ahead, started when first wanted. */
VtreeAhead *vtree_ahead_new (VtreeAheadRead read, void *context, unsigned threads);
/* Nobody uses it, and no span is left. */
void vtree_ahead_free (VtreeAhead *ahead);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeAhead, vtree_ahead_free)

/* A READ: SIZE bytes (more than 0) from OFFSET on, all within the file. */
typedef struct {
  uint64_t node;
  uint64_t file_size;
  uint64_t offset;
  size_t size;
} VtreeAheadWanted;

/* Its bytes, until _put. */
typedef struct {
  struct iovec data[VTREE_AHEAD_PIECES];
  void *pieces[VTREE_AHEAD_PIECES];
  unsigned count;
} VtreeAheadSpan;

/* Takes note of the READ; true: SPAN has all of it. Works on its pieces, and on others
 * of the file while another thread works on one of them, for which it waits: so it can
 * take as long as the slowest of what it has begun, if a disk makes that wait, though
 * its own pieces are there by then. */
bool vtree_ahead_get (VtreeAhead *ahead, const VtreeAheadWanted *wanted,
                      VtreeAheadSpan *span);
void vtree_ahead_put (VtreeAhead *ahead, VtreeAheadSpan *span);
