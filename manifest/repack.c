/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order of a repack: the new pack is durable and has its name before any copy
 * goes, so that whoever looks finds one of them.
 *
 *   lock -> what is alive -> which packs fold -> read, proved -> one syncfs, sealed,
 *   renamed -> one syncfs -> packs and files removed
 */
#include "manifest/repack.h"

#include "core/object-fault.h"
#include "manifest/reach.h"
#include "manifest/repack-private.h"

/* --- into the new pack ------------------------------------------------------------ */

/* Whether it has to be somewhere else afterwards. A copy that stays may be a bad one:
 * what is in a pack that goes is brought to the ingest, which looks at that copy. What
 * is nowhere may be in a pack whose index can't be read: a search may still find it. */
static bool
moves (const VtreeRepack *repack, const VtreeRepackLive *live)
{
  if (live->folding || live->kept)
    return live->folding;
  if (live->loose)
    return !live->manifest && live->size <= repack->threshold;
  return repack->unreadable;
}

static bool
take (VtreeRepack *repack, VtreeIngest *ingest, const VtreeRepackLive *live,
      GError **error)
{
  const VtreeIngestExpected expected = { .digest = live->digest };
  VtreeObjectSpec spec
    = { .digest = live->digest, .size = live->size, .policy = VTREE_VERITY_AUTO };
  g_autoptr (VtreeObject) object
    = vtree_store_open_object (repack->store, &spec, error);
  g_autofree uint8_t *data = g_malloc ((gsize) live->size);
  size_t got;
  return object != NULL && vtree_object_read (object, data, live->size, 0, &got, error)
         && vtree_ingest_expected_bytes (ingest, data, got, &expected, error);
}

static bool
is_of_object (const GError *failed)
{
  return g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING)
         || g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED)
         || vtree_object_fault (failed);
}

/* What has no good copy stays where it is. */
static bool
move_one (VtreeRepack *repack, VtreeIngest *ingest, VtreeRepackLive *live,
          GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_autoptr (GError) failed = NULL;
  if (take (repack, ingest, live, &failed)) {
    vtree_ingest_order (ingest, &live->digest);
    live->moved = true;
    return true;
  }
  if (!is_of_object (failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  repack->result->damaged++;
  if (repack->options->damaged != NULL)
    repack->options->damaged (repack->options->context,
                              vtree_digest_format (&live->digest, text),
                              failed->message);
  return true;
}

static bool
move_all (VtreeRepack *repack, VtreeIngest *ingest, GError **error)
{
  for (guint i = 0; i < repack->order->len; i++) {
    VtreeRepackLive *live = repack->order->pdata[i];
    if (moves (repack, live) && !move_one (repack, ingest, live, error))
      return false;
  }
  return vtree_ingest_seal (ingest, error) && vtree_ingest_sync (ingest, error);
}

/* --- out of the old places -------------------------------------------------------- */

/* VtreePackEach: stops at the first that has to stay; DATA is a VtreeRepack. */
static bool
find_damaged (void *context, uint64_t index, const VtreePackEntry *entry,
              GError **error)
{
  const VtreeRepack *repack = context;
  const VtreeRepackLive *live = g_hash_table_lookup (repack->live, &entry->digest);
  (void) index;
  return live == NULL || live->moved
         || vtree_error_set (error, VTREE_ERROR_CORRUPT, "it has a damaged object");
}

/* A pack whose index can't be read goes only if nothing is missing at all. */
static bool
may_go (const VtreeRepack *repack, const VtreeRepackPack *pack)
{
  if (repack->result->damaged == 0)
    return true;
  g_autoptr (VtreePack) open
    = vtree_packs_open (vtree_store_packs (repack->store), &pack->name, NULL);
  return pack->readable && open != NULL
         && vtree_pack_foreach (open, find_damaged, (void *) repack, NULL);
}

static bool
is_made (const GArray *made, const VtreeDigest *name)
{
  for (guint i = 0; i < made->len; i++)
    if (vtree_digest_equal (&g_array_index (made, VtreeDigest, i), name))
      return true;
  return false;
}

static bool
remove_packs (VtreeRepack *repack, const GArray *made, GError **error)
{
  for (guint i = 0; i < repack->packs->len; i++) {
    const VtreeRepackPack *pack = &g_array_index (repack->packs, VtreeRepackPack, i);
    if (!pack->folds || is_made (made, &pack->name) || !may_go (repack, pack))
      continue;
    if (!vtree_packs_remove (vtree_store_packs (repack->store), &pack->name, error))
      return false;
    repack->result->folded++;
  }
  return true;
}

/* Whether a small object's own file is of no use now. */
static bool
is_spare (const VtreeRepack *repack, const VtreeRepackLive *live)
{
  return live->loose && !live->manifest && live->size <= repack->threshold
         && (live->moved || live->kept);
}

/* A copy in a pack that stays has not been looked at yet. */
static bool
is_proved (const VtreeRepack *repack, const VtreeRepackLive *live, bool *proved,
           GError **error)
{
  VtreeStoreVerdict verdict;
  *proved = live->moved;
  if (live->moved)
    return true;
  g_autofree char *message = NULL;
  if (!vtree_store_check_slice (repack->store, &live->digest, live->size, &verdict,
                                &message, error))
    return false;
  *proved = verdict == VTREE_STORE_GOOD;
  return true;
}

static bool
remove_files (VtreeRepack *repack, GError **error)
{
  for (guint i = 0; i < repack->order->len; i++) {
    const VtreeRepackLive *live = repack->order->pdata[i];
    bool proved;
    if (!is_spare (repack, live))
      continue;
    if (!is_proved (repack, live, &proved, error)
        || (proved && !vtree_store_remove (repack->store, &live->digest, error)))
      return false;
    repack->result->moved += proved;
  }
  return true;
}

/* --- the whole -------------------------------------------------------------------- */

static bool
count_after (VtreeRepack *repack, GError **error)
{
  VtreePacks *packs = vtree_store_packs (repack->store);
  g_autoptr (GArray) names = vtree_packs_list (packs, error);
  if (names == NULL)
    return false;
  repack->result->packs_after = names->len;
  for (guint i = 0; i < names->len; i++) {
    g_autoptr (VtreePack) pack
      = vtree_packs_open (packs, &g_array_index (names, VtreeDigest, i), NULL);
    repack->result->bytes_after += pack != NULL ? vtree_pack_size (pack) : 0;
  }
  for (guint i = 0; i < repack->order->len; i++) {
    const VtreeRepackLive *live = repack->order->pdata[i];
    bool unpacked = live->moved && !live->kept && live->size > repack->threshold;
    repack->result->unpacked += unpacked && !live->loose;
    if ((unpacked || (live->loose && !is_spare (repack, live))) && !live->manifest)
      repack->result->bytes_after += live->size;
  }
  return true;
}

static GHashTable *
leaving (const VtreeRepack *repack)
{
  GHashTable *names = vtree_digest_set_new ();
  for (guint i = 0; i < repack->packs->len; i++) {
    const VtreeRepackPack *pack = &g_array_index (repack->packs, VtreeRepackPack, i);
    if (pack->folds)
      vtree_digest_set_add (names, &pack->name);
  }
  return names;
}

static bool
fold (VtreeRepack *repack, GError **error)
{
  g_autoptr (GHashTable) names = leaving (repack);
  VtreeIngestOptions options = { .verity = repack->options->verity,
                                 .signer = repack->options->signer,
                                 .leaving = names,
                                 .has_threshold = true,
                                 .threshold = repack->threshold };
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (repack->repo, &options, error);
  return ingest != NULL && move_all (repack, ingest, error)
         && remove_packs (repack, vtree_ingest_packs (ingest), error)
         && remove_files (repack, error);
}

static void
count_only (VtreeRepack *repack)
{
  for (guint i = 0; i < repack->packs->len; i++)
    repack->result->folded += g_array_index (repack->packs, VtreeRepackPack, i).folds;
  for (guint i = 0; i < repack->order->len; i++) {
    const VtreeRepackLive *live = repack->order->pdata[i];
    repack->result->moved
      += live->loose && !live->manifest && live->size <= repack->threshold;
    repack->result->unpacked
      += live->folding && !live->loose && live->size > repack->threshold;
  }
}

/* One pack that stays as it is, and nothing beside it, is not written again. */
static bool
is_idle (const VtreeRepack *repack)
{
  bool any = false;
  for (guint i = 0; i < repack->packs->len; i++)
    any = any || g_array_index (repack->packs, VtreeRepackPack, i).folds;
  for (guint i = 0; i < repack->order->len && !any; i++) {
    const VtreeRepackLive *live = repack->order->pdata[i];
    any = live->loose && !live->manifest && live->size <= repack->threshold;
  }
  return !any;
}

static bool
run (VtreeRepack *repack, GError **error)
{
  if (!vtree_repack_find_live (repack, error)) {
    g_prefix_error (error, "nothing is repacked: ");
    return false;
  }
  if (!vtree_repack_plan (repack, error))
    return false;
  repack->result->packs_before = repack->packs->len;
  if (repack->options->dry_run) {
    count_only (repack);
    repack->result->packs_after = repack->packs->len;
    return true;
  }
  return (is_idle (repack) || fold (repack, error)) && count_after (repack, error);
}

bool
vtree_repack_begin (VtreeRepack *repack, GError **error)
{
  repack->order = g_ptr_array_new_with_free_func (g_free);
  repack->live = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
  repack->packs = g_array_new (FALSE, TRUE, sizeof (VtreeRepackPack));
  repack->store = vtree_store_new (repack->repo, error);
  return repack->store != NULL;
}

void
vtree_repack_clear (VtreeRepack *repack)
{
  g_clear_pointer (&repack->store, vtree_store_free);
  g_clear_pointer (&repack->live, g_hash_table_unref);
  g_clear_pointer (&repack->order, g_ptr_array_unref);
  g_clear_pointer (&repack->packs, g_array_unref);
}

bool
vtree_repack (const VtreeRepo *repo, const VtreeRepackOptions *options,
              VtreeRepackResult *result, GError **error)
{
  VtreeRepackResult own = { 0 };
  g_auto (VtreeRepack) repack = { .repo = repo, .options = options, .result = &own };
  g_auto (VtreeFd) lock = -1;
  if (!vtree_repo_lock (repo, VTREE_REPO_LOCK_EXCLUSIVE, options->wait, &lock, error))
    return false;
  repack.threshold = options->has_threshold ? options->threshold
                                            : vtree_repo_options (repo)->pack_threshold;
  if (!vtree_repack_begin (&repack, error) || !run (&repack, error)) {
    g_prefix_error (error, "repack %s: ", vtree_repo_path (repo));
    return false;
  }
  *result = own;
  return true;
}
