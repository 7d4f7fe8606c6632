/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to core's ingest: what its parts share.
 *
 *   ingest.c        the public functions, the table of what was taken
 *   ingest-stage.c  contents into staged files, with digest and Merkle file
 *   ingest-reuse.c  is what the store has under this digest any good?
 *   ingest-pack.c   the same for slices; small contents into a pack
 *   ingest-place.c  staged files to their names in the store
 */
#pragma once

#include "core/ingest.h"
#include "core/merkle.h"
#include "core/packs.h"
#include "core/staging.h"
#include <stdatomic.h>

/* Contents of at most so many bytes have no Merkle file; they are read whole into
 * memory and only written where the store lacks them. */
#define VTREE_INGEST_SMALL ((uint64_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE)
/* "<number>" and ".m" */
#define VTREE_STAGED_NAME_MAX 16

typedef enum {
  VTREE_TAKEN_PENDING, /* a thread is at it */
  VTREE_TAKEN_DONE,
  VTREE_TAKEN_FAILED,
} VtreeTakenState;

/* One digest that this ingest has met. All but the digest is written by the thread that
 * claimed it, state with the table's lock. */
typedef struct {
  VtreeDigest digest;
  uint64_t size;
  VtreeTakenState state;
  unsigned number; /* of its staged files */
  bool object;     /* an object is staged */
  bool merkle;     /* a Merkle file is staged */
  bool over;       /* there was an object of that name, which has to go */
  bool enforced;   /* the object of that name is the kernel's affair already */
  bool sealed;     /* …because we have sealed it in its place */
  bool bad;        /* …or a Merkle file, and one of them was not what its name says */
  bool packed;     /* it waits in the spool for a pack, … */
  uint64_t spooled; /* …from this offset on, */
  guint order;      /* …to come in this order; 0: none */
  bool pack;        /* it is itself a pack */
} VtreeTaken;

struct VtreeIngest {
  const VtreeRepo *repo;
  char *path; /* the repository's, escaped, for messages */
  VtreeDigestAlg alg;
  VtreeVerityPolicy verity;        /* as it was asked for */
  bool kernel;                     /* objects are sealed with the kernel's verity */
  bool reads_enforced;             /* see VtreeIngestOptions */
  const VtreeObjectSigner *signer; /* who signs that; NULL: nobody */
  GHashTable *leaving;             /* see VtreeIngestOptions */
  VtreeStaging staging;
  VtreeFd objects_fd;
  VtreeFd merkle_fd;
  VtreeFd packs_fd;
  VtreePacks *packs;       /* as they were when it began */
  uint32_t pack_threshold; /* bytes; what is at most so large goes into a pack */
  VtreeVerityHelpers helpers;
  atomic_uint next_number;
  atomic_bool no_reflink; /* the filesystem said that it has none */

  GMutex lock;       /* for all below */
  GHashTable *taken; /* digest -> VtreeTaken, which it is in and owned by */
  GHashTable *own;   /* the same, for what has to be a file of its own */
  VtreeFd spool;     /* contents that wait for a pack, without a name; -1: none */
  guint ordered;     /* how many have been given an order */
  uint64_t spooled;  /* bytes in it */
  VtreeIngestStats stats;
  GPtrArray *replaced; /* VtreeDigest * */
  GArray *made;        /* VtreeDigest: packs */
};

/* Contents on their way in: in memory or staged. */
typedef struct {
  VtreeDigest digest;
  uint64_t size;
  const void *data;  /* NULL: staged */
  bool own_file;     /* no slice will do */
  VtreeFd fd;        /* staged contents, readable and writable, or -1 */
  VtreeFd merkle_fd; /* staged Merkle file, or -1 */
  unsigned number;
} VtreeStaged;

#define VTREE_STAGED_INIT                                                              \
  {                                                                                    \
    .fd = -1, .merkle_fd = -1                                                          \
  }

/* Closes; leaves the files. */
void vtree_staged_clear (VtreeStaged *staged);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeStaged, vtree_staged_clear)

/* The names of the two staged files of NUMBER; they return NAME. */
char *vtree_staged_name (unsigned number, char name[VTREE_STAGED_NAME_MAX]);
char *vtree_staged_merkle_name (unsigned number, char name[VTREE_STAGED_NAME_MAX]);

/* SIZE bytes of FD: staged, hashed, Merkle file staged. */
bool vtree_staged_from_fd (VtreeIngest *ingest, int fd, uint64_t size,
                           VtreeStaged *staged, GError **error);
/* Bytes in memory, which must outlive STAGED: hashed, Merkle file staged. */
bool vtree_staged_from_data (VtreeIngest *ingest, const void *data, size_t size,
                             VtreeStaged *staged, GError **error);
/* Makes the staged file, empty. */
bool vtree_staged_make (const VtreeIngest *ingest, VtreeStaged *staged, GError **error);
/* Makes the staged file of contents that are in memory; gives it its final mode. */
bool vtree_staged_keep (VtreeIngest *ingest, VtreeStaged *staged, GError **error);
/* Likewise the Merkle file. */
bool vtree_staged_keep_merkle (VtreeStaged *staged, GError **error);
/* Removes the staged file, or the staged Merkle file, if there is one. */
void vtree_staged_drop (VtreeIngest *ingest, VtreeStaged *staged);
void vtree_staged_drop_merkle (VtreeIngest *ingest, VtreeStaged *staged);

typedef enum {
  VTREE_REUSE_ABSENT,
  VTREE_REUSE_GOOD,
  VTREE_REUSE_ENFORCED, /* good, as the kernel has measured */
  VTREE_REUSE_SEALED,   /* the same, from now on */
  VTREE_REUSE_WEAK,     /* right, but can't be sealed where it is, or as it has to be */
  VTREE_REUSE_BAD,
} VtreeReuse;

/* Judges what the store has under the digest of STAGED, by its bytes or by the kernel's
 * measurement. What can't be read is bad. What is right but not sealed, though the
 * ingest seals, is sealed in its place: a mount that holds it holds the same file. */
bool vtree_reuse_object (const VtreeIngest *ingest, const VtreeStaged *staged,
                         VtreeReuse *reuse, GError **error);
bool vtree_reuse_merkle (const VtreeIngest *ingest, const VtreeStaged *staged,
                         VtreeReuse *reuse, GError **error);

/* The same for the slices that the store's packs have; weak ones count as absent. */
bool vtree_reuse_slice (const VtreeIngest *ingest, const VtreeStaged *staged,
                        VtreeReuse *reuse, GError **error);
/* Seals the packs that are not sealed, as far as that is possible. */
bool vtree_ingest_strengthen_packs (const VtreeIngest *ingest, GError **error);

/* Puts contents that are in memory where they wait for a pack; from any thread. */
bool vtree_ingest_spool (VtreeIngest *ingest, const VtreeStaged *staged,
                         VtreeTaken *taken, GError **error);
/* Writes and stages a pack, *PACK, of all in STAGED (VtreeTaken *) that wait for one;
 * without any nothing is done. The spool is gone afterwards. */
bool vtree_ingest_pack (VtreeIngest *ingest, const GPtrArray *staged, VtreeTaken *pack,
                        GError **error);

/* Brings the staged files of all of TAKEN (VtreeTaken *) to their names. */
bool vtree_place (VtreeIngest *ingest, GPtrArray *taken, GError **error);
