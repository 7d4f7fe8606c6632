/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of every object, on all processors, and of every manifest's sense.
 */
#include "core/pool.h"
#include "manifest/fsck-private.h"
#include "manifest/reach.h"

/* --- bytes ------------------------------------------------------------------------ */

static void
advance (VtreeFsck *fsck, const VtreeFsckObject *object)
{
  g_mutex_lock (&fsck->lock);
  fsck->done += object->size;
  if (fsck->options->progress != NULL)
    fsck->options->progress (fsck->options->context, fsck->done, fsck->total);
  g_mutex_unlock (&fsck->lock);
}

static bool
seal_one (VtreeFsck *fsck, VtreeFsckObject *object, uint64_t size, GError **error)
{
  VtreeStoreSealed sealed;
  if (!vtree_store_seal_object (fsck->store, &object->digest, size,
                                fsck->options->signer, &sealed, error))
    return false;
  object->verdict = sealed.verdict;
  object->sealing = sealed.sealing;
  object->message = sealed.message;
  object->unsealed = sealed.unsealed;
  return true;
}

/* VtreePoolWork */
static bool
check_one (void *context, void *item, GError **error)
{
  VtreeFsck *fsck = context;
  VtreeFsckObject *object = item;
  uint64_t size = object->reachable ? object->size : VTREE_STORE_ANY_SIZE;
  bool ok = fsck->options->seal
              ? seal_one (fsck, object, size, error)
              : vtree_store_check_object (fsck->store, &object->digest, size,
                                          &object->verdict, &object->message, error);
  if (!ok)
    return false;
  object->checked = true;
  advance (fsck, object);
  return true;
}

/* What is still to be read, so that progress has a goal. */
static GPtrArray *
collect_unchecked (VtreeFsck *fsck)
{
  GPtrArray *unchecked = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    VtreeFsckObject *object = value;
    if (object->checked)
      continue;
    fsck->result->objects++;
    fsck->result->bytes += object->size;
    fsck->total += object->size;
    g_ptr_array_add (unchecked, object);
  }
  return unchecked;
}

bool
vtree_fsck_check_objects (VtreeFsck *fsck, GError **error)
{
  g_autoptr (GPtrArray) unchecked = collect_unchecked (fsck);
  VtreePool *pool = vtree_pool_new (fsck->options->threads, check_one, NULL, fsck);
  for (guint i = 0; i < unchecked->len; i++) {
    if (!vtree_pool_push (pool, g_ptr_array_index (unchecked, i)))
      break;
  }
  return vtree_pool_finish (&pool, error);
}

/* --- what there is ---------------------------------------------------------------- */

/* VtreeStoreEach */
static bool
add_reached (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  (void) error;
  vtree_fsck_object (context, digest, size)->reachable = true;
  return true;
}

/* VtreeStoreEach */
static bool
add_loose (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  (void) error;
  vtree_fsck_object (context, digest, size);
  return true;
}

bool
vtree_fsck_add_unreachable (VtreeFsck *fsck, GError **error)
{
  return vtree_store_foreach (fsck->store, add_loose, fsck, error);
}

/* The bytes are right, but they make no tree. */
static bool
report_senseless (VtreeFsck *fsck, const VtreeFsckVersion *version, GError *failed,
                  GError **error)
{
  g_autoptr (GError) owned = failed;
  if (failed->domain != VTREE_ERROR) {
    g_propagate_error (error, g_steal_pointer (&owned));
    return false;
  }
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeFsckProblem problem = {
    .kind = VTREE_FSCK_CORRUPT,
    .ref = version->label,
    .object = vtree_digest_format (&version->manifest, text),
    .message = failed->message,
  };
  fsck->result->corrupt++;
  vtree_fsck_report (fsck, &problem);
  return true;
}

static bool
add_version (VtreeFsck *fsck, const VtreeFsckVersion *version, GError **error)
{
  VtreeFsckObject *object = vtree_fsck_object (fsck, &version->manifest, version->size);
  if (vtree_fsck_is_bad (object) && object->verdict != VTREE_STORE_BAD_MERKLE)
    return true; /* reported as any object */
  if (g_hash_table_contains (fsck->usable, &version->manifest))
    return true;
  GError *failed = NULL;
  g_autoptr (VtreeView) view
    = vtree_reach_open (fsck->store, &version->manifest, version->size, &failed);
  if (view == NULL)
    return report_senseless (fsck, version, failed, error);
  fsck->result->manifests++;
  vtree_digest_set_add (fsck->usable, &version->manifest);
  return vtree_reach_foreach (view, add_reached, fsck, error);
}

bool
vtree_fsck_add_reachable (VtreeFsck *fsck, GError **error)
{
  for (guint i = 0; i < fsck->versions->len; i++) {
    if (!add_version (fsck, g_ptr_array_index (fsck->versions, i), error))
      return false;
  }
  return true;
}
