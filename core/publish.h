/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replacing a small file atomically: written to a temporary name beside it, fsynced,
 * renamed over it, the directory fsynced. Readers see the old or the new one, whole.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
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
