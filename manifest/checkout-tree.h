/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: a directory of the manifest, with all beneath it, into a real
 * one, in passes that share a plan:
 *
 *   vtree_checkout_admit   what the filesystem can't hold, before anything is written
 *   vtree_checkout_stage   all that is missing or wrong, into the staging directory
 *   vtree_checkout_sync    the filesystem
 *   vtree_checkout_enable  verity, where it is wanted
 *   vtree_checkout_place   names, in rounds with a sync after each
 *   vtree_checkout_finish  removals, and the attributes of directories
 *
 * The staging directory is the target's child. It holds t<entry> (a file, or a new
 * directory with all that is in it), l<inode> (a file that has several names), and what
 * had to be moved out of the way.
 */
#pragma once

#include "manifest/checkout-staging.h"
#include "manifest/checkout-walk.h"
#include "manifest/jobs.h"

#define VTREE_CHECKOUT_STAGED_MAX 24

/* When t<entry> gets its name. */
typedef enum {
  VTREE_ROUND_NONE = 0, /* it has it, or there is none */
  VTREE_ROUND_NEW,      /* nobody has the name, nothing refers to others by it */
  VTREE_ROUND_LAST,     /* it replaces something, or refers to others */
} VtreeCheckoutRound;

/* An inode with several names, of which a new file was made. */
typedef struct {
  VtreeInode inode;
  char *path; /* the first of them */
} VtreeCheckoutLinked;

typedef struct {
  VtreeCheckoutState *state;
  const VtreeInode *top;
  int fd; /* of the top's real directory */
  VtreeHandle *staging;
  char staging_name[VTREE_CHECKOUT_NAME_MAX];
  uint8_t *rounds;     /* a VtreeCheckoutRound for each of the manifest's entries; NULL
                          where all is fresh: then files are made in place */
  GHashTable *linked;  /* set of indexes of inodes with several names that were met */
  GArray *linked_made; /* VtreeCheckoutLinked */
  GError *failure;     /* of a walk within a walk */
} VtreeCheckoutPlan;

/* "t<entry>" (KIND 't'), "l<inode>" ('l'), or aside of an entry ('a') in the staging
 * directory; TEXT is filled in. */
VtreePlace vtree_checkout_staged (const VtreeCheckoutPlan *plan, char kind,
                                  uint32_t number,
                                  char text[VTREE_CHECKOUT_STAGED_MAX]);

/* Goes through the new directory t<entry> of NAME in the staging directory. Its error
 * is in plan->failure. */
bool vtree_checkout_walk_staged (VtreeCheckoutPlan *plan, VtreeCheckoutWalk *walk,
                                 const VtreeCheckoutName *name);

/* Ends PLAN's walk and, if not NULL, its workers: the error that came first counts. */
bool vtree_checkout_end_walk (VtreeCheckoutPlan *plan, VtreeJobs **jobs, bool walked,
                              GError **failure, GError **error);

/* TOP may be a single file. Errors name the path: VTREE_ERROR_UNSUPPORTED. */
bool vtree_checkout_admit (VtreeCheckoutState *state, const VtreeInode *top,
                           GError **error);

/* Whether NAME, in the directory FD, is a filesystem's own lost+found, which no
 * checkout touches. */
bool vtree_checkout_is_lost_and_found (int fd, const char *name);

/* All others: errors name the path. */
bool vtree_checkout_stage (VtreeCheckoutPlan *plan, GError **error);
bool vtree_checkout_enable (VtreeCheckoutPlan *plan, GError **error);
bool vtree_checkout_place (VtreeCheckoutPlan *plan, GError **error);
bool vtree_checkout_finish (VtreeCheckoutPlan *plan, GError **error);
bool vtree_checkout_sync (int fd, GError **error);

/* Writes TOP out to the directory FD, whose own attributes it gets at the very end:
 * the target, or a new and empty directory where state->fresh. Prepares the state. What
 * comes back without an error is synced. */
bool vtree_checkout_tree (VtreeCheckoutState *state, int fd, const VtreeInode *top,
                          GError **error);
