/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns one sorted array: 48 bits of an object's digest, 16 bits of the pack's number.
 * Digests are spread evenly, so that few others share these bits; whoever plants some
 * costs us a look into each pack, as without an index.
 */
#include "core/packs-index.h"

#include "core/object-fault.h"

struct VtreePacksIndex {
  GArray *entries; /* uint64_t */
  GArray *always;  /* uint32_t: packs that may have anything */
};

VtreePacksIndex *
vtree_packs_index_new (void)
{
  VtreePacksIndex *index = g_new0 (VtreePacksIndex, 1);
  index->entries = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  index->always = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  return index;
}

void
vtree_packs_index_free (VtreePacksIndex *index)
{
  if (index == NULL)
    return;
  g_array_unref (index->entries);
  g_array_unref (index->always);
  g_free (index);
}

/* The digest's part of an entry; the pack's is 0. */
static uint64_t
key_of (const VtreeDigest *digest)
{
  uint64_t key = 0;
  for (unsigned i = 0; i < 6; i++)
    key = key << 8 | digest->value[i];
  return key << 16;
}

typedef struct {
  GArray *entries;
  uint32_t number;
} Adding;

/* VtreePackEach */
static bool
add_entry (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  const Adding *adding = context;
  uint64_t value = key_of (&entry->digest) | adding->number;
  (void) index;
  (void) error;
  g_array_append_val (adding->entries, value);
  return true;
}

bool
vtree_packs_index_add (VtreePacksIndex *index, uint32_t number, const VtreePack *pack,
                       bool *full, GError **error)
{
  g_autoptr (GError) failed = NULL;
  Adding adding = { index->entries, number };
  *full = number >= VTREE_PACKS_INDEX_PACKS
          || index->entries->len + vtree_pack_count (pack) > VTREE_PACKS_INDEX_OBJECTS;
  if (*full || vtree_pack_foreach (pack, add_entry, &adding, &failed))
    return true;
  if (!vtree_object_fault (failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  g_array_append_val (index->always, number);
  return true;
}

static gint
compare_entries (gconstpointer a, gconstpointer b)
{
  const uint64_t *x = a;
  const uint64_t *y = b;
  return (*x > *y) - (*x < *y);
}

void
vtree_packs_index_finish (VtreePacksIndex *index)
{
  g_array_sort (index->entries, compare_entries);
}

/* Where the first entry is that is not below KEY. */
static uint64_t
lower_bound (const GArray *entries, uint64_t key)
{
  uint64_t low = 0, high = entries->len;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (g_array_index (entries, uint64_t, middle) < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The cursor counts the packs that may have anything, then entries from the first one
 * that fits on. */
bool
vtree_packs_index_next (const VtreePacksIndex *index, const VtreeDigest *digest,
                        uint64_t *cursor, uint32_t *number)
{
  uint64_t always = index->always->len;
  if (*cursor < always) {
    *number = g_array_index (index->always, uint32_t, (*cursor)++);
    return true;
  }
  uint64_t key = key_of (digest);
  uint64_t at = lower_bound (index->entries, key) + (*cursor - always);
  if (at >= index->entries->len)
    return false;
  uint64_t entry = g_array_index (index->entries, uint64_t, at);
  if (entry >> 16 != key >> 16)
    return false;
  (*cursor)++;
  *number = (uint32_t) (entry & UINT16_MAX);
  return true;
}
