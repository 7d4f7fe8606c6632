/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which objects have to be copied, and their way through the ingest. What the
 * other repository lacks does not keep the rest from arriving.
 */
#include "manifest/pull-private.h"

#include "core/object-fault.h"
#include "core/pool.h"
#include "manifest/reach.h"

#include <errno.h>
#include <sys/stat.h>

/* What is lost at most when a pull is interrupted. */
#define BATCH_BYTES (UINT64_C (256) << 20)
#define BATCH_OBJECTS 4096

typedef struct {
  VtreeDigest digest;
  uint64_t size;
  bool manifest;
} Wanted;

typedef struct {
  VtreePull *pull;
  GArray *wanted; /* Wanted: all that the manifest names */

  GMutex lock; /* for all below */
  uint64_t bad;
  GError *first; /* the first bad one */
  uint64_t found_objects, found_bytes;
} Fetch;

static void
fetch_clear (Fetch *fetch)
{
  g_array_unref (fetch->wanted);
  g_clear_error (&fetch->first);
  g_mutex_clear (&fetch->lock);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fetch, fetch_clear)

/* --- what is there ---------------------------------------------------------------- */

/* Whether the store has it, whole and sealed as it would be. */
static bool
find_sealed (const VtreePull *pull, const Wanted *wanted, bool *good, GError **error)
{
  VtreeStoreSealed sealed = { .message = NULL };
  if (!vtree_store_seal_object (pull->to_store, &wanted->digest, wanted->size,
                                pull->options->signer, &sealed, error))
    return false;
  *good = sealed.verdict == VTREE_STORE_GOOD
          && (sealed.sealing == VTREE_STORE_SEALED_NOW
              || sealed.sealing == VTREE_STORE_SEALED_BEFORE);
  vtree_store_sealed_clear (&sealed);
  return true;
}

static bool
find_plain (const VtreePull *pull, const Wanted *wanted, bool *good, GError **error)
{
  g_autofree char *message = NULL;
  VtreeStoreVerdict verdict;
  if (!vtree_store_check_object (pull->to_store, &wanted->digest, wanted->size,
                                 &verdict, &message, error))
    return false;
  *good = verdict == VTREE_STORE_GOOD;
  return true;
}

/* A manifest has to be a file of its own. */
static bool
find_file (const VtreePull *pull, const Wanted *wanted, bool *found, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_store_open_raw (pull->to_store, &wanted->digest, &fd, error))
    return false;
  *found = fd >= 0;
  return true;
}

/* A name proves nothing: what lies there is read or measured. */
static bool
find_good (const VtreePull *pull, const Wanted *wanted, bool *good, GError **error)
{
  uint64_t size;
  bool found;
  *good = false;
  if (!(wanted->manifest
          ? find_file (pull, wanted, &found, error)
          : vtree_store_find (pull->to_store, &wanted->digest, &found, &size, error)))
    return false;
  if (!found)
    return true;
  return vtree_ingest_is_sealing (pull->ingest)
           ? find_sealed (pull, wanted, good, error)
           : find_plain (pull, wanted, good, error);
}

/* --- what is not ------------------------------------------------------------------ */

/* True if ERROR is of one object, and others may be had all the same. */
static bool
is_bad_object (const GError *error)
{
  return g_error_matches (error, VTREE_ERROR, VTREE_ERROR_MISSING)
         || g_error_matches (error, VTREE_ERROR, VTREE_ERROR_CORRUPT);
}

/* *FOUND: there is a file of its own, and it was taken. */
static bool
copy_file (const VtreePull *pull, const Wanted *wanted,
           const VtreeIngestExpected *expected, bool *found, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_store_open_raw (pull->from_store, &wanted->digest, &fd, error))
    return false;
  *found = fd >= 0;
  return fd < 0
         || vtree_ingest_expected_fd (pull->ingest, fd, wanted->size, expected, error);
}

static bool
may_be_slice (const Wanted *wanted)
{
  return !wanted->manifest && wanted->size > 0 && wanted->size <= VTREE_PACK_OBJECT_MAX;
}

/* Of a pack; all that is wrong with it is said as of the object. */
static bool
copy_slice (const VtreePull *pull, const Wanted *wanted,
            const VtreeIngestExpected *expected, GError **error)
{
  VtreeObjectSpec spec
    = { .digest = wanted->digest, .size = wanted->size, .policy = VTREE_VERITY_AUTO };
  if (!may_be_slice (wanted))
    return vtree_error_set (error, VTREE_ERROR_MISSING, "it is not there");
  g_autoptr (VtreeObject) object
    = vtree_store_open_object (pull->from_store, &spec, error);
  g_autofree uint8_t *data = g_malloc ((gsize) wanted->size);
  size_t got;
  return object != NULL
         && vtree_object_read (object, data, (size_t) wanted->size, 0, &got, error)
         && vtree_ingest_expected_bytes (pull->ingest, data, got, expected, error);
}

/* The file can't be had, which is FAILED: a pack may have it all the same. */
static bool
copy_other (const VtreePull *pull, const Wanted *wanted,
            const VtreeIngestExpected *expected, const GError *failed, GError **error)
{
  g_autoptr (GError) slice = NULL;
  bool look
    = may_be_slice (wanted) && (is_bad_object (failed) || vtree_object_fault (failed));
  if (look && copy_slice (pull, wanted, expected, &slice))
    return true;
  bool same = slice == NULL || is_bad_object (slice) || vtree_object_fault (slice);
  g_propagate_error (error, same ? g_error_copy (failed) : g_steal_pointer (&slice));
  return false;
}

static bool
copy (const VtreePull *pull, const Wanted *wanted, GError **error)
{
  const VtreeIngestExpected expected = { wanted->digest, wanted->manifest };
  g_autoptr (GError) failed = NULL;
  bool found;
  if (pull->from == NULL)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "it is damaged, or not there");
  if (copy_file (pull, wanted, &expected, &found, &failed))
    return found || copy_slice (pull, wanted, &expected, error);
  return copy_other (pull, wanted, &expected, failed, error);
}

static void
note_bad (Fetch *fetch, const Wanted *wanted, GError *failed)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  const VtreePull *pull = fetch->pull;
  g_autofree char *from = vtree_error_escape (
    vtree_repo_path (pull->from != NULL ? pull->from : pull->to), -1);
  g_prefix_error (
    &failed, "object %s of %s: ", vtree_digest_format (&wanted->digest, text), from);
  g_mutex_lock (&fetch->lock);
  fetch->bad++;
  if (fetch->first == NULL)
    fetch->first = g_steal_pointer (&failed);
  g_mutex_unlock (&fetch->lock);
  g_clear_error (&failed);
}

static bool
fetch_object (Fetch *fetch, const Wanted *wanted, GError **error)
{
  bool good;
  if (!find_good (fetch->pull, wanted, &good, error))
    return false;
  if (good) {
    g_mutex_lock (&fetch->lock);
    fetch->found_objects++;
    fetch->found_bytes += wanted->size;
    g_mutex_unlock (&fetch->lock);
    return true;
  }
  GError *failed = NULL;
  if (copy (fetch->pull, wanted, &failed))
    return true;
  if (is_bad_object (failed)) {
    note_bad (fetch, wanted, failed);
    return true;
  }
  g_propagate_error (error, failed);
  return false;
}

/* VtreePoolWork */
static bool
work (void *context, void *item, GError **error)
{
  Fetch *fetch = context;
  const Wanted *wanted = item;
  const VtreePullOptions *options = fetch->pull->options;
  if (!fetch_object (fetch, wanted, error))
    return false;
  if (options->progress != NULL)
    options->progress (options->progress_context, 1, wanted->size);
  return true;
}

/* --- all of them ------------------------------------------------------------------ */

/* Fetches those from START on that make a batch; *END is behind the last of them. */
static bool
fetch_batch (Fetch *fetch, guint start, guint *end, GError **error)
{
  VtreePool *pool = vtree_pool_new (fetch->pull->options->threads, work, NULL, fetch);
  uint64_t bytes = 0;
  guint i = start;
  for (; i < fetch->wanted->len && i - start < BATCH_OBJECTS && bytes < BATCH_BYTES;
       i++) {
    Wanted *wanted = &g_array_index (fetch->wanted, Wanted, i);
    bytes += wanted->size;
    if (!vtree_pool_push (pool, wanted))
      break;
  }
  *end = i;
  if (!vtree_pool_finish (&pool, error))
    return false;
  for (guint k = start; k < i; k++)
    vtree_ingest_order (fetch->pull->ingest,
                        &g_array_index (fetch->wanted, Wanted, k).digest);
  return vtree_ingest_seal (fetch->pull->ingest, error);
}

static bool
conclude (Fetch *fetch, GError **error)
{
  fetch->pull->result->found_objects = fetch->found_objects;
  fetch->pull->result->found_bytes = fetch->found_bytes;
  if (fetch->first == NULL)
    return true;
  g_propagate_error (error, g_steal_pointer (&fetch->first));
  if (fetch->bad > 1)
    g_prefix_error (
      error, "%" G_GUINT64_FORMAT " objects can't be had, one of them: ", fetch->bad);
  return false;
}

static bool
fetch_all (Fetch *fetch, GError **error)
{
  guint next = 0;
  while (next < fetch->wanted->len) {
    if (!fetch_batch (fetch, next, &next, error))
      return false;
  }
  return conclude (fetch, error);
}

/* The same where nothing can be fetched: makes nothing visible. */
static bool
look_at_all (Fetch *fetch, GError **error)
{
  VtreePool *pool = vtree_pool_new (fetch->pull->options->threads, work, NULL, fetch);
  for (guint i = 0; i < fetch->wanted->len; i++)
    if (!vtree_pool_push (pool, &g_array_index (fetch->wanted, Wanted, i)))
      break;
  return vtree_pool_finish (&pool, error) && conclude (fetch, error);
}

/* VtreeStoreEach */
static bool
want (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  Fetch *fetch = context;
  const Wanted wanted = { *digest, size, false };
  (void) error;
  g_array_append_val (fetch->wanted, wanted);
  return true;
}

static bool
want_manifest (Fetch *fetch)
{
  const VtreeResolved *resolved = fetch->pull->resolved;
  const Wanted wanted = { resolved->manifest, resolved->manifest_size, true };
  g_array_append_val (fetch->wanted, wanted);
  return true;
}

/* Secrets of the tree are the tree owner's: nobody else may enter a repository that has
 * them. */
bool
vtree_pull_check_secrets (const VtreePull *pull, VtreeView *view, GError **error)
{
  struct stat st;
  if (fstat (vtree_repo_dirfd (pull->to), &st) < 0)
    return vtree_error_set_errno (error, errno, "look at %s",
                                  vtree_repo_path (pull->to));
  bool shared = vtree_repo_options (pull->to)->shared || (st.st_mode & S_IXOTH) != 0;
  if (!shared || pull->options->allow_secret)
    return true;
  for (uint32_t i = 0; i < vtree_view_totals (view)->inodes; i++) {
    VtreeInode inode;
    if (!vtree_view_inode (view, i, &inode, error))
      return false;
    if (inode.object == VTREE_VIEW_NO_OBJECT || (inode.mode & S_IROTH) != 0)
      continue;
    g_autofree char *path = vtree_view_path (view, i);
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "%s is not readable for everybody, but the repository is; "
                            "--allow-secret takes it all the same",
                            path);
  }
  return true;
}

bool
vtree_pull_objects (VtreePull *pull, VtreeView *view, GError **error)
{
  g_auto (Fetch) fetch
    = { .pull = pull, .wanted = g_array_new (FALSE, FALSE, sizeof (Wanted)) };
  g_mutex_init (&fetch.lock);
  return vtree_pull_check_secrets (pull, view, error)
         && vtree_reach_foreach (view, want, &fetch, error) && want_manifest (&fetch)
         && fetch_all (&fetch, error) && vtree_ingest_sync (pull->ingest, error);
}

bool
vtree_pull_check_rest (VtreePull *pull, VtreeView *view, GHashTable *taken,
                       GError **error)
{
  g_auto (Fetch) fetch
    = { .pull = pull, .wanted = g_array_new (FALSE, FALSE, sizeof (Wanted)) };
  uint32_t count = vtree_view_totals (view)->objects;
  g_mutex_init (&fetch.lock);
  for (uint32_t i = 0; i < count; i++) {
    Wanted wanted = { .manifest = false };
    if (!vtree_view_object (view, i, &wanted.digest, &wanted.size, error))
      return false;
    if (g_hash_table_contains (taken, GUINT_TO_POINTER (i + 1)))
      vtree_ingest_order (pull->ingest, &wanted.digest);
    else
      g_array_append_val (fetch.wanted, wanted);
  }
  return look_at_all (&fetch, error);
}
