/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which objects have to be copied, and their way through the ingest. What the
 * other repository lacks does not keep the rest from arriving.
 */
#include "manifest/pull-private.h"

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

/* A name proves nothing: what lies there is read or measured. */
static bool
find_good (const VtreePull *pull, const Wanted *wanted, bool *good, GError **error)
{
  uint64_t size;
  bool found;
  *good = false;
  if (!vtree_store_find (pull->to_store, &wanted->digest, &found, &size, error))
    return false;
  if (!found)
    return true;
  return vtree_ingest_is_sealing (pull->ingest)
           ? find_sealed (pull, wanted, good, error)
           : find_plain (pull, wanted, good, error);
}

/* --- what is not ------------------------------------------------------------------ */

static bool
copy (const VtreePull *pull, const Wanted *wanted, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_store_open_raw (pull->from_store, &wanted->digest, &fd, error))
    return false;
  if (fd < 0)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "it is not there");
  return vtree_ingest_object (pull->ingest, fd, wanted->size, &wanted->digest, error);
}

/* True if ERROR is of one object, and others may be had all the same. */
static bool
is_bad_object (const GError *error)
{
  return g_error_matches (error, VTREE_ERROR, VTREE_ERROR_MISSING)
         || g_error_matches (error, VTREE_ERROR, VTREE_ERROR_CORRUPT);
}

static void
note_bad (Fetch *fetch, const Wanted *wanted, GError *failed)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *from = vtree_error_escape (vtree_repo_path (fetch->pull->from), -1);
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
  return vtree_pool_finish (&pool, error)
         && vtree_ingest_seal (fetch->pull->ingest, error);
}

static bool
fetch_all (Fetch *fetch, GError **error)
{
  guint next = 0;
  while (next < fetch->wanted->len) {
    if (!fetch_batch (fetch, next, &next, error))
      return false;
  }
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

/* VtreeStoreEach */
static bool
want (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  Fetch *fetch = context;
  const Wanted wanted = { *digest, size };
  (void) error;
  g_array_append_val (fetch->wanted, wanted);
  return true;
}

/* Secrets of the tree are the tree owner's: nobody else may enter a repository that has
 * them. */
static bool
check_secrets (const VtreePull *pull, VtreeView *view, GError **error)
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
  return check_secrets (pull, view, error)
         && vtree_reach_foreach (view, want, &fetch, error)
         && want (&fetch, &pull->resolved->manifest, pull->resolved->manifest_size,
                  error)
         && fetch_all (&fetch, error) && vtree_ingest_sync (pull->ingest, error);
}
