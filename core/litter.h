/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What killed processes leave behind in a repository: abandoned staging directories in
 * tmp/, and temporary names of vtree_publish() at the top and below refs/.
 */
#pragma once

#include "core/repo.h"

/* Removes it, and counts in *COUNT; DRY_RUN only counts. What belongs to a living
 * process in tmp/ stays; HELD (may be NULL) gets the VtreeDigest of each object that
 * was replaced while it was locked, and still is. For the rest the caller holds the
 * repository's exclusive lock, or asks for a dry run. Needs no free space. */
bool vtree_litter_clean (const VtreeRepo *repo, bool dry_run, uint64_t *count,
                         GArray *held, GError **error);
