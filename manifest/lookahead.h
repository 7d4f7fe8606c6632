/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking into directories before a walk gets there: other threads list them, stat
 * what is in them and ask the stat cache, while the walk does what only one thread can.
 * For a depth-first walk, which says where it will go:
 *
 *   ahead = vtree_lookahead_new (threads, cache);
 *   looks = vtree_lookahead_want (ahead, dir, names);    of the directories in DIR
 *   looked = vtree_lookahead_take (ahead, &looks, 0);    when it enters the first one
 *   looked = vtree_lookahead_take (ahead, &looks, 1);    …and so on, after all that is
 *                                                        below the first one
 *
 * It is help and no promise: what was not begun when the walk gets there, or failed for
 * whatever reason, is NULL, and the walk looks for itself. So is what lies on a
 * filesystem whose change times are no proof, and what has very many names. Only the
 * walk judges: it compares `before` with what it finds, and believes nothing that is
 * not recent, since it may be kept waiting for hours by a large file.
 */
#pragma once

#include "manifest/listing.h"
#include "manifest/stat-cache.h"
#include "manifest/trail.h"

/* A directory that is open, and what is known of it. */
typedef struct {
  int fd;
  dev_t dev;
  uint64_t filesystem;         /* see vtree_stat_cache_find() */
  const VtreeStatCache *cache; /* NULL: nothing is known of files */
} VtreePlace;

typedef struct {
  int errnum; /* of the stat; 0: none */
  bool known; /* a regular file, of which vtree_stat_cache_find() said WHAT */
  struct stat stat;
  VtreeStatKnown what;
} VtreeSeen;

/* Looks at NAME in PLACE, follows nothing. Thread-safe. */
void vtree_see (const VtreePlace *place, const char *name, VtreeSeen *seen);

/* The filesystem of what has ST in PLACE: a file that is mounted over another is not on
 * the directory's. */
uint64_t vtree_place_filesystem (const VtreePlace *place, const struct stat *st);

/* A directory's contents. */
typedef struct {
  gint64 since;       /* monotonic microseconds, before anything was looked at */
  struct stat before; /* the directory, before it was listed */
  VtreeListing *listing;
  VtreeSeen *seen; /* for each of LISTING; not filled for directories */
} VtreeLooked;

/* Whether it may be believed at NOW (g_get_monotonic_time()). */
bool vtree_looked_is_recent (const VtreeLooked *looked, gint64 now);

typedef struct VtreeLookahead VtreeLookahead; /* for one thread */
typedef struct VtreeLooks VtreeLooks;         /* at directories in one directory */

/* THREADS: how many look, or fewer where they can't be had; 0 will do. CACHE is
 * borrowed. */
VtreeLookahead *vtree_lookahead_new (unsigned threads, const VtreeStatCache *cache);
/* Waits for what has begun. Looks that were not taken are freed afterwards. */
void vtree_lookahead_free (VtreeLookahead *ahead);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeLookahead, vtree_lookahead_free)

/* Asks for the directories NAMES (of char *, not changed any more) in DIR, which is
 * kept open until the last one is taken. NULL: none of them will be looked at. */
VtreeLooks *vtree_lookahead_want (VtreeLookahead *ahead, VtreeHandle *dir,
                                  GPtrArray *names);

/* What was seen in directory INDEX, waiting for it if it is being looked at; NULL if
 * there is nothing. *LOOKS, which may be NULL, is freed with the last one. */
VtreeLooked *vtree_lookahead_take (VtreeLookahead *ahead, VtreeLooks **looks,
                                   guint index);

/* For those that are not taken any more, once AHEAD is gone; may be NULL. */
void vtree_looks_free (VtreeLooks *looks);
void vtree_looked_free (VtreeLooked *looked);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeLooked, vtree_looked_free)
