/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns an ingest's life and the table of what it has taken; decides for each object
 * whether it is new, there already, or to be replaced. How files are made is in
 * ingest-stage.c, what may be reused in ingest-reuse.c, how names are given in
 * ingest-place.c.
 *
 * A digest is claimed in the table first: of two threads that bring the same contents
 * at the same time, one does the work, and the other goes on at once.
 */
#include "core/ingest-private.h"

#include "core/beneath.h"
#include "core/seal.h"
#include <errno.h>
#include <unistd.h>

/* --- beginning and end ------------------------------------------------------------ */

/* Whether objects will be sealed by the kernel, as the policy says. */
static bool
decide_kernel (VtreeIngest *ingest, VtreeVerityPolicy policy, GError **error)
{
  const VtreeSeal seal = { policy, ingest->alg, ingest->signer };
  return vtree_seal_decide (ingest->staging.fd, &seal, "objects", &ingest->kernel,
                            error);
}

static bool
open_top (const VtreeRepo *repo, const char *name, VtreeFd *fd, GError **error)
{
  if (!vtree_beneath_open_directory (vtree_repo_dirfd (repo), name, fd, error))
    return false;
  return *fd >= 0
         || vtree_error_set (error, VTREE_ERROR_CORRUPT, "it has no directory '%s'",
                             name);
}

static bool
setup (VtreeIngest *ingest, const VtreeRepo *repo, VtreeVerityPolicy policy,
       GError **error)
{
  return open_top (repo, "objects", &ingest->objects_fd, error)
         && open_top (repo, "merkle", &ingest->merkle_fd, error)
         && vtree_staging_clean (repo, false, NULL, NULL, error)
         && vtree_staging_init (&ingest->staging, repo, error)
         && decide_kernel (ingest, policy, error);
}

VtreeIngest *
vtree_ingest_new (const VtreeRepo *repo, const VtreeIngestOptions *options,
                  GError **error)
{
  g_autoptr (VtreeIngest) ingest = g_new0 (VtreeIngest, 1);
  ingest->path = vtree_error_escape (vtree_repo_path (repo), -1);
  ingest->alg = vtree_repo_options (repo)->digest;
  ingest->signer = options->signer;
  ingest->reads_enforced = options->reads_enforced;
  ingest->objects_fd = ingest->merkle_fd = -1;
  g_mutex_init (&ingest->lock);
  ingest->taken
    = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func, NULL, g_free);
  ingest->replaced = g_ptr_array_new_with_free_func (g_free);
  if (setup (ingest, repo, options->verity, error))
    return g_steal_pointer (&ingest);
  g_prefix_error (error, "write to repository %s: ", ingest->path);
  return NULL;
}

void
vtree_ingest_free (VtreeIngest *ingest)
{
  if (ingest == NULL)
    return;
  vtree_staging_clear (&ingest->staging);
  vtree_fd_close (ingest->objects_fd);
  vtree_fd_close (ingest->merkle_fd);
  g_ptr_array_unref (ingest->replaced);
  g_hash_table_unref (ingest->taken);
  g_mutex_clear (&ingest->lock);
  g_free (ingest->path);
  g_free (ingest);
}

bool
vtree_ingest_clean (const VtreeRepo *repo, GError **error)
{
  return vtree_staging_clean (repo, false, NULL, NULL, error);
}

/* --- taking ----------------------------------------------------------------------- */

/* The table's entry, for this thread to work on; NULL if another has it or has done it,
 * which is counted. What failed before may be tried again. */
static VtreeTaken *
claim (VtreeIngest *ingest, const VtreeStaged *staged)
{
  g_mutex_lock (&ingest->lock);
  VtreeTaken *taken = g_hash_table_lookup (ingest->taken, &staged->digest);
  bool ours = taken == NULL || taken->state == VTREE_TAKEN_FAILED;
  if (taken == NULL) {
    taken = g_new0 (VtreeTaken, 1);
    taken->digest = staged->digest;
    taken->size = staged->size;
    g_hash_table_insert (ingest->taken, &taken->digest, taken);
  }
  if (ours) {
    taken->state = VTREE_TAKEN_PENDING;
    taken->number = staged->number;
  } else {
    ingest->stats.shared_objects++;
    ingest->stats.shared_bytes += staged->size;
  }
  g_mutex_unlock (&ingest->lock);
  return ours ? taken : NULL;
}

/* Ends a claim. */
static void
finish (VtreeIngest *ingest, VtreeTaken *taken, bool ok)
{
  g_mutex_lock (&ingest->lock);
  taken->state = ok ? VTREE_TAKEN_DONE : VTREE_TAKEN_FAILED;
  if (ok && taken->bad)
    ingest->stats.replaced++;
  else if (ok && taken->object) {
    ingest->stats.new_objects++;
    ingest->stats.new_bytes += taken->size;
  } else if (ok) {
    ingest->stats.shared_objects++;
    ingest->stats.shared_bytes += taken->size;
  }
  g_mutex_unlock (&ingest->lock);
}

static bool
settle_object (VtreeIngest *ingest, VtreeStaged *staged, VtreeTaken *taken,
               GError **error)
{
  VtreeReuse reuse;
  if (!vtree_reuse_object (ingest, staged, &reuse, error))
    return false;
  taken->over = reuse == VTREE_REUSE_BAD || reuse == VTREE_REUSE_WEAK;
  taken->object = taken->over || reuse == VTREE_REUSE_ABSENT;
  taken->sealed = reuse == VTREE_REUSE_SEALED;
  taken->enforced = taken->sealed || reuse == VTREE_REUSE_ENFORCED;
  taken->bad = reuse == VTREE_REUSE_BAD;
  if (taken->object)
    return vtree_staged_keep (ingest, staged, error);
  vtree_staged_drop (ingest, staged);
  return true;
}

static bool
settle_merkle (VtreeIngest *ingest, VtreeStaged *staged, VtreeTaken *taken,
               GError **error)
{
  VtreeReuse reuse = VTREE_REUSE_GOOD;
  /* What the kernel enforces has no use for one. */
  if (staged->merkle_fd >= 0 && !taken->enforced
      && !vtree_reuse_merkle (ingest, staged, &reuse, error))
    return false;
  taken->merkle = reuse != VTREE_REUSE_GOOD;
  taken->bad = taken->bad || reuse == VTREE_REUSE_BAD;
  if (taken->merkle)
    return vtree_staged_keep_merkle (staged, error);
  vtree_staged_drop_merkle (ingest, staged);
  return true;
}

/* After a failure nothing of it may be placed, nor stand in the way of another try. */
static void
forget (VtreeIngest *ingest, VtreeStaged *staged, VtreeTaken *taken)
{
  vtree_staged_drop (ingest, staged);
  vtree_staged_drop_merkle (ingest, staged);
  taken->object = taken->merkle = taken->over = taken->bad = false;
  taken->enforced = taken->sealed = false;
}

static bool
take (VtreeIngest *ingest, VtreeStaged *staged, VtreeDigest *digest, GError **error)
{
  *digest = staged->digest;
  VtreeTaken *taken = claim (ingest, staged);
  if (taken == NULL) {
    vtree_staged_drop (ingest, staged);
    vtree_staged_drop_merkle (ingest, staged);
    return true;
  }
  bool ok = settle_object (ingest, staged, taken, error)
            && settle_merkle (ingest, staged, taken, error);
  if (!ok)
    forget (ingest, staged, taken);
  finish (ingest, taken, ok);
  return ok;
}

/* Takes STAGED if it is what was expected (NULL: anything). */
static bool
take_expected (VtreeIngest *ingest, VtreeStaged *staged, const VtreeDigest *expected,
               VtreeDigest *digest, GError **error)
{
  if (expected == NULL || vtree_digest_equal (&staged->digest, expected))
    return take (ingest, staged, digest, error);
  char text[VTREE_DIGEST_TEXT_MAX];
  vtree_digest_format (&staged->digest, text);
  vtree_staged_drop (ingest, staged);
  vtree_staged_drop_merkle (ingest, staged);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "its contents are %s", text);
}

static bool
take_data (VtreeIngest *ingest, const void *data, size_t size,
           const VtreeDigest *expected, VtreeDigest *digest, GError **error)
{
  g_auto (VtreeStaged) staged = VTREE_STAGED_INIT;
  return vtree_staged_from_data (ingest, data, size, &staged, error)
         && take_expected (ingest, &staged, expected, digest, error);
}

/* One byte more than SIZE is asked for, to see whether there is one. */
static bool
take_small (VtreeIngest *ingest, int fd, size_t size, const VtreeDigest *expected,
            VtreeDigest *digest, GError **error)
{
  g_autofree uint8_t *data = g_malloc (size + 1);
  size_t got;
  if (!vtree_fd_pread (fd, data, size + 1, 0, &got, error))
    return false;
  if (got != size)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it changed while it was read");
  return take_data (ingest, data, size, expected, digest, error);
}

static bool
take_large (VtreeIngest *ingest, int fd, uint64_t size, const VtreeDigest *expected,
            VtreeDigest *digest, GError **error)
{
  g_auto (VtreeStaged) staged = VTREE_STAGED_INIT;
  return vtree_staged_from_fd (ingest, fd, size, &staged, error)
         && take_expected (ingest, &staged, expected, digest, error);
}

static bool
check_size (uint64_t size, GError **error)
{
  if (size == 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "empty contents are no object");
  if (size > INT64_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT, "larger than any file");
  return true;
}

static bool
prefix (GError **error, const VtreeIngest *ingest)
{
  g_prefix_error (error, "store an object in %s: ", ingest->path);
  return false;
}

static bool
take_fd (VtreeIngest *ingest, int fd, uint64_t size, const VtreeDigest *expected,
         VtreeDigest *digest, GError **error)
{
  return check_size (size, error)
         && (size <= VTREE_INGEST_SMALL
               ? take_small (ingest, fd, (size_t) size, expected, digest, error)
               : take_large (ingest, fd, size, expected, digest, error));
}

bool
vtree_ingest_fd (VtreeIngest *ingest, int fd, uint64_t size, VtreeDigest *digest,
                 GError **error)
{
  return take_fd (ingest, fd, size, NULL, digest, error) || prefix (error, ingest);
}

bool
vtree_ingest_object (VtreeIngest *ingest, int fd, uint64_t size,
                     const VtreeDigest *expected, GError **error)
{
  VtreeDigest digest;
  return take_fd (ingest, fd, size, expected, &digest, error) || prefix (error, ingest);
}

bool
vtree_ingest_bytes (VtreeIngest *ingest, const void *data, size_t size,
                    VtreeDigest *digest, GError **error)
{
  return (check_size (size, error)
          && take_data (ingest, data, size, NULL, digest, error))
         || prefix (error, ingest);
}

bool
vtree_ingest_is_sealing (const VtreeIngest *ingest)
{
  return ingest->kernel;
}

/* --- sealing ---------------------------------------------------------------------- */

/* All that is staged. An object that could not be staged, and was relied on by a thread
 * that met it later, is an error here at the latest. */
static GPtrArray *
collect (VtreeIngest *ingest, GError **error)
{
  g_autoptr (GPtrArray) staged = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, ingest->taken);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    VtreeTaken *taken = value;
    char text[VTREE_DIGEST_TEXT_MAX];
    if (taken->state != VTREE_TAKEN_DONE) {
      vtree_error_set (error, VTREE_ERROR_FAILED, "object %s could not be stored",
                       vtree_digest_format (&taken->digest, text));
      return NULL;
    }
    if (taken->object || taken->merkle || taken->sealed)
      g_ptr_array_add (staged, taken);
  }
  return g_steal_pointer (&staged);
}

/* The descriptor is as old as the ingest: an error of writing back is reported to it
 * even if somebody else's sync came first. */
static bool
sync_all (const VtreeIngest *ingest, GError **error)
{
  return syncfs (ingest->staging.fd) == 0
         || vtree_error_set_errno (error, errno, "sync repository %s", ingest->path);
}

bool
vtree_ingest_seal (VtreeIngest *ingest, GError **error)
{
  g_autoptr (GPtrArray) staged = collect (ingest, error);
  if (staged == NULL)
    return prefix (error, ingest);
  if (staged->len == 0)
    return true;
  if (!sync_all (ingest, error) || !vtree_place (ingest, staged, error))
    return false;
  for (guint i = 0; i < staged->len; i++) {
    VtreeTaken *taken = staged->pdata[i];
    if (taken->bad)
      g_ptr_array_add (ingest->replaced, vtree_digest_dup (&taken->digest));
    taken->bad = taken->over = taken->sealed = false;
  }
  return true;
}

bool
vtree_ingest_sync (VtreeIngest *ingest, GError **error)
{
  return sync_all (ingest, error);
}

void
vtree_ingest_stats (VtreeIngest *ingest, VtreeIngestStats *stats)
{
  g_mutex_lock (&ingest->lock);
  *stats = ingest->stats;
  g_mutex_unlock (&ingest->lock);
}

const GPtrArray *
vtree_ingest_replaced (const VtreeIngest *ingest)
{
  return ingest->replaced;
}
