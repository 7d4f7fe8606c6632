/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount itself: /dev/fuse and mount(2) where we have the right to, fusermount3(1)
 * where we don't. Not libfuse's own way, which prints what went wrong, or lets
 * fusermount3 do so.
 */
#pragma once

#include "core/fd.h"

typedef struct {
  const char *source; /* shown as the mount's source */
  const char *dir;    /* the mount point, absolute */
  bool allow_other;   /* for all users */
  bool allow_suid, allow_dev, noexec, nosymfollow;
} VtreeChannelOptions;

/* True where mount(2) is ours to call (CAP_SYS_ADMIN). */
bool vtree_channel_is_direct (void);

/* /dev/fuse can be opened and, where fusermount3 is needed, it is there. */
bool vtree_channel_check (GError **error);

/* Mounts; the connection's descriptor, owned by the caller, or -1. Errors:
 * VTREE_ERRNO_ERROR, or what fusermount3 said as VTREE_ERROR_FAILED. */
int vtree_channel_mount (const VtreeChannelOptions *options, GError **error);

/* Unmounts what is on DIR, lazily; only if that is a FUSE mount whose daemon has gone,
 * so that another mount over ours stays. Ends silently where there is nothing to do. */
void vtree_channel_unmount_dead (const char *dir);

/* Unmounts what is on DIR, which we have mounted just now. */
void vtree_channel_unmount (const char *dir);
