/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to fsck: what its parts share.
 *
 *   fsck.c          the order of things; what is reported
 *   fsck-refs.c     refs, statements, signatures
 *   fsck-objects.c  manifests and objects, in parallel
 *   fsck-packs.c    packs as files
 *   fsck-repair.c   good bytes from elsewhere
 *   fsck-seal.c     the kernel's verity for all that is good
 *   fsck-harm.c     the paths of bad objects
 */
#pragma once

#include "manifest/fsck.h"

/* An object (a manifest is one too). */
typedef struct {
  VtreeDigest digest;
  uint64_t size;  /* as its manifest or statement says; the file's if nobody does */
  bool reachable; /* some version needs it */
  bool checked;
  VtreeStoreVerdict verdict;
  char *message; /* what is wrong; NULL if nothing is */
  VtreeStoreSealing sealing;
  char *unsealed; /* why it could not be sealed, or NULL */
  bool sought;    /* a repair looked for it */
  bool repaired;
} VtreeFsckObject;

/* A version whose statement could be read. */
typedef struct {
  char *label; /* "name@version" */
  VtreeDigest manifest;
  uint64_t size;
} VtreeFsckVersion;

typedef struct {
  const VtreeRepo *repo;
  const VtreeFsckOptions *options;
  VtreeFsckResult *result;
  VtreeStore *store;
  VtreeTrust *trust;
  char **all_refs;     /* NULL: nobody has asked yet, or for some only */
  GPtrArray *versions; /* VtreeFsckVersion * */
  GHashTable *objects; /* digest -> VtreeFsckObject *, which it is in */
  GHashTable *usable;  /* set: digests of manifests that passed the full check */

  GMutex lock; /* for the two below */
  uint64_t done, total;
} VtreeFsck;

/* Reports and counts. Any string may be NULL as in VtreeFsckProblem. */
void vtree_fsck_report (VtreeFsck *fsck, const VtreeFsckProblem *problem);

/* The object of DIGEST, made if need be. */
VtreeFsckObject *vtree_fsck_object (VtreeFsck *fsck, const VtreeDigest *digest,
                                    uint64_t size);
/* True if it has been looked at and is not good (any more). */
bool vtree_fsck_is_bad (const VtreeFsckObject *object);

/* The names of the refs to be looked at; what is found beside them, when all are listed
 * for the first time, is reported. NULL on error. */
const char *const *vtree_fsck_ref_names (VtreeFsck *fsck, GError **error);
/* Fills in versions, reports what is wrong with refs and statements. */
bool vtree_fsck_refs (VtreeFsck *fsck, GError **error);
/* Checks the objects that have not been, in parallel. */
bool vtree_fsck_check_objects (VtreeFsck *fsck, GError **error);
/* Adds all that usable manifests reach, and reports manifests that make no sense. */
bool vtree_fsck_add_reachable (VtreeFsck *fsck, GError **error);
/* Adds what is in the store besides. */
bool vtree_fsck_add_unreachable (VtreeFsck *fsck, GError **error);
/* Checks every pack as a file, where all refs are checked. */
bool vtree_fsck_packs (VtreeFsck *fsck, GError **error);
/* Looks for good bytes for every bad object, and puts them into the repository. */
bool vtree_fsck_repair (VtreeFsck *fsck, GError **error);
/* Whether anything can be sealed. */
bool vtree_fsck_probe_seal (VtreeFsck *fsck, GError **error);
/* Seals what the check has not, and counts. */
bool vtree_fsck_seal_rest (VtreeFsck *fsck, GError **error);
/* Reports every path of VERSION that a bad object harms. */
bool vtree_fsck_report_harm (VtreeFsck *fsck, const VtreeFsckVersion *version,
                             GError **error);
