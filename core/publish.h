/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replacing a small file atomically: written to a temporary name beside it, fsynced,
 * perhaps sealed, renamed over it, the directory fsynced. Readers see the old or the
 * new one, whole.
 */
#pragma once

#include "core/seal.h"
#include <sys/types.h>

typedef enum {
  VTREE_PUBLISH_REPLACE = 0,   /* an existing file is replaced */
  VTREE_PUBLISH_EXCLUSIVE = 1, /* an existing file is an error (EEXIST) */
  VTREE_PUBLISH_NO_SYNC = 2,   /* the caller syncs the filesystem itself */
} VtreePublishFlags;

/* What the name of a temporary file begins with; one that a killed process left behind
 * may be removed. No ref, digest or version begins so. */
#define VTREE_PUBLISH_TEMP_PREFIX ".tmp-"

/* Puts SIZE bytes of DATA at NAME (one component or a path, resolved beneath DIRFD)
 * with permission bits MODE exactly. Errors: VTREE_ERRNO_ERROR. No temporary file
 * stays. */
bool vtree_publish (int dirfd, const char *name, const void *data, size_t size,
                    mode_t mode, VtreePublishFlags flags, GError **error);

/* The same, and the file gets the kernel's verity before it gets its name: it is
 * replaced from then on, never edited. Where the filesystem can't, the file is an
 * ordinary one: nothing hangs on it. But with a signer that is an error. */
bool vtree_publish_sealed (int dirfd, const char *name, GBytes *bytes, mode_t mode,
                           VtreePublishFlags flags, const VtreeSeal *seal,
                           GError **error);

/* Removes from DIRFD the temporary names that killed processes have left there. Nobody
 * publishes in it meanwhile: the caller holds whatever lock says so. */
bool vtree_publish_clean (int dirfd, GError **error);

/* Replaces the file NAME, of at most LIMIT bytes, by a sealed one with the same bytes
 * and mode, unless it is sealed already as SEAL says; *DONE: it was not, and is now.
 * Nobody else replaces it meanwhile: the caller holds a lock. No such file is no
 * error. Errors: VTREE_ERROR_LIMIT, VTREE_ERROR_CORRUPT (no regular file),
 * VTREE_ERRNO_ERROR. */
bool vtree_publish_again (int dirfd, const char *name, size_t limit,
                          const VtreeSeal *seal, bool *done, GError **error);
