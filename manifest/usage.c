/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the counting; what is alive is repack-live.c's. */
#include "manifest/usage.h"

#include "core/verity.h"
#include "manifest/repack-private.h"

#include <errno.h>
#include <sys/stat.h>

typedef struct {
  const VtreeRepack *live;
  VtreeUsage *usage;
} Count;

/* VtreeStoreEach */
static bool
count_loose (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  Count *count = context;
  (void) error;
  count->usage->loose++;
  count->usage->loose_bytes += size;
  if (!g_hash_table_contains (count->live->live, digest)) {
    count->usage->unneeded++;
    count->usage->unneeded_bytes += size;
  }
  return true;
}

static int64_t
blocks (uint64_t size)
{
  return (int64_t) ((size + VTREE_BLOCK_SIZE - 1) / VTREE_BLOCK_SIZE)
         * VTREE_BLOCK_SIZE;
}

/* VtreePackEach */
static bool
count_packed (void *context, uint64_t index, const VtreePackEntry *entry,
              GError **error)
{
  Count *count = context;
  (void) index;
  (void) error;
  count->usage->packed++;
  if (!g_hash_table_contains (count->live->live, &entry->digest)) {
    count->usage->dead_bytes += entry->size;
    return true;
  }
  count->usage->live++;
  count->usage->live_bytes += entry->size;
  count->usage->saved_bytes += blocks (entry->size);
  return true;
}

/* fsck tells of what can't be read whole. */
static bool
count_pack (Count *count, const VtreeDigest *name, GError **error)
{
  g_autoptr (VtreePack) pack = NULL;
  struct stat st;
  bool whole;
  if (!vtree_packs_scan (vtree_store_packs (count->live->store), name, count_packed,
                         count, &pack, &whole, error))
    return false;
  if (pack == NULL)
    return true;
  if (fstat (vtree_pack_peek_fd (pack), &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  count->usage->packs++;
  count->usage->pack_bytes += vtree_pack_size (pack);
  count->usage->saved_bytes -= (int64_t) st.st_blocks * 512;
  return true;
}

static bool
count_packs (Count *count, GError **error)
{
  g_autoptr (GArray) names
    = vtree_packs_list (vtree_store_packs (count->live->store), error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (!count_pack (count, &g_array_index (names, VtreeDigest, i), error))
      return false;
  return names != NULL;
}

bool
vtree_usage_find (const VtreeRepo *repo, int wait, VtreeUsage *usage, GError **error)
{
  g_auto (VtreeFd) lock = -1;
  g_auto (VtreeRepack) live = { .repo = repo, .all_sizes = true };
  VtreeUsage own = { 0 };
  Count count = { .live = &live, .usage = &own };
  bool ok = vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, wait, &lock, error)
            && vtree_repack_begin (&live, error)
            && vtree_repack_find_live (&live, error);
  ok = ok && vtree_store_foreach (live.store, count_loose, &count, error)
       && count_packs (&count, error);
  if (!ok)
    g_prefix_error (error, "measure %s: ", vtree_repo_path (repo));
  else
    *usage = own;
  return ok;
}
