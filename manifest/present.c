/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the listing of a store beside a manifest. Reads both, verifies the manifest and
 * no object.
 */
#include "manifest/present.h"

#include "core/store.h"
#include "manifest/reach.h"

typedef struct {
  VtreeDigest digest; /* first: a VtreeDigest * is a Stored * */
  uint64_t size;
} Stored;

struct VtreePresent {
  const VtreeRepo *repo;
  VtreeDigest manifest;
  uint64_t size;
  GThread *thread;     /* NULL: the work is done */
  GArray *stored;      /* Stored: what is there */
  GHashTable *index;   /* set of VtreeDigest *, in STORED, once that is complete */
  GHashTable *digests; /* of these what the manifest names, in its size */
};

/* VtreeStoreEach */
static bool
note_stored (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  const VtreePresent *present = context;
  Stored stored = { .digest = *digest, .size = size };
  (void) error;
  g_array_append_val (present->stored, stored);
  return true;
}

/* VtreePackEach */
static bool
note_packed (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  (void) index;
  return note_stored (context, &entry->digest, entry->size, error);
}

/* One listing costs less than a look for each object. */
static bool
list_store (VtreePresent *present, const VtreeStore *store, GError **error)
{
  VtreePacks *packs = vtree_store_packs (store);
  g_autoptr (GArray) names = vtree_packs_list (packs, error);
  if (names == NULL || !vtree_store_foreach (store, note_stored, present, error))
    return false;
  for (guint i = 0; i < names->len; i++) {
    bool whole; /* what is wrong with its index makes it one that has less */
    if (!vtree_packs_scan (packs, &g_array_index (names, VtreeDigest, i), note_packed,
                           present, NULL, &whole, error))
      return false;
  }
  for (guint i = 0; i < present->stored->len; i++)
    g_hash_table_add (present->index,
                      &g_array_index (present->stored, Stored, i).digest);
  return true;
}

/* VtreeStoreEach */
static bool
note_present (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  const VtreePresent *present = context;
  Stored *stored = g_hash_table_lookup (present->index, digest);
  (void) error;
  if (stored != NULL && stored->size == size)
    g_hash_table_add (present->digests, &stored->digest);
  return true;
}

static bool
list (VtreePresent *present, GError **error)
{
  g_autoptr (VtreeStore) store = vtree_store_new (present->repo, error);
  VtreeObjectSpec spec = { .digest = present->manifest,
                           .size = present->size,
                           .policy = VTREE_VERITY_AUTO,
                           .own_file = true };
  if (store == NULL)
    return false;
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, error);
  g_autoptr (VtreePages) pages
    = object != NULL ? vtree_pages_new (object, error) : NULL;
  g_autoptr (VtreeView) view = pages != NULL ? vtree_view_new (pages, error) : NULL;
  return view != NULL && list_store (present, store, error)
         && vtree_reach_foreach (view, note_present, present, error);
}

static gpointer
work (gpointer data)
{
  VtreePresent *present = data;
  g_autoptr (GError) failure = NULL;
  if (!list (present, &failure))
    g_hash_table_remove_all (present->digests);
  return NULL;
}

VtreePresent *
vtree_present_new (const VtreeRepo *repo, const VtreeDigest *digest, uint64_t size)
{
  VtreePresent *present = g_new0 (VtreePresent, 1);
  present->repo = repo;
  present->manifest = *digest;
  present->size = size;
  present->stored = g_array_new (FALSE, FALSE, sizeof (Stored));
  present->index = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
  present->digests = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
  present->thread = g_thread_try_new ("present", work, present, NULL);
  if (present->thread == NULL)
    work (present);
  return present;
}

GHashTable *
vtree_present_wait (VtreePresent *present)
{
  if (present->thread != NULL)
    g_thread_join (g_steal_pointer (&present->thread));
  return present->digests;
}

void
vtree_present_free (VtreePresent *present)
{
  if (present == NULL)
    return;
  vtree_present_wait (present);
  g_hash_table_unref (present->digests);
  g_hash_table_unref (present->index);
  g_array_unref (present->stored);
  g_free (present);
}
