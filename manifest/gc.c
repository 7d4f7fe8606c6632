/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order in which a repository loses what it does not need, so that a kill or a
 * power cut between any two steps leaves only more rubbish, and nothing is deleted on
 * the word of a manifest that was not read whole and found right. Makes no file.
 *
 * 1. Every manifest that stays is checked in full; one that is missing or corrupt ends
 *    it here. So is one whose file was replaced while a mount held it, and still does.
 * 2. Old statements go; one sync makes that durable before anything that they name
 *    goes.
 * 3. An unreachable object that can't be locked is a manifest in use by a mount: what
 *    it reaches stays, and it is checked as those were.
 * 4. The rest goes: manifests first, each while its lock is held, so that none can be
 *    mounted whose objects are about to go; then packs of which nothing is needed.
 */
#include "manifest/gc.h"

#include "core/beneath.h"
#include "core/litter.h"
#include "core/lock.h"
#include "manifest/format.h"
#include "manifest/gc-private.h"
#include "manifest/reach.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- what is reachable ------------------------------------------------------------ */

/* VtreeStoreEach */
static bool
mark (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  VtreeGc *gc = context;
  (void) size;
  (void) error;
  vtree_digest_set_add (gc->reachable, digest);
  return true;
}

static bool
mark_manifest (VtreeGc *gc, const VtreeDigest *digest, uint64_t size, GError **error)
{
  g_autoptr (VtreeView) view = vtree_reach_open (gc->store, digest, size, error);
  if (view == NULL || !vtree_reach_foreach (view, mark, gc, error))
    return false;
  vtree_digest_set_add (gc->reachable, digest);
  return true;
}

static bool
mark_all (VtreeGc *gc, GError **error)
{
  GHashTableIter iter;
  gpointer digest, size;
  g_hash_table_iter_init (&iter, gc->manifests);
  while (g_hash_table_iter_next (&iter, &digest, &size)) {
    g_autoptr (GError) failed = NULL;
    if (mark_manifest (gc, digest, *(const uint64_t *) size, &failed))
      continue;
    if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING))
      failed->code = VTREE_ERROR_CORRUPT; /* the repository is, not what was asked */
    g_propagate_prefixed_error (error, g_steal_pointer (&failed),
                                "nothing is deleted: ");
    return false;
  }
  return true;
}

/* VtreeStoreEach */
static bool
collect_unreachable (void *context, const VtreeDigest *digest, uint64_t size,
                     GError **error)
{
  VtreeGc *gc = context;
  (void) error;
  VtreeGcObject object = { *digest, size, false };
  if (!g_hash_table_contains (gc->reachable, digest))
    g_array_append_val (gc->unreachable, object);
  return true;
}

/* --- manifests that a mount holds ------------------------------------------------- */

/* Opens the object and tells whether it begins like a MANIFEST; *FD is -1 if it is no
 * readable file (then nobody has it mounted). */
static bool
open_object (VtreeGc *gc, const VtreeDigest *digest, VtreeFd *fd, bool *manifest,
             GError **error)
{
  uint8_t magic[VTREE_VTM_MAGIC_SIZE];
  size_t got = 0;
  g_auto (VtreeFd) opened = -1;
  g_autoptr (GError) failed = NULL;
  *fd = -1;
  *manifest = false;
  if (!vtree_store_open_raw (gc->store, digest, &opened, &failed)) {
    bool odd = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT);
    if (!odd)
      g_propagate_error (error, g_steal_pointer (&failed));
    return odd;
  }
  *manifest = opened >= 0 && vtree_fd_pread (opened, magic, sizeof magic, 0, &got, NULL)
              && got == sizeof magic
              && memcmp (magic, VTREE_VTM_MAGIC, sizeof magic) == 0;
  *fd = vtree_fd_steal (&opened);
  return true;
}

/* *HELD: somebody has it locked. Otherwise we have, as long as FD is open. */
static bool
try_lock (int fd, bool *held, GError **error)
{
  g_autoptr (GError) failed = NULL;
  *held = !vtree_lock_take (fd, VTREE_LOCK_EXCLUSIVE, 0, &failed);
  if (!*held || g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

static bool
keep_held (VtreeGc *gc, const VtreeGcObject *object, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  gc->result->held_manifests++;
  if (gc->options->held != NULL)
    gc->options->held (gc->options->context,
                       vtree_digest_format (&object->digest, text));
  if (mark_manifest (gc, &object->digest, object->size, error))
    return true;
  g_prefix_error (error, "no object is deleted, a mount holds a bad manifest: ");
  return false;
}

/* The file that the mount holds may be a bad one: what now stands in its place says
 * what it reaches. */
static bool
keep_replaced (VtreeGc *gc, GError **error)
{
  for (guint i = 0; i < gc->replaced->len; i++) {
    VtreeGcObject object = { g_array_index (gc->replaced, VtreeDigest, i), 1, true };
    bool found;
    if (g_hash_table_contains (gc->reachable, &object.digest))
      continue;
    if (!vtree_store_find (gc->store, &object.digest, &found, &object.size, error)
        || !keep_held (gc, &object, error))
      return false;
  }
  return true;
}

static bool
find_held (VtreeGc *gc, VtreeGcObject *object, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  bool held;
  if (!open_object (gc, &object->digest, &fd, &object->manifest, error))
    return false;
  if (fd < 0)
    return true;
  if (!try_lock (fd, &held, error))
    return false;
  object->manifest = object->manifest || held;
  return !held || keep_held (gc, object, error);
}

static bool
find_all_held (VtreeGc *gc, GError **error)
{
  for (guint i = 0; i < gc->unreachable->len; i++) {
    if (!find_held (gc, &g_array_index (gc->unreachable, VtreeGcObject, i), error))
      return false;
  }
  return true;
}

/* --- removing --------------------------------------------------------------------- */

static bool
remove_object (VtreeGc *gc, const VtreeGcObject *object, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!gc->options->dry_run && !vtree_store_remove (gc->store, &object->digest, error))
    return false;
  gc->result->objects++;
  gc->result->bytes += object->size;
  if (gc->options->removed != NULL)
    gc->options->removed (gc->options->context,
                          vtree_digest_format (&object->digest, text));
  return true;
}

/* One that has been mounted since (by its digest: a mount of a ref waits for our lock)
 * stays, with what it reaches. */
static bool
remove_manifest (VtreeGc *gc, const VtreeGcObject *object, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  bool held = false, manifest;
  if (!open_object (gc, &object->digest, &fd, &manifest, error)
      || (fd >= 0 && !try_lock (fd, &held, error)))
    return false;
  return held ? keep_held (gc, object, error) : remove_object (gc, object, error);
}

static bool
remove_pass (VtreeGc *gc, bool manifests, GError **error)
{
  for (guint i = 0; i < gc->unreachable->len; i++) {
    const VtreeGcObject *object = &g_array_index (gc->unreachable, VtreeGcObject, i);
    if (object->manifest != manifests
        || g_hash_table_contains (gc->reachable, &object->digest))
      continue;
    if (manifests ? !remove_manifest (gc, object, error)
                  : !remove_object (gc, object, error))
      return false;
  }
  return true;
}

/* VtreeStoreEach, for Merkle files: they go with their objects. */
static bool
count_merkle (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  VtreeGc *gc = context;
  (void) error;
  if (!g_hash_table_contains (gc->reachable, digest))
    gc->result->bytes += size;
  return true;
}

/* VtreeStoreEach, for Merkle files: those whose objects were gone already. */
static bool
remove_orphan (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  VtreeGc *gc = context;
  (void) size;
  return gc->options->dry_run || g_hash_table_contains (gc->reachable, digest)
         || vtree_store_remove (gc->store, digest, error);
}

/* --- packs ------------------------------------------------------------------------ */

typedef struct {
  const VtreeGc *gc;
  uint64_t live, live_bytes, dead, dead_bytes;
} PackUse;

/* VtreePackEach */
static bool
count_use (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  PackUse *use = context;
  (void) index;
  (void) error;
  bool live = g_hash_table_contains (use->gc->reachable, &entry->digest);
  use->live += live;
  use->dead += !live;
  *(live ? &use->live_bytes : &use->dead_bytes) += entry->size;
  return true;
}

static bool
remove_pack (VtreeGc *gc, const VtreePack *pack, const PackUse *use, GError **error)
{
  const VtreeDigest *name = vtree_pack_name (pack);
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!gc->options->dry_run
      && !vtree_packs_remove (vtree_store_packs (gc->store), name, error))
    return false;
  g_autofree char *what = g_strdup_printf ("pack %s", vtree_digest_format (name, text));
  gc->result->packs++;
  gc->result->objects += use->dead;
  gc->result->bytes += vtree_pack_size (pack);
  if (gc->options->removed != NULL)
    gc->options->removed (gc->options->context, what);
  return true;
}

/* What can't be read is not judged: fsck tells of it, and repack replaces it. */
static bool
collect_pack (VtreeGc *gc, const VtreeDigest *name, GError **error)
{
  PackUse use = { .gc = gc };
  g_autoptr (VtreePack) pack = NULL;
  bool whole;
  if (!vtree_packs_scan (vtree_store_packs (gc->store), name, count_use, &use, &pack,
                         &whole, error))
    return false;
  if (!whole)
    return true;
  if (use.live == 0)
    return remove_pack (gc, pack, &use, error);
  gc->result->kept_packs++;
  gc->result->kept_objects += use.live;
  gc->result->kept_bytes += use.live_bytes;
  gc->result->live_bytes += use.live_bytes;
  gc->result->dead_bytes += use.dead_bytes;
  return true;
}

static bool
collect_packs (VtreeGc *gc, GError **error)
{
  g_autoptr (GArray) names = vtree_packs_list (vtree_store_packs (gc->store), error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (!collect_pack (gc, &g_array_index (names, VtreeDigest, i), error))
      return false;
  return names != NULL;
}

/* VtreeStoreEach */
static bool
count_kept (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  VtreeGc *gc = context;
  (void) error;
  if (g_hash_table_contains (gc->reachable, digest)) {
    gc->result->kept_objects++;
    gc->result->kept_bytes += size;
  }
  return true;
}

/* --- the whole -------------------------------------------------------------------- */

static bool
sync_repository (const VtreeGc *gc, GError **error)
{
  if (gc->options->dry_run || gc->doomed->len == 0)
    return true;
  return syncfs (vtree_repo_dirfd (gc->repo)) == 0
         || vtree_error_set_errno (error, errno, "sync");
}

static bool
run (VtreeGc *gc, GError **error)
{
  uint64_t litter;
  return vtree_litter_clean (gc->repo, gc->options->dry_run, &litter, gc->replaced,
                             error)
         && vtree_refs_clean (gc->repo, gc->options->dry_run, &litter, error)
         && vtree_gc_plan_refs (gc, error) && mark_all (gc, error)
         && keep_replaced (gc, error) && vtree_gc_remove_versions (gc, error)
         && sync_repository (gc, error)
         && vtree_store_foreach (gc->store, collect_unreachable, gc, error)
         && find_all_held (gc, error)
         && vtree_store_foreach_merkle (gc->store, count_merkle, gc, error)
         && remove_pass (gc, true, error) && remove_pass (gc, false, error)
         && vtree_store_foreach_merkle (gc->store, remove_orphan, gc, error)
         && vtree_store_foreach (gc->store, count_kept, gc, error)
         && collect_packs (gc, error);
}

static void
free_version (gpointer data)
{
  VtreeGcVersion *version = data;
  g_free (version->ref);
  g_free (version);
}

static void
gc_init (VtreeGc *gc)
{
  gc->doomed = g_ptr_array_new_with_free_func (free_version);
  gc->manifests = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func,
                                         g_free, g_free);
  gc->reachable = vtree_digest_set_new ();
  gc->unreachable = g_array_new (FALSE, FALSE, sizeof (VtreeGcObject));
  gc->replaced = g_array_new (FALSE, FALSE, sizeof (VtreeDigest));
}

static void
gc_clear (VtreeGc *gc)
{
  vtree_store_free (gc->store);
  g_ptr_array_unref (gc->doomed);
  g_hash_table_unref (gc->manifests);
  g_hash_table_unref (gc->reachable);
  g_array_unref (gc->unreachable);
  g_array_unref (gc->replaced);
}

bool
vtree_gc (const VtreeRepo *repo, const VtreeGcOptions *options, VtreeGcResult *result,
          GError **error)
{
  VtreeGcResult own = { 0 };
  VtreeGc gc = { .repo = repo, .options = options, .result = &own };
  g_auto (VtreeFd) lock = -1;
  if (options->keep == 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "gc: at least 1 version of a ref is kept");
  if (!vtree_repo_lock (repo, VTREE_REPO_LOCK_EXCLUSIVE, options->wait, &lock, error))
    return false;
  gc_init (&gc);
  gc.store = vtree_store_new (repo, error);
  bool ok = gc.store != NULL && run (&gc, error);
  gc_clear (&gc);
  if (!ok) {
    g_prefix_error (error, "gc of %s: ", vtree_repo_path (repo));
    return false;
  }
  *result = own;
  return true;
}
