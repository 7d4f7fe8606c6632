/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way of small contents into a pack: they wait in one file without a name, in
 * the order in which threads bring them, and are written into a pack in the order that
 * the caller has given. Also judges the slices that the store has already. Gives no
 * name: see ingest-place.c.
 */
#include "core/ingest-private.h"

#include "core/object-fault.h"
#include "core/seal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- what is there ---------------------------------------------------------------- */

typedef struct {
  const VtreeIngest *ingest;
  const VtreeStaged *staged;
  VtreeReuse reuse;
  GError *failed; /* an error of ours */
} Copies;

/* Whether slices of PACK are as well kept as what this ingest would write. */
static bool
is_strong (const VtreeIngest *ingest, const VtreePack *pack, bool *strong,
           GError **error)
{
  bool lacks = false;
  *strong = !ingest->kernel || vtree_pack_is_enforced (pack);
  if (*strong && ingest->signer != NULL
      && !vtree_seal_lacks_signature (vtree_pack_peek_fd (pack), &lacks, error))
    return false;
  *strong = *strong && !lacks;
  return true;
}

/* Reads the copy, and compares it with what it has to be. */
static bool
compare_copy (Copies *copies, VtreePack *pack, uint64_t index,
              const VtreePackEntry *entry, bool *equal, GError **error)
{
  g_autofree uint8_t *data = g_malloc (entry->size);
  g_autoptr (GError) failed = NULL;
  *equal = false;
  if (vtree_pack_read (pack, index, entry, VTREE_VERITY_OFF, data, &failed)) {
    *equal = memcmp (data, copies->staged->data, entry->size) == 0;
    return true;
  }
  if (vtree_object_fault (failed))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

/* VtreePacksEach: goes on until there is a good copy. */
static bool
judge_copy (void *context, VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  Copies *copies = context;
  bool equal, strong = false;
  GHashTable *leaving = copies->ingest->leaving;
  if (leaving != NULL && g_hash_table_contains (leaving, vtree_pack_name (pack)))
    return true;
  if (!compare_copy (copies, pack, index, entry, &equal, &copies->failed)
      || !is_strong (copies->ingest, pack, &strong, &copies->failed))
    return false;
  if (equal && strong)
    copies->reuse = copies->ingest->kernel ? VTREE_REUSE_ENFORCED : VTREE_REUSE_GOOD;
  else if (!equal)
    copies->reuse = VTREE_REUSE_BAD;
  return !(equal && strong);
}

bool
vtree_reuse_slice (const VtreeIngest *ingest, const VtreeStaged *staged,
                   VtreeReuse *reuse, GError **error)
{
  Copies copies = { ingest, staged, VTREE_REUSE_ABSENT, NULL };
  *reuse = VTREE_REUSE_ABSENT;
  if (staged->data == NULL || staged->size > VTREE_PACK_OBJECT_MAX)
    return true;
  if (!vtree_packs_find (ingest->packs, &staged->digest, staged->size, judge_copy,
                         &copies, error))
    return false;
  *reuse = copies.reuse;
  if (copies.failed == NULL)
    return true;
  g_propagate_error (error, copies.failed);
  return false;
}

/* Any failure will do: then slices of it count as absent, and go into another. */
static void
strengthen_pack (const VtreeIngest *ingest, const VtreeDigest *name)
{
  g_autoptr (VtreePack) pack = vtree_packs_open (ingest->packs, name, NULL);
  if (pack != NULL && !vtree_pack_is_enforced (pack))
    vtree_seal_in_place (vtree_pack_peek_fd (pack), 0444, name, ingest->signer, NULL);
}

bool
vtree_ingest_strengthen_packs (const VtreeIngest *ingest, GError **error)
{
  g_autoptr (GArray) names = vtree_packs_list (ingest->packs, error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    strengthen_pack (ingest, &g_array_index (names, VtreeDigest, i));
  return names != NULL;
}

/* --- waiting ---------------------------------------------------------------------- */

/* With the lock. */
static bool
open_spool (VtreeIngest *ingest, GError **error)
{
  static const char name[] = "spool";
  if (ingest->spool >= 0)
    return true;
  ingest->spooled = 0;
  ingest->spool = openat (ingest->staging.fd, name,
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (ingest->spool < 0)
    return vtree_error_set_errno (error, errno, "make a file in tmp");
  /* Without a name it is gone with its descriptor, before anything is synced. */
  return unlinkat (ingest->staging.fd, name, 0) == 0
         || vtree_error_set_errno (error, errno, "remove the name of a file in tmp");
}

bool
vtree_ingest_spool (VtreeIngest *ingest, const VtreeStaged *staged, VtreeTaken *taken,
                    GError **error)
{
  g_mutex_lock (&ingest->lock);
  bool ok = open_spool (ingest, error);
  taken->spooled = ingest->spooled;
  if (ok)
    ingest->spooled += staged->size;
  g_mutex_unlock (&ingest->lock);
  if (!ok
      || !vtree_fd_pwrite (ingest->spool, staged->data, (size_t) staged->size,
                           taken->spooled, error)) {
    g_prefix_error (error, "copy into tmp: ");
    return false;
  }
  taken->packed = true;
  return true;
}

void
vtree_ingest_order (VtreeIngest *ingest, const VtreeDigest *digest)
{
  g_mutex_lock (&ingest->lock);
  VtreeTaken *taken = g_hash_table_lookup (ingest->taken, digest);
  if (taken != NULL && taken->order == 0)
    taken->order = ++ingest->ordered;
  g_mutex_unlock (&ingest->lock);
}

/* --- the pack --------------------------------------------------------------------- */

/* As the caller has said, then what it has said nothing of. */
static gint
compare_order (gconstpointer a, gconstpointer b)
{
  const VtreeTaken *x = *(const VtreeTaken *const *) a;
  const VtreeTaken *y = *(const VtreeTaken *const *) b;
  /* 0 becomes the largest */
  if (x->order != y->order)
    return x->order - 1 < y->order - 1 ? -1 : 1;
  return vtree_digest_compare (&x->digest, &y->digest);
}

static bool
read_spooled (void *context, const VtreePackItem *item, void *data, GError **error)
{
  const VtreeIngest *ingest = context;
  size_t got;
  if (!vtree_fd_pread (ingest->spool, data, item->size, item->source, &got, error))
    return false;
  return got == item->size
         || vtree_error_set (error, VTREE_ERROR_FAILED, "a file in tmp was cut short");
}

static GArray *
plan_items (GPtrArray *waiting)
{
  GArray *items
    = g_array_sized_new (FALSE, FALSE, sizeof (VtreePackItem), waiting->len);
  g_ptr_array_sort (waiting, compare_order);
  for (guint i = 0; i < waiting->len; i++) {
    const VtreeTaken *taken = waiting->pdata[i];
    VtreePackItem item = { taken->digest, (uint32_t) taken->size, taken->spooled };
    g_array_append_val (items, item);
  }
  return items;
}

static bool
write_pack (VtreeIngest *ingest, const GArray *items, VtreeTaken *pack, GError **error)
{
  VtreePackPlan plan = { .alg = ingest->alg,
                         .items = (const VtreePackItem *) (const void *) items->data,
                         .count = items->len,
                         .read = read_spooled,
                         .context = ingest };
  g_auto (VtreeStaged) staged = VTREE_STAGED_INIT;
  staged.number = pack->number = atomic_fetch_add (&ingest->next_number, 1);
  if (!vtree_staged_make (ingest, &staged, error)
      || !vtree_pack_write (staged.fd, &plan, &pack->digest, &pack->size, error)
      || !vtree_staged_keep (ingest, &staged, error)) {
    vtree_staged_drop (ingest, &staged);
    g_prefix_error (error, "write a pack into tmp: ");
    return false;
  }
  pack->object = pack->pack = true;
  return true;
}

bool
vtree_ingest_pack (VtreeIngest *ingest, const GPtrArray *staged, VtreeTaken *pack,
                   GError **error)
{
  g_autoptr (GPtrArray) waiting = g_ptr_array_new ();
  for (guint i = 0; i < staged->len; i++)
    if (((const VtreeTaken *) staged->pdata[i])->packed)
      g_ptr_array_add (waiting, staged->pdata[i]);
  if (waiting->len == 0)
    return true;
  g_autoptr (GArray) items = plan_items (waiting);
  bool ok = write_pack (ingest, items, pack, error);
  vtree_fd_replace_take (&ingest->spool, -1);
  return ok;
}
