/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision which packs are folded. Reads indices, no contents.
 */
#include "core/object-fault.h"
#include "manifest/repack-private.h"

/* So many packs are worth a word to whoever adds another. */
#define MANY 8

/* --- many and small --------------------------------------------------------------- */

static gint
compare_size (gconstpointer a, gconstpointer b)
{
  const VtreeRepackPack *x = a;
  const VtreeRepackPack *y = b;
  if (x->size != y->size)
    return x->size > y->size ? -1 : 1;
  return vtree_digest_compare (&x->name, &y->name);
}

void
vtree_repack_fold_small (GArray *packs)
{
  uint64_t smaller = 0;
  g_array_sort (packs, compare_size);
  for (guint i = 0; i < packs->len; i++)
    smaller += g_array_index (packs, VtreeRepackPack, i).size;
  for (guint i = 0; i < packs->len; i++) {
    VtreeRepackPack *pack = &g_array_index (packs, VtreeRepackPack, i);
    smaller -= pack->size;
    if (pack->size / 2 >= smaller)
      continue;
    for (; i < packs->len; i++)
      g_array_index (packs, VtreeRepackPack, i).folds = true;
  }
}

/* Sizes of all packs that can be opened. */
static GArray *
measure_packs (const VtreeStore *store, GError **error)
{
  g_autoptr (GArray) names = vtree_packs_list (vtree_store_packs (store), error);
  if (names == NULL)
    return NULL;
  GArray *packs = g_array_new (FALSE, TRUE, sizeof (VtreeRepackPack));
  for (guint i = 0; i < names->len; i++) {
    const VtreeDigest *name = &g_array_index (names, VtreeDigest, i);
    g_autoptr (VtreePack) pack
      = vtree_packs_open (vtree_store_packs (store), name, NULL);
    if (pack == NULL)
      continue;
    VtreeRepackPack one
      = { .name = *name, .size = vtree_pack_size (pack), .readable = true };
    g_array_append_val (packs, one);
  }
  return packs;
}

bool
vtree_repack_pays (const VtreeStore *store, bool *pays, uint64_t *folded,
                   GError **error)
{
  g_autoptr (GArray) packs = measure_packs (store, error);
  if (packs == NULL)
    return false;
  vtree_repack_fold_small (packs);
  *folded = 0;
  for (guint i = 0; i < packs->len; i++)
    *folded += g_array_index (packs, VtreeRepackPack, i).folds;
  *pays = *folded >= MANY;
  return true;
}

/* --- what is in them -------------------------------------------------------------- */

typedef struct {
  const VtreeRepack *repack;
  VtreeRepackPack *pack;
} Scan;

/* VtreePackEach */
static bool
count_live (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  const Scan *scan = context;
  (void) index;
  (void) error;
  if (g_hash_table_contains (scan->repack->live, &entry->digest))
    scan->pack->live_bytes += entry->size;
  return true;
}

/* VtreePackEach */
static bool
note_place (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  const Scan *scan = context;
  VtreeRepackLive *live = g_hash_table_lookup (scan->repack->live, &entry->digest);
  (void) index;
  (void) error;
  if (live != NULL && scan->pack->folds)
    live->folding = true;
  else if (live != NULL)
    live->kept = true;
  return true;
}

/* What is no pack, or one with a bad index, has nothing. */
static bool
scan_pack (VtreeRepack *repack, VtreeRepackPack *one, VtreePackEach each,
           GError **error)
{
  g_autoptr (GError) failed = NULL;
  Scan scan = { repack, one };
  g_autoptr (VtreePack) pack
    = vtree_packs_open (vtree_store_packs (repack->store), &one->name, &failed);
  if (pack != NULL) {
    one->size = vtree_pack_size (pack);
    one->data_size = vtree_pack_data_size (pack);
  }
  one->readable = pack != NULL && vtree_pack_foreach (pack, each, &scan, &failed)
                  && (!repack->options->check
                      || vtree_packs_check (vtree_store_packs (repack->store),
                                            &one->name, &failed));
  if (failed == NULL || failed->domain == VTREE_ERROR || vtree_object_fault (failed))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

static bool
wants_folding (const VtreeRepack *repack, const VtreeRepackPack *pack)
{
  uint64_t wanted = pack->data_size / 100 * repack->options->min_live
                    + pack->data_size % 100 * repack->options->min_live / 100;
  return repack->options->all || !pack->readable || pack->live_bytes < wanted;
}

/* Those that stay for what is in them may still be many. */
static void
fold_rest (VtreeRepack *repack)
{
  g_autoptr (GArray) rest = g_array_new (FALSE, FALSE, sizeof (VtreeRepackPack));
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (VtreeRepackPack));
  for (guint i = 0; i < repack->packs->len; i++) {
    const VtreeRepackPack *pack = &g_array_index (repack->packs, VtreeRepackPack, i);
    if (pack->folds)
      g_array_append_val (all, *pack);
    else
      g_array_append_val (rest, *pack);
  }
  vtree_repack_fold_small (rest);
  g_array_append_vals (all, rest->data, rest->len);
  g_array_set_size (repack->packs, 0);
  g_array_append_vals (repack->packs, all->data, all->len);
}

static bool
scan_all (VtreeRepack *repack, VtreePackEach each, GError **error)
{
  for (guint i = 0; i < repack->packs->len; i++)
    if (!scan_pack (repack, &g_array_index (repack->packs, VtreeRepackPack, i), each,
                    error))
      return false;
  return true;
}

bool
vtree_repack_plan (VtreeRepack *repack, GError **error)
{
  g_autoptr (GArray) names
    = vtree_packs_list (vtree_store_packs (repack->store), error);
  if (names == NULL)
    return false;
  for (guint i = 0; i < names->len; i++) {
    VtreeRepackPack pack = { .name = g_array_index (names, VtreeDigest, i) };
    g_array_append_val (repack->packs, pack);
  }
  if (!scan_all (repack, count_live, error))
    return false;
  for (guint i = 0; i < repack->packs->len; i++) {
    VtreeRepackPack *pack = &g_array_index (repack->packs, VtreeRepackPack, i);
    pack->folds = wants_folding (repack, pack);
    repack->result->bytes_before += pack->size;
  }
  fold_rest (repack);
  if (!scan_all (repack, note_place, error))
    return false;
  for (guint i = 0; i < repack->packs->len; i++)
    repack->unreadable = repack->unreadable
                         || !g_array_index (repack->packs, VtreeRepackPack, i).readable;
  return true;
}
