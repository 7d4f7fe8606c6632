/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading many small objects at once: what lies together in a pack is read
 * together. Anything that is not as it should be is left to whoever reads it alone.
 */
#include "core/store.h"

#include <stdlib.h>

/* One of the loads that is in a pack. */
typedef struct {
  VtreePack *pack; /* a reference */
  VtreeStoreLoad *load;
  VtreePackSlice slice;
} Found;

static void
found_clear (gpointer data)
{
  Found *found = data;
  vtree_pack_unref (found->pack);
}

/* VtreePacksEach: takes the first copy. */
static bool
take_first (void *context, VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  Found *found = context;
  found->pack = vtree_pack_ref (pack);
  found->slice
    = (VtreePackSlice){ .index = index, .entry = *entry, .data = found->load->data };
  return false;
}

static int
compare_found (gconstpointer a, gconstpointer b)
{
  const Found *left = a, *right = b;
  if (left->pack != right->pack)
    return (uintptr_t) left->pack < (uintptr_t) right->pack ? -1 : 1;
  uint64_t first = left->slice.entry.offset, second = right->slice.entry.offset;
  return first < second ? -1 : first > second;
}

/* Finds those of LOADS that are in packs, in the order in which they lie there. */
static GArray *
find_slices (const VtreeStore *store, VtreeStoreLoad *loads, unsigned count)
{
  GArray *all = g_array_sized_new (FALSE, FALSE, sizeof (Found), count);
  g_array_set_clear_func (all, found_clear);
  for (unsigned i = 0; i < count; i++) {
    Found found = { .load = &loads[i] };
    if (loads[i].size <= VTREE_PACK_OBJECT_MAX
        && vtree_packs_find (vtree_store_packs (store), &loads[i].digest, loads[i].size,
                             take_first, &found, NULL)
        && found.pack != NULL)
      g_array_append_val (all, found);
  }
  g_array_sort (all, compare_found);
  return all;
}

/* Whether NEXT lies close enough behind LAST. */
static bool
continues (const Found *last, const Found *next)
{
  uint64_t end = last->slice.entry.offset + last->slice.entry.size;
  uint64_t start = next->slice.entry.offset;
  return last->pack == next->pack && start >= end && start - end <= VTREE_PACK_GAP_MAX;
}

static void
read_slices (GArray *all, VtreeVerityPolicy policy)
{
  Found *found = (Found *) (void *) all->data;
  VtreePackSlice slices[VTREE_PACK_RUN_MAX];
  unsigned count;
  for (guint first = 0; first < all->len; first += count) {
    for (count = 0; first + count < all->len && count < VTREE_PACK_RUN_MAX; count++) {
      if (count > 0 && !continues (&found[first + count - 1], &found[first + count]))
        break;
      slices[count] = found[first + count].slice;
    }
    vtree_pack_read_run (found[first].pack, slices, count, policy);
    for (unsigned i = 0; i < count; i++)
      found[first + i].load->loaded = slices[i].read;
  }
}

static bool
load_alone (const VtreeStore *store, const VtreeStoreLoad *load,
            VtreeVerityPolicy policy)
{
  VtreeObjectSpec spec = {
    .digest = load->digest, .size = load->size, .policy = policy, .deferred = true
  };
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, NULL);
  size_t got = 0;
  return object != NULL
         && vtree_object_read (object, load->data, load->size, 0, &got, NULL)
         && got == load->size;
}

void
vtree_store_load (const VtreeStore *store, VtreeStoreLoad *loads, unsigned count,
                  VtreeVerityPolicy policy)
{
  g_return_if_fail (count <= VTREE_STORE_LOAD_MAX);
  for (unsigned i = 0; i < count; i++)
    loads[i].loaded = false;
  g_autoptr (GArray) all = find_slices (store, loads, count);
  read_slices (all, policy);
  for (unsigned i = 0; i < count; i++)
    if (!loads[i].loaded)
      loads[i].loaded = load_alone (store, &loads[i], policy);
}
