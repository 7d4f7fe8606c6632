/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting objects into a repository, crash-safe: durable before visible.
 *
 *   ingest = vtree_ingest_new (repo, &options, &error);     tmp/<random>/, flocked
 *   vtree_ingest_fd (…), vtree_ingest_bytes (…)             from any thread
 *   vtree_ingest_order (ingest, &digest)  the order of contents in a pack, if any
 *   vtree_ingest_seal (ingest, &error)    one syncfs, verity on and measured, renamed
 *   vtree_ingest_sync (ingest, &error)    the second and last syncfs
 *   …the caller puts what names the objects…
 *   vtree_ingest_free (ingest)            removes what is left of the staging directory
 *
 * Staging directories of processes that died are removed by the next _new and by
 * vtree_ingest_clean().
 */
#pragma once

#include "core/object-signer.h"
#include "core/repo.h"

typedef struct VtreeIngest VtreeIngest;

typedef struct {
  VtreeVerityPolicy verity;
  /* signs what is sealed (borrowed as long as the ingest); NULL: nobody. Then auto is
   * as good as require, and what is sealed without a signature is replaced. */
  const VtreeObjectSigner *signer;
  /* For repair: an object that is there and that the kernel enforces is read too, and
   * replaced if it has bad blocks; its measurement says nothing of those. */
  bool reads_enforced;
  /* For repack: packs that will go, a set of VtreeDigest * (borrowed; NULL: none), are
   * taken not to be there, nor are small contents' own files. */
  GHashTable *leaving;
  bool has_threshold; /* else the repository's own word */
  uint32_t threshold; /* bytes, at most VTREE_PACK_OBJECT_MAX */
} VtreeIngestOptions;

typedef struct {
  uint64_t new_objects;
  uint64_t new_bytes;
  uint64_t shared_objects; /* were in the store already, and good, or met before */
  uint64_t shared_bytes;
  uint64_t replaced; /* were in the store, but bad */
} VtreeIngestStats;

/* REPO has to outlive it. Errors: VTREE_ERROR_UNSUPPORTED (verity=require, or a signer,
 * without support), VTREE_ERRNO_ERROR. */
VtreeIngest *vtree_ingest_new (const VtreeRepo *repo, const VtreeIngestOptions *options,
                               GError **error);
void vtree_ingest_free (VtreeIngest *ingest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeIngest, vtree_ingest_free)

/* Takes SIZE bytes of FD from offset 0 (one read pass; reflinked where the filesystem
 * can, zero runs become holes). A source that ends early or goes on past SIZE is
 * VTREE_ERROR_CORRUPT ("it changed while it was read"). Thread-safe. SIZE > 0. After an
 * error the same contents can be tried again; if they are not, _seal fails. */
bool vtree_ingest_fd (VtreeIngest *ingest, int fd, uint64_t size, VtreeDigest *digest,
                      GError **error);
bool vtree_ingest_bytes (VtreeIngest *ingest, const void *data, size_t size,
                         VtreeDigest *digest, GError **error);

/* The same for a manifest: it becomes a file of its own, also where a pack has the same
 * contents, since a mount holds a lock on it. */
bool vtree_ingest_manifest (VtreeIngest *ingest, const void *data, size_t size,
                            VtreeDigest *digest, GError **error);

/* The same for contents that have to be EXPECTED: others are VTREE_ERROR_CORRUPT, and
 * nothing of them stays. */
typedef struct {
  VtreeDigest digest;
  bool own_file; /* as a manifest */
} VtreeIngestExpected;
bool vtree_ingest_expected_fd (VtreeIngest *ingest, int fd, uint64_t size,
                               const VtreeIngestExpected *expected, GError **error);
bool vtree_ingest_expected_bytes (VtreeIngest *ingest, const void *data, size_t size,
                                  const VtreeIngestExpected *expected, GError **error);

/* Small contents go into one pack a _seal. Says that DIGEST, which was taken, comes
 * next in it, unless it has been said before; what it is not said of comes last, sorted
 * by digest. Anything else is passed over. So a pack does not depend on the threads. */
void vtree_ingest_order (VtreeIngest *ingest, const VtreeDigest *digest);

/* Whether what is stored is sealed with the kernel's verity. */
bool vtree_ingest_is_sealing (const VtreeIngest *ingest);

/* Makes what was taken visible, durable first. More can be taken and sealed later.
 * After an error small contents, which a pack would have, have to be taken again before
 * another try. */
bool vtree_ingest_seal (VtreeIngest *ingest, GError **error);
bool vtree_ingest_sync (VtreeIngest *ingest, GError **error);
void vtree_ingest_stats (VtreeIngest *ingest, VtreeIngestStats *stats);

/* Names of the packs that were made so far (VtreeDigest, owned by the ingest). */
const GArray *vtree_ingest_packs (const VtreeIngest *ingest);

/* Digests of objects that were bad in the store and have been replaced (GPtrArray of
 * VtreeDigest *, owned by the ingest; valid after _seal). */
const GPtrArray *vtree_ingest_replaced (const VtreeIngest *ingest);

/* Removes abandoned staging directories; needs no free space. */
bool vtree_ingest_clean (const VtreeRepo *repo, GError **error);
