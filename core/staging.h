/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to core: directories of unfinished files below a repository's tmp/.
 *
 * Each is held by an exclusive flock(2) on its own descriptor as long as its process
 * lives. So are the files of held.h, by others. Whatever else lies in tmp/ was
 * abandoned by a process that died, and whoever comes by may remove it.
 */
#pragma once

#include "core/fd.h"
#include "core/repo.h"

typedef struct {
  VtreeFd tmp_fd; /* tmp/ of the repository */
  VtreeFd fd;     /* the directory itself, locked */
  char *name;     /* below tmp/ */
} VtreeStaging;

/* Makes and locks a new one, 0700. */
bool vtree_staging_init (VtreeStaging *staging, const VtreeRepo *repo, GError **error);

/* Removes it with all that is in it, as far as that is possible (what stays is
 * abandoned and goes with the next _clean), and lets the lock go. A zeroed one is left
 * alone. */
void vtree_staging_clear (VtreeStaging *staging);

/* Removes what was abandoned in tmp/. What belongs to another user and can't be removed
 * is left. Needs no free space. *REMOVED (may be NULL) counts. DRY_RUN only counts.
 * HELD (may be NULL) gets the VtreeDigest of every object whose old file is there since
 * it was replaced, and still locked (held.h). */
bool vtree_staging_clean (const VtreeRepo *repo, bool dry_run, uint64_t *removed,
                          GArray *held, GError **error);

/* Removes NAME, whatever it is, with all that is in it; follows no symlink. Absence is
 * no error. */
bool vtree_staging_remove_tree (int dirfd, const char *name, GError **error);
