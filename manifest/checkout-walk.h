/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to checkout: the manifest's tree and a real one, gone through side by side:
 * in each directory first what is no directory, then the directories, each with all
 * beneath it. Whoever wants to do something there does it in steps.
 */
#pragma once

#include "manifest/checkout-file.h"
#include "manifest/trail.h"

/* A name in the directory where the walk is. */
typedef struct {
  VtreePlace place;
  const char *path; /* from the top of the checkout, raw bytes */
  uint32_t entry;   /* its number in the manifest: each name has another */
  bool exact;       /* see VtreeCheckoutWalk */
  VtreeInode inode;
} VtreeCheckoutName;

typedef struct VtreeCheckoutWalk VtreeCheckoutWalk;

/* Each may be NULL. False without an error ends the walk too. The walk puts the path
 * before an error. */
typedef struct {
  /* It has come into a directory. */
  bool (*enter) (VtreeCheckoutWalk *walk, GError **error);
  /* A name that is no directory. */
  bool (*file) (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, GError **error);
  /* A directory; *INTO (true before) tells whether to go on in the one at its place. */
  bool (*directory) (VtreeCheckoutWalk *walk, const VtreeCheckoutName *name, bool *into,
                     GError **error);
  /* It has left the directory FD, whose names have all been gone through. */
  bool (*leave) (VtreeCheckoutWalk *walk, int fd, const VtreeInode *inode,
                 GError **error);
} VtreeCheckoutSteps;

struct VtreeCheckoutWalk {
  VtreeCheckoutState *state;
  const VtreeCheckoutSteps *steps;
  void *context;
  /* Names are compared with those that the real directory had when the walk came there:
   * where different names are the same file, what is at a place is not EXACT if it has
   * another name. */
  bool compare;

  /* The walk's own. */
  VtreeTrail *trail;
  const char *prefix; /* path of the top: "" or "a/b" */
  GArray *frames;
};

/* Goes through TOP, whose real directory FD is, with the steps of WALK (its own fields
 * zeroed). PATH is where that is from the top of the checkout. */
bool vtree_checkout_walk (VtreeCheckoutWalk *walk, int fd, const VtreeInode *top,
                          const char *path, GError **error);

/* The manifest's directory where the walk is, and how deep that is below its top. */
const VtreeDirectory *vtree_checkout_walk_directory (const VtreeCheckoutWalk *walk);
size_t vtree_checkout_walk_depth (const VtreeCheckoutWalk *walk);

/* In *NAMES (NULL before) those that the directory FD has, for exact comparison on a
 * filesystem where different names are the same file; NULL on any other. */
bool vtree_checkout_list_names (const VtreeCheckoutState *state, int fd,
                                GHashTable **names, GError **error);

/* Whether it has NAME, as far as that is known: NAMES may be NULL. */
bool vtree_checkout_has_name (GHashTable *names, const char *name);
