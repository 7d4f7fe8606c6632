/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding objects. A store is the objects/, merkle/ and packs/ of a repository, or a
 * bare directory of the layout of objects/. An object is loose, a file of its own, or a
 * slice of a pack, or both; unless it matters, the functions here do not tell.
 * Thread-safe, immutable to see.
 */
#pragma once

#include "core/packs.h"
#include "core/repo.h"

typedef struct VtreeStore VtreeStore;

/* Over a repository (borrowed descriptors are duplicated). */
VtreeStore *vtree_store_new (const VtreeRepo *repo, GError **error);
/* Over PATH: a repository, or a directory that itself holds ab/cdef… (mount's
 * objects=). */
VtreeStore *vtree_store_open (const char *path, VtreeDigestAlg alg, GError **error);
/* Another one of the same place, with descriptors of its own. Errors:
 * VTREE_ERRNO_ERROR. */
VtreeStore *vtree_store_dup (const VtreeStore *store, GError **error);

/* The descriptors that it holds as such, borrowed; -1 where it has none. */
#define VTREE_STORE_DESCRIPTORS 3
void vtree_store_peek_fds (const VtreeStore *store, int fds[VTREE_STORE_DESCRIPTORS]);
void vtree_store_free (VtreeStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeStore, vtree_store_free)

/* Borrowed; as long as STORE. */
VtreePacks *vtree_store_packs (const VtreeStore *store);

/* Opens the object named by SPEC. A damaged slice is passed over where there is another
 * copy. Errors: VTREE_ERROR_MISSING, _CORRUPT (also for what
 * is no regular file), _UNSUPPORTED. */
VtreeObject *vtree_store_open_object (const VtreeStore *store,
                                      const VtreeObjectSpec *spec, GError **error);

/* The whole contents of a small object, wanted together with others. */
typedef struct {
  VtreeDigest digest;
  uint32_t size; /* bytes, at least 1 */
  void *data;    /* SIZE bytes of private memory of the caller */
  bool loaded;   /* the answer: DATA has what was asked for, verified */
} VtreeStoreLoad;

/* At most so many in one call. */
#define VTREE_STORE_LOAD_MAX 256

/* Reads all of LOADS, verified as by vtree_store_open_object() and vtree_object_read(),
 * with few reads of packs where they lie together there. What can't be had is not
 * loaded: who opens it gets the error. */
void vtree_store_load (const VtreeStore *store, VtreeStoreLoad *loads, unsigned count,
                       VtreeVerityPolicy policy);

/* Whether the store has what claims to be DIGEST, and how long that is, in bytes.
 * Nothing is verified: opening it with this size does that. */
bool vtree_store_find (const VtreeStore *store, const VtreeDigest *digest, bool *found,
                       uint64_t *size, GError **error);

/* Opens the file that stands for DIGEST alone, read-only, and verifies nothing; *FD is
 * -1 where there is none. For locking it, and for a look at what claims to be what.
 * Errors: VTREE_ERROR_CORRUPT (no regular file). */
bool vtree_store_open_raw (const VtreeStore *store, const VtreeDigest *digest,
                           VtreeFd *fd, GError **error);

/* Calls EACH for every loose object name in the store, in no order; a false from it
 * stops. SIZE is the file's, 0 where the filesystem can't tell. Files whose name is no
 * digest are passed over. */
typedef bool (*VtreeStoreEach) (void *context, const VtreeDigest *digest, uint64_t size,
                                GError **error);
bool vtree_store_foreach (const VtreeStore *store, VtreeStoreEach each, void *context,
                          GError **error);

/* The same for every Merkle file. */
bool vtree_store_foreach_merkle (const VtreeStore *store, VtreeStoreEach each,
                                 void *context, GError **error);

typedef enum {
  VTREE_STORE_GOOD,
  VTREE_STORE_MISSING,
  VTREE_STORE_CORRUPT,
  VTREE_STORE_BAD_MERKLE, /* the object is good, its Merkle file is not */
} VtreeStoreVerdict;

#define VTREE_STORE_ANY_SIZE UINT64_MAX

/* Verifies an object in full, whoever enforces it: reads all of it and of its Merkle
 * file (a missing one is no fault). A loose one decides; else one good slice is
 * enough. SIZE may be VTREE_STORE_ANY_SIZE. *MESSAGE (g_free)
 * says what is wrong, NULL where nothing is. An object that can't be read is a corrupt
 * one; false is for what is not the object's fault. */
bool vtree_store_check_object (const VtreeStore *store, const VtreeDigest *digest,
                               uint64_t size, VtreeStoreVerdict *verdict,
                               char **message, GError **error);

/* The same of the copies in packs alone. */
bool vtree_store_check_slice (const VtreeStore *store, const VtreeDigest *digest,
                              uint64_t size, VtreeStoreVerdict *verdict, char **message,
                              GError **error);

typedef enum {
  VTREE_STORE_NOT_SEALED, /* it could not be, or it was not the right one */
  VTREE_STORE_SEALED_NOW,
  VTREE_STORE_SEALED_BEFORE,
  VTREE_STORE_SEALED_UNSIGNED, /* without the signature that it shall have: another
                                  file has to take its place */
} VtreeStoreSealing;

typedef struct {
  VtreeStoreVerdict verdict;
  VtreeStoreSealing sealing;
  char *message;  /* what is wrong; NULL where nothing is */
  char *unsealed; /* why a good one could not be sealed, or NULL */
} VtreeStoreSealed;

/* Frees what SEALED holds; a zeroed one is fine. */
void vtree_store_sealed_clear (VtreeStoreSealed *sealed);

/* Verifies as vtree_store_check_object() does, and gives the object the kernel's verity
 * where it is, signed by SIGNER (NULL: unsigned). One that gets it is read by the
 * kernel alone, which hashes it: what that measured is the verdict. Its Merkle file
 * stays. May be repeated after any interruption, and beside mounts. False is for what
 * is not the object's fault: ENOSPC for one. */
bool vtree_store_seal_object (const VtreeStore *store, const VtreeDigest *digest,
                              uint64_t size, const VtreeObjectSigner *signer,
                              VtreeStoreSealed *sealed, GError **error);

/* Removes an object's Merkle file, which the kernel has made useless; *REMOVED: there
 * was one. */
bool vtree_store_remove_merkle (const VtreeStore *store, const VtreeDigest *digest,
                                bool *removed, GError **error);

/* Removes a loose object and its Merkle file, whatever stands in their place; absence
 * is no error. The caller holds the repository's exclusive lock. */
bool vtree_store_remove (const VtreeStore *store, const VtreeDigest *digest,
                         GError **error);
