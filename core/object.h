/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An open object: a descriptor whose bytes are checked before they are handed out,
 * by the kernel (measured on this very descriptor) or by the daemon, block by block, in
 * memory that nobody else can write. Reference-counted, thread-safe, immutable to see.
 */
#pragma once

#include "core/kernel.h"
#include "core/verity.h"

typedef struct VtreeObject VtreeObject;

typedef enum {
  VTREE_ENFORCER_NONE = 0, /* verity=off */
  VTREE_ENFORCER_KERNEL,
  VTREE_ENFORCER_DAEMON,
} VtreeEnforcer;

/* What an object has to be, and who checks it. */
typedef struct {
  VtreeDigest digest;
  uint64_t size; /* bytes */
  VtreeVerityPolicy policy;
  /* Nothing that takes long is done by the way: what needs a Merkle file that has to be
   * computed fails with VTREE_ERROR_BUSY, until vtree_object_prepare(). */
  bool deferred;
  /* Only a file of its own will do, not a slice of a pack: what is to be locked. */
  bool own_file;
} VtreeObjectSpec;

/* Takes FD (read-only, regular file) and MERKLE_FD (or -1) in any case. Cost does not
 * depend on the size, except where an object of more than VTREE_MERKLE_MIN_BLOCKS
 * blocks has no good Merkle file: then it is computed here, once, into an unlinked
 * file. A bad Merkle file counts as a missing one, also when it turns out later (the
 * contents decide). Errors: VTREE_ERROR_CORRUPT (size, digest), VTREE_ERROR_UNSUPPORTED
 * (require), VTREE_ERRNO_ERROR. */
VtreeObject *vtree_object_new_take (int fd, int merkle_fd, const VtreeObjectSpec *spec,
                                    GError **error);
/* Takes DATA, the whole contents, which ENFORCER has checked already: a slice of a
 * pack. */
VtreeObject *vtree_object_new_from_data_take (void *data, const VtreeObjectSpec *spec,
                                              VtreeEnforcer enforcer);
VtreeObject *vtree_object_ref (VtreeObject *object);
void vtree_object_unref (VtreeObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeObject, vtree_object_unref)

/* Computes what a deferred object lacks, as long as WANTED (NULL: always) says so;
 * others may use it meanwhile. Nothing to do is success. Errors: those of _new, EINTR
 * where it was given up. */
bool vtree_object_prepare (VtreeObject *object, const VtreeWhile *wanted,
                           GError **error);

/* Has the whole object's identity been checked (kernel: measured at _new; daemon: root
 * of the tree)? Small daemon-verified objects are hashed at the first read; this does
 * it now. For open=checked. Errors: VTREE_ERROR_CORRUPT, VTREE_ERROR_BUSY
 * (deferred). */
bool vtree_object_measure (VtreeObject *object, GError **error);

/* Whether that is so already; of what nobody verifies there is nothing to measure. */
bool vtree_object_is_measured (const VtreeObject *object);

/* Reads up to SIZE bytes at OFFSET into DATA, private memory of the caller. *GOT is
 * short only at the end of the contents. On an error nothing in DATA may be used.
 * Errors: VTREE_ERROR_CORRUPT, VTREE_ERROR_BUSY (deferred), VTREE_ERRNO_ERROR. */
bool vtree_object_read (VtreeObject *object, void *data, size_t size, uint64_t offset,
                        size_t *got, GError **error);

/* Who enforces the contents, and their size in bytes. */
VtreeEnforcer vtree_object_enforcer (const VtreeObject *object);
uint64_t vtree_object_size (const VtreeObject *object);

/* Borrowed; for flock(2), and for splice and passthrough where the kernel enforces. -1
 * for a slice of a pack, which has none. */
int vtree_object_peek_fd (const VtreeObject *object);

/* How many descriptors it holds (1 or 2); a slice of a pack counts as one, and one more
 * for each 8 KiB, for the memory that it holds. */
unsigned vtree_object_descriptors (const VtreeObject *object);

/* Long enough for whoever has the other kind of lock, which is a gc, or what replaces
 * the object, for a moment only. */
#define VTREE_OBJECT_HOLD_WAIT 5

/* Shares a lock on the file as long as OBJECT lives, so that a gc keeps it and, if it
 * is a manifest, what it names. Waits at most WAIT seconds. Errors: VTREE_ERROR_BUSY,
 * VTREE_ERROR_MISSING (removed or replaced after it had been opened; opening it again
 * tells), VTREE_ERRNO_ERROR. */
bool vtree_object_hold (const VtreeObject *object, int wait, GError **error);
