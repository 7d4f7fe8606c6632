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
#include "core/bytes.h"
#include "core/seal.h"
#include <errno.h>
#include <fcntl.h>
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
open_packs (VtreeIngest *ingest, GError **error)
{
  int fd = fcntl (ingest->packs_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open packs/");
  ingest->packs = vtree_packs_new_take (fd, ingest->alg);
  return !ingest->kernel || vtree_ingest_strengthen_packs (ingest, error);
}

static bool
setup (VtreeIngest *ingest, const VtreeRepo *repo, VtreeVerityPolicy policy,
       GError **error)
{
  return open_top (repo, "objects", &ingest->objects_fd, error)
         && open_top (repo, "merkle", &ingest->merkle_fd, error)
         && open_top (repo, "packs", &ingest->packs_fd, error)
         && vtree_staging_clean (repo, false, NULL, NULL, error)
         && vtree_staging_init (&ingest->staging, repo, error)
         && decide_kernel (ingest, policy, error) && open_packs (ingest, error);
}

VtreeIngest *
vtree_ingest_new (const VtreeRepo *repo, const VtreeIngestOptions *options,
                  GError **error)
{
  g_autoptr (VtreeIngest) ingest = g_new0 (VtreeIngest, 1);
  ingest->repo = repo;
  ingest->verity = options->verity;
  ingest->path = vtree_error_escape (vtree_repo_path (repo), -1);
  ingest->alg = vtree_repo_options (repo)->digest;
  ingest->signer = options->signer;
  ingest->reads_enforced = options->reads_enforced;
  ingest->leaving = options->leaving;
  ingest->pack_threshold = options->has_threshold
                             ? options->threshold
                             : vtree_repo_options (repo)->pack_threshold;
  ingest->objects_fd = ingest->merkle_fd = ingest->packs_fd = ingest->spool = -1;
  g_mutex_init (&ingest->lock);
  ingest->taken
    = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func, NULL, g_free);
  ingest->own
    = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func, NULL, g_free);
  ingest->replaced = g_ptr_array_new_with_free_func (g_free);
  ingest->made = g_array_new (FALSE, FALSE, sizeof (VtreeDigest));
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
  vtree_fd_close (ingest->packs_fd);
  vtree_fd_close (ingest->spool);
  vtree_packs_free (ingest->packs);
  g_ptr_array_unref (ingest->replaced);
  g_array_unref (ingest->made);
  g_hash_table_unref (ingest->taken);
  g_hash_table_unref (ingest->own);
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
  GHashTable *table = staged->own_file ? ingest->own : ingest->taken;
  g_mutex_lock (&ingest->lock);
  VtreeTaken *taken = g_hash_table_lookup (table, &staged->digest);
  bool ours = taken == NULL || taken->state == VTREE_TAKEN_FAILED;
  if (taken == NULL) {
    taken = g_new0 (VtreeTaken, 1);
    taken->digest = staged->digest;
    taken->size = staged->size;
    g_hash_table_insert (table, &taken->digest, taken);
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
  else if (ok && (taken->object || taken->packed)) {
    ingest->stats.new_objects++;
    ingest->stats.new_bytes += taken->size;
  } else if (ok) {
    ingest->stats.shared_objects++;
    ingest->stats.shared_bytes += taken->size;
  }
  g_mutex_unlock (&ingest->lock);
}

/* There is no file of its own: a slice will do, and is made where there is none. */
static bool
settle_slice (VtreeIngest *ingest, const VtreeStaged *staged, VtreeTaken *taken,
              bool *settled, GError **error)
{
  VtreeReuse reuse;
  *settled = false;
  if (staged->own_file)
    return true;
  if (!vtree_reuse_slice (ingest, staged, &reuse, error))
    return false;
  taken->bad = reuse == VTREE_REUSE_BAD;
  taken->enforced = reuse == VTREE_REUSE_ENFORCED;
  *settled = taken->enforced || reuse == VTREE_REUSE_GOOD;
  if (*settled || staged->size > ingest->pack_threshold)
    return true;
  *settled = true;
  return vtree_ingest_spool (ingest, staged, taken, error);
}

static bool
settle_object (VtreeIngest *ingest, VtreeStaged *staged, VtreeTaken *taken,
               GError **error)
{
  VtreeReuse reuse = VTREE_REUSE_ABSENT;
  bool settled = false;
  bool moves = ingest->leaving != NULL && !staged->own_file
               && staged->size <= ingest->pack_threshold;
  if (!moves && !vtree_reuse_object (ingest, staged, &reuse, error))
    return false;
  taken->over = reuse == VTREE_REUSE_BAD || reuse == VTREE_REUSE_WEAK;
  taken->sealed = reuse == VTREE_REUSE_SEALED;
  taken->enforced = taken->sealed || reuse == VTREE_REUSE_ENFORCED;
  taken->bad = reuse == VTREE_REUSE_BAD;
  if (reuse == VTREE_REUSE_ABSENT
      && !settle_slice (ingest, staged, taken, &settled, error))
    return false;
  taken->object = taken->over || (reuse == VTREE_REUSE_ABSENT && !settled);
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
  taken->enforced = taken->sealed = taken->packed = false;
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

/* What may be taken, and how it is kept. */
typedef struct {
  const VtreeDigest *expected; /* NULL: anything */
  bool own_file;
} Terms;

/* Takes STAGED if it is what was expected. */
static bool
take_expected (VtreeIngest *ingest, VtreeStaged *staged, const Terms *terms,
               VtreeDigest *digest, GError **error)
{
  staged->own_file = terms->own_file;
  if (terms->expected == NULL || vtree_digest_equal (&staged->digest, terms->expected))
    return take (ingest, staged, digest, error);
  char text[VTREE_DIGEST_TEXT_MAX];
  vtree_digest_format (&staged->digest, text);
  vtree_staged_drop (ingest, staged);
  vtree_staged_drop_merkle (ingest, staged);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "its contents are %s", text);
}

static bool
take_data (VtreeIngest *ingest, VtreeSpan data, const Terms *terms, VtreeDigest *digest,
           GError **error)
{
  g_auto (VtreeStaged) staged = VTREE_STAGED_INIT;
  return vtree_staged_from_data (ingest, data.data, data.size, &staged, error)
         && take_expected (ingest, &staged, terms, digest, error);
}

/* One byte more than SIZE is asked for, to see whether there is one. */
static bool
take_small (VtreeIngest *ingest, int fd, size_t size, const Terms *terms,
            VtreeDigest *digest, GError **error)
{
  g_autofree uint8_t *data = g_malloc (size + 1);
  size_t got;
  if (!vtree_fd_pread (fd, data, size + 1, 0, &got, error))
    return false;
  if (got != size)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it changed while it was read");
  return take_data (ingest, (VtreeSpan){ data, size }, terms, digest, error);
}

static bool
take_large (VtreeIngest *ingest, int fd, uint64_t size, const Terms *terms,
            VtreeDigest *digest, GError **error)
{
  g_auto (VtreeStaged) staged = VTREE_STAGED_INIT;
  return vtree_staged_from_fd (ingest, fd, size, &staged, error)
         && take_expected (ingest, &staged, terms, digest, error);
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
take_fd (VtreeIngest *ingest, int fd, uint64_t size, const Terms *terms,
         VtreeDigest *digest, GError **error)
{
  return (check_size (size, error)
          && (size <= VTREE_INGEST_SMALL
                ? take_small (ingest, fd, (size_t) size, terms, digest, error)
                : take_large (ingest, fd, size, terms, digest, error)))
         || prefix (error, ingest);
}

static bool
take_bytes (VtreeIngest *ingest, VtreeSpan data, const Terms *terms,
            VtreeDigest *digest, GError **error)
{
  return (check_size (data.size, error)
          && take_data (ingest, data, terms, digest, error))
         || prefix (error, ingest);
}

bool
vtree_ingest_fd (VtreeIngest *ingest, int fd, uint64_t size, VtreeDigest *digest,
                 GError **error)
{
  const Terms terms = { .expected = NULL };
  return take_fd (ingest, fd, size, &terms, digest, error);
}

bool
vtree_ingest_bytes (VtreeIngest *ingest, const void *data, size_t size,
                    VtreeDigest *digest, GError **error)
{
  const Terms terms = { .expected = NULL };
  return take_bytes (ingest, (VtreeSpan){ data, size }, &terms, digest, error);
}

bool
vtree_ingest_manifest (VtreeIngest *ingest, const void *data, size_t size,
                       VtreeDigest *digest, GError **error)
{
  const Terms terms = { .own_file = true };
  return take_bytes (ingest, (VtreeSpan){ data, size }, &terms, digest, error);
}

bool
vtree_ingest_expected_fd (VtreeIngest *ingest, int fd, uint64_t size,
                          const VtreeIngestExpected *expected, GError **error)
{
  const Terms terms = { &expected->digest, expected->own_file };
  VtreeDigest digest;
  return take_fd (ingest, fd, size, &terms, &digest, error);
}

bool
vtree_ingest_expected_bytes (VtreeIngest *ingest, const void *data, size_t size,
                             const VtreeIngestExpected *expected, GError **error)
{
  const Terms terms = { &expected->digest, expected->own_file };
  VtreeDigest digest;
  return take_bytes (ingest, (VtreeSpan){ data, size }, &terms, &digest, error);
}

bool
vtree_ingest_is_sealing (const VtreeIngest *ingest)
{
  return ingest->kernel;
}

/* --- sealing ---------------------------------------------------------------------- */

/* Adds all of TABLE that is staged. An object that could not be staged, and was relied
 * on by a thread that met it later, is an error here at the latest. */
static bool
collect (GHashTable *table, GPtrArray *staged, GError **error)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    VtreeTaken *taken = value;
    char text[VTREE_DIGEST_TEXT_MAX];
    if (taken->state != VTREE_TAKEN_DONE)
      return vtree_error_set (error, VTREE_ERROR_FAILED,
                              "object %s could not be stored",
                              vtree_digest_format (&taken->digest, text));
    if (taken->object || taken->merkle || taken->sealed || taken->packed)
      g_ptr_array_add (staged, taken);
  }
  return true;
}

/* The descriptor is as old as the ingest: an error of writing back is reported to it
 * even if somebody else's sync came first. */
static bool
sync_all (const VtreeIngest *ingest, GError **error)
{
  return syncfs (ingest->staging.fd) == 0
         || vtree_error_set_errno (error, errno, "sync repository %s", ingest->path);
}

/* They are in their places. */
static void
settle (VtreeIngest *ingest, const GPtrArray *staged)
{
  for (guint i = 0; i < staged->len; i++) {
    VtreeTaken *taken = staged->pdata[i];
    if (taken->bad)
      g_ptr_array_add (ingest->replaced, vtree_digest_dup (&taken->digest));
    if (taken->pack)
      g_array_append_val (ingest->made, taken->digest);
    taken->bad = taken->over = taken->sealed = taken->packed = false;
  }
}

/* What waited for a pack has lost its place in the spool: it is as if it had never been
 * taken. */
static void
forget_packed (const GPtrArray *staged)
{
  for (guint i = 0; i < staged->len; i++) {
    VtreeTaken *taken = staged->pdata[i];
    if (taken->packed)
      taken->state = VTREE_TAKEN_FAILED;
    taken->packed = false;
  }
}

/* Whoever can't read it has to be told before it is there. */
static bool
announce (const VtreeIngest *ingest, GError **error)
{
  const VtreeSeal seal = { ingest->verity, ingest->alg, ingest->signer };
  return vtree_repo_announce_packs (ingest->repo, &seal, error);
}

static bool
pack_and_place (VtreeIngest *ingest, GPtrArray *staged, VtreeTaken *pack,
                GError **error)
{
  if (!vtree_ingest_pack (ingest, staged, pack, error)
      || (pack->pack && !announce (ingest, error)))
    return prefix (error, ingest);
  if (pack->pack)
    g_ptr_array_add (staged, pack);
  return sync_all (ingest, error) && vtree_place (ingest, staged, error);
}

bool
vtree_ingest_seal (VtreeIngest *ingest, GError **error)
{
  g_autoptr (GPtrArray) staged = g_ptr_array_new ();
  VtreeTaken pack = { .state = VTREE_TAKEN_DONE };
  if (!collect (ingest->taken, staged, error) || !collect (ingest->own, staged, error))
    return prefix (error, ingest);
  if (staged->len == 0)
    return true;
  if (!pack_and_place (ingest, staged, &pack, error)) {
    forget_packed (staged);
    return false;
  }
  settle (ingest, staged);
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

const GArray *
vtree_ingest_packs (const VtreeIngest *ingest)
{
  return ingest->made;
}

const GPtrArray *
vtree_ingest_replaced (const VtreeIngest *ingest)
{
  return ingest->replaced;
}
