/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the dedup tables of builder and check; never the records themselves. */
#define XXH_INLINE_ALL
#include "manifest/index.h"

#include "core/error.h"
#include <errno.h>
#include <string.h>
#include <xxhash.h>

typedef struct {
  uint32_t tag;      /* the hash's low half */
  uint32_t position; /* + 1; 0: free */
} Slot;

struct VtreeIndex {
  size_t unit;
  size_t key_offset;
  uint64_t seed;
  Slot *slots;
  size_t slot_count; /* a power of two, or 0 */
  size_t used;
};

#define FIRST_SLOTS 64

VtreeIndex *
vtree_index_new (size_t unit, size_t key_offset, uint64_t seed)
{
  VtreeIndex *index = g_new0 (VtreeIndex, 1);
  index->unit = unit;
  index->key_offset = key_offset;
  index->seed = seed;
  return index;
}

void
vtree_index_free (VtreeIndex *index)
{
  g_free (index->slots);
  g_free (index);
}

static void
insert (Slot *slots, size_t slot_count, Slot slot)
{
  size_t i = slot.tag & (slot_count - 1);
  while (slots[i].position != 0)
    i = (i + 1) & (slot_count - 1);
  slots[i] = slot;
}

/* Doubles the table when it is half full. */
static bool
make_room (VtreeIndex *index, GError **error)
{
  if (index->used * 2 < index->slot_count)
    return true;
  size_t slot_count = index->slot_count == 0 ? FIRST_SLOTS : index->slot_count * 2;
  Slot *slots = g_try_new0 (Slot, slot_count);
  if (slots == NULL)
    return vtree_error_set_errno (error, ENOMEM, "index of %zu slots", slot_count);
  for (size_t i = 0; i < index->slot_count; i++) {
    if (index->slots[i].position != 0)
      insert (slots, slot_count, index->slots[i]);
  }
  g_free (index->slots);
  index->slots = slots;
  index->slot_count = slot_count;
  return true;
}

static bool
matches (const VtreeIndex *index, VtreeSpan known, VtreeSpan key, Slot slot)
{
  VtreeSpan old;
  uint64_t offset = (uint64_t) (slot.position - 1) * index->unit + index->key_offset;
  return vtree_span_sub (known, offset, key.size, &old)
         && memcmp (old.data, key.data, key.size) == 0;
}

bool
vtree_index_add (VtreeIndex *index, VtreeSpan known, VtreeSpan key, uint32_t *position,
                 bool *added, GError **error)
{
  g_assert (*position < UINT32_MAX);
  if (!make_room (index, error))
    return false;
  uint64_t hash = XXH3_64bits_withSeed (key.data, key.size, index->seed);
  uint32_t tag = (uint32_t) hash;
  size_t i = tag & (index->slot_count - 1);
  while (index->slots[i].position != 0) {
    if (index->slots[i].tag == tag && matches (index, known, key, index->slots[i])) {
      *position = index->slots[i].position - 1;
      *added = false;
      return true;
    }
    i = (i + 1) & (index->slot_count - 1);
  }
  index->slots[i] = (Slot){ .tag = tag, .position = *position + 1 };
  index->used++;
  *added = true;
  return true;
}
