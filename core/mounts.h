/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vtree mounts that this process can see, from /proc/self/mountinfo. */
#pragma once

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  char *dir;    /* mount point, raw bytes */
  char *source; /* what was mounted */
  uid_t user;   /* who mounted it */
} VtreeMount;

/* All of them in the order of mounting: a GPtrArray of VtreeMount * that owns them. */
GPtrArray *vtree_mounts_list (GError **error);

/* The same from the text of a mountinfo file; malformed lines are passed over. */
GPtrArray *vtree_mounts_parse (const char *text);

/* The newest mount on exactly DIR, or NULL; borrowed from MOUNTS. */
const VtreeMount *vtree_mounts_find (const GPtrArray *mounts, const char *dir);

/* The FUSE file system that is mounted on DIR has lost its daemon. Asks what is never
 * answered from a cache; waits for a daemon that is there. */
bool vtree_mounts_is_dead (const char *dir);

/* DIR as mountinfo has it: absolute, no symlinks, without touching DIR itself, which
 * may be a mount whose daemon has died, or absent. To be freed; NULL with
 * VTREE_ERRNO_ERROR. */
char *vtree_mounts_canonical (const char *dir, GError **error);
