/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prefetch=: ahead of who reads the files of a directory, the small ones among them are
 * read, verified as any, and pushed into the kernel's page cache, so that they are read
 * without asking us.
 *
 * A file that has been read says where the reader is; what follows it in its directory
 * is pushed, and what stands before it after that: little at first, four times as much
 * each time that a reader of this directory had to ask again. Where a directory is
 * listed while the ones listed before it were read, it is taken that it will be too;
 * now and then its first file is left out, so that its READ shows that this holds.
 *
 * Whoever answers a request tells of it here afterwards, which costs him a short look
 * at the directory; one thread of our own, started with the first push, loads and
 * pushes. It may have to wait for a READ, whose page the kernel has locked; no request
 * ever waits for it. Pushing costs a little more than answering the READs that it
 * saves, so it stops for a while where the thread has to wait for a processor: others
 * have work for them all. What can't be loaded is passed over: who reads it is told
 * why.
 */
#pragma once

#include "fuse/contention.h"
#include "fuse/fs.h"

typedef struct VtreePrefetch VtreePrefetch;

/* Larger files are not pushed; bytes. */
#define VTREE_PREFETCH_FILE_MAX ((uint32_t) 128 * 1024)
/* At most so many bytes are pushed for one request, with prefetch=auto. */
#define VTREE_PREFETCH_AUTO ((uint64_t) 4 * 1024 * 1024)
/* And so many files in any case. */
#define VTREE_PREFETCH_COUNT_MAX 64

/* Called by the pushing thread alone; CONTEXT is what _new was given. */
typedef struct {
  /* Once, first. The store to load from, which the thread frees; NULL: nothing can be
   * pushed, and the log says why. */
  VtreeStore *(*begin) (void *context);
  /* DATA is all of the file NODE. 0; -ENOENT: the kernel does not know it (yet, or any
   * more); else what ends it all. */
  int (*push) (void *context, uint64_t node, const void *data, size_t size);
  /* Whether others want its processor: then nothing is pushed for a while. */
  VtreeContentionLevel (*contention) (void *context);
  /* Once, last, after a begin that gave a store. */
  void (*end) (void *context);
} VtreePrefetchCalls;

/* LIMIT: at most so many bytes are pushed for one request (at least 1). FS is borrowed,
 * CALLS constant. NULL without memory. */
VtreePrefetch *vtree_prefetch_new (VtreeFs *fs, const VtreePrefetchCalls *calls,
                                   void *context, uint64_t limit);

/* Tells the thread to end, and does not wait. */
void vtree_prefetch_end (VtreePrefetch *prefetch);
/* Whether it has, so that _free has not to wait. While it has not, it may wait for a
 * READ. */
bool vtree_prefetch_has_ended (VtreePrefetch *prefetch);
/* Waits until it has. */
void vtree_prefetch_free (VtreePrefetch *prefetch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePrefetch, vtree_prefetch_free)

/* The rest may be called by any thread, with PREFETCH NULL where there is none. */

/* The kernel is about to be told of NODE, so that it can be pushed. */
void vtree_prefetch_known (VtreePrefetch *prefetch, uint64_t node);

/* A READ of NODE from its beginning has been answered. */
void vtree_prefetch_read (VtreePrefetch *prefetch, uint64_t node);

/* The beginning of NODE, a directory, has been listed, with what the names stand
 * for. */
void vtree_prefetch_listed (VtreePrefetch *prefetch, uint64_t node);

/* Whether the kernel has been handed what NODE contains, read or pushed. */
bool vtree_prefetch_has_done (const VtreePrefetch *prefetch, uint64_t node);

/* Adds what there is to say of it. */
void vtree_prefetch_status (VtreePrefetch *prefetch, struct vtree_status *status);
