/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a commit remembers of the files that it has read, for `commit --trust-stat`: a
 * file whose device, inode, change and modification time and size are what they were
 * has the digest that it had. The file is the user's own, never the repository's: it
 * decides what gets signed.
 *
 *   cache = vtree_stat_cache_load (paths, repo, ref, alg, filter);
 *   vtree_stat_cache_find (…), _use (…), _note (…)          while capturing
 *   vtree_stat_cache_restrict (cache, present)              false: once more
 *   vtree_stat_cache_end (cache)                            there is nothing to find
 *   vtree_stat_cache_save (cache, &error)                   after the commit
 *
 * Whatever is wrong with a saved one (another version, damage, somebody else's file) it
 * counts as none. A file that changed shortly before it was read is not remembered: a
 * later change could leave the same times. Nor is one of a filesystem whose change
 * times are no proof (see vtree_filesystem_keeps_change_times()): an image of another
 * release may have the same device, inodes and times. What is left are changes that set
 * no time: through a shared mapping that was written to before, until the page is
 * written back, and to the bare disk.
 */
#pragma once

#include "core/digest.h"
#include "core/paths.h"
#include <stdbool.h>
#include <sys/stat.h>

typedef struct VtreeStatCache VtreeStatCache;

/* What is known of a file. */
typedef struct {
  VtreeDigest digest; /* not set for an empty file */
  bool plain;         /* it had no xattr that FILTER takes */
  uint64_t index;     /* of what was found; for vtree_stat_cache_use() */
} VtreeStatKnown;

/* That of REF in the repository at REPO (a path; its real one counts), empty where
 * there is none. ALG: the repository's. FILTER: text of what decides which xattrs are
 * taken, and how; with another one nothing is `plain`. Errors:
 * VTREE_ERROR_UNTRUSTED and others for a place that can't be relied on. */
VtreeStatCache *vtree_stat_cache_load (const VtreePaths *paths, const char *repo,
                                       const char *ref, VtreeDigestAlg alg,
                                       const char *filter, GError **error);
void vtree_stat_cache_free (VtreeStatCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeStatCache, vtree_stat_cache_free)

/* Whether nothing will be found. */
bool vtree_stat_cache_is_empty (const VtreeStatCache *cache);
/* Forgets what was saved. */
void vtree_stat_cache_clear (VtreeStatCache *cache);

/* PRESENT: digests that the store has, a set of VtreeDigest *, borrowed; from now on no
 * other is answered with. False if one was used already: then what was noted is
 * forgotten, and the capture has to be done again. Nothing else is called meanwhile. */
bool vtree_stat_cache_restrict (VtreeStatCache *cache, GHashTable *present);

/* Nothing will be found any more, and PRESENT may go; what was found stays, and can be
 * noted and saved. */
void vtree_stat_cache_end (VtreeStatCache *cache);

/* Whether the file of STAT is known. FILESYSTEM: which one it is on, 0: one whose times
 * say nothing, then it is not. Thread-safe. */
bool vtree_stat_cache_find (const VtreeStatCache *cache, const struct stat *stat,
                            uint64_t filesystem, VtreeStatKnown *known);

/* Remembers what was read of the file of STAT. Thread-safe. */
void vtree_stat_cache_note (VtreeStatCache *cache, const struct stat *stat,
                            uint64_t filesystem, const VtreeStatKnown *known);

/* To be told of each file whose contents are what was found; from one thread at a
 * time. */
void vtree_stat_cache_use (VtreeStatCache *cache, const VtreeStatKnown *known);
/* How many there were. */
uint64_t vtree_stat_cache_hits (const VtreeStatCache *cache);

/* Replaces the saved one by what was noted, if that is not the same. Errors:
 * VTREE_ERRNO_ERROR. */
bool vtree_stat_cache_save (VtreeStatCache *cache, GError **error);
