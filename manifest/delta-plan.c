/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the division of a delta into chunks that can be made, and undone, in bounded
 * memory: what is small shares one with its neighbours in the tree, what is large is
 * cut into several. Also reads what chunks name.
 */
#include "core/store.h"
#include "manifest/check.h"
#include "manifest/delta-private.h"
#include "manifest/reach.h"

/* --- sides ------------------------------------------------------------------------ */

bool
vtree_delta_side_open (VtreeDeltaSide *side, const VtreeStore *store,
                       const VtreeDigest *digest, uint64_t size, GError **error)
{
  VtreeObjectSpec spec = {
    .digest = *digest, .size = size, .policy = VTREE_VERITY_AUTO, .own_file = true
  };
  side->store = store;
  side->last_index = VTREE_DELTA_NONE;
  side->manifest = vtree_store_open_object (store, &spec, error);
  side->view
    = side->manifest != NULL ? vtree_reach_open (store, digest, size, error) : NULL;
  return side->view != NULL;
}

void
vtree_delta_side_clear (VtreeDeltaSide *side)
{
  g_clear_pointer (&side->view, vtree_view_unref);
  g_clear_pointer (&side->manifest, vtree_object_unref);
  g_clear_pointer (&side->last, vtree_object_unref);
}

/* The object of PIECE, borrowed. */
static VtreeObject *
open_piece (VtreeDeltaSide *side, const VtreeDeltaPiece *piece, GError **error)
{
  VtreeObjectSpec spec = { .policy = VTREE_VERITY_AUTO };
  if (piece->object == VTREE_DELTA_MANIFEST)
    return side->manifest;
  if (side->last != NULL && side->last_index == piece->object)
    return side->last;
  if (!vtree_view_object (side->view, piece->object, &spec.digest, &spec.size, error))
    return NULL;
  g_clear_pointer (&side->last, vtree_object_unref);
  side->last = vtree_store_open_object (side->store, &spec, error);
  side->last_index = piece->object;
  return side->last;
}

static bool
read_piece (VtreeDeltaSide *side, const VtreeDeltaPiece *piece, void *data,
            GError **error)
{
  size_t got;
  VtreeObject *object = open_piece (side, piece, error);
  if (object == NULL
      || !vtree_object_read (object, data, piece->size, piece->offset, &got, error))
    return false;
  return got == piece->size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "a chunk names bytes that are not there");
}

GBytes *
vtree_delta_side_read (VtreeDeltaSide *side, const GArray *pieces, GError **error)
{
  uint64_t size = vtree_delta_pieces_size (pieces);
  g_assert (size <= VTREE_DELTA_REFERENCE_MAX);
  g_autofree uint8_t *data = g_malloc ((gsize) MAX (size, 1));
  size_t offset = 0;
  for (guint i = 0; i < pieces->len; i++) {
    const VtreeDeltaPiece *piece = &g_array_index (pieces, VtreeDeltaPiece, i);
    if (!read_piece (side, piece, data + offset, error))
      return NULL;
    offset += piece->size;
  }
  return g_bytes_new_take (g_steal_pointer (&data), (gsize) size);
}

/* --- chunks ----------------------------------------------------------------------- */

typedef struct {
  GPtrArray *chunks;
  VtreeDeltaChunk *open; /* small contents go into it; NULL: none */
} Plan;

static void
add_piece (GArray *pieces, uint32_t object, uint64_t offset, uint64_t size)
{
  VtreeDeltaPiece piece
    = { .object = object, .size = (uint32_t) size, .offset = offset };
  g_array_append_val (pieces, piece);
}

/* Part of something large, with what stands around the same place of the old one. */
static void
add_part (Plan *plan, VtreeDeltaPiece part, uint64_t size, uint32_t old,
          uint64_t old_size)
{
  VtreeDeltaChunk *chunk = vtree_delta_chunk_new ();
  uint64_t window = MIN (old_size, VTREE_DELTA_REFERENCE_MAX);
  double share = (double) part.offset / (double) size;
  uint64_t middle = (uint64_t) (share * (double) old_size) + VTREE_DELTA_PLAIN_MAX / 2;
  uint64_t start = middle > window / 2 ? middle - window / 2 : 0;
  start = MIN (start, old_size - window);
  g_array_append_val (chunk->pieces, part);
  if (window > 0)
    add_piece (chunk->references, old, start, window);
  g_ptr_array_add (plan->chunks, chunk);
}

static void
add_large (Plan *plan, uint32_t object, uint64_t size, uint32_t old, uint64_t old_size)
{
  for (uint64_t offset = 0; offset < size; offset += VTREE_DELTA_PLAIN_MAX) {
    VtreeDeltaPiece part
      = { .object = object,
          .size = (uint32_t) MIN (size - offset, VTREE_DELTA_PLAIN_MAX),
          .offset = offset };
    add_part (plan, part, size, old, old_size);
  }
}

static bool
has_room (const VtreeDeltaChunk *chunk, uint64_t size, uint64_t old_size)
{
  return vtree_delta_pieces_size (chunk->pieces) + size <= VTREE_DELTA_PLAIN_MAX
         && vtree_delta_pieces_size (chunk->references) + old_size
              <= VTREE_DELTA_REFERENCE_MAX
         && chunk->pieces->len < VTREE_DELTA_PIECES_MAX;
}

static void
add_small (Plan *plan, uint32_t object, uint64_t size, uint32_t old, uint64_t old_size)
{
  uint64_t used = MIN (old_size, VTREE_DELTA_REFERENCE_MAX);
  if (plan->open != NULL && !has_room (plan->open, size, used))
    plan->open = NULL;
  if (plan->open == NULL) {
    plan->open = vtree_delta_chunk_new ();
    g_ptr_array_add (plan->chunks, plan->open);
  }
  add_piece (plan->open->pieces, object, 0, size);
  if (used > 0)
    add_piece (plan->open->references, old, 0, used);
}

/* Each is whole before the next begins, so that whoever undoes it keeps only one. */
static bool
add_object (Plan *plan, VtreeDeltaSide *to, VtreeDeltaSide *from, uint32_t object,
            uint32_t match, GError **error)
{
  VtreeDigest digest;
  uint64_t size, old_size = 0;
  if (!vtree_view_object (to->view, object, &digest, &size, error)
      || (from != NULL && match != VTREE_DELTA_NONE
          && !vtree_view_object (from->view, match, &digest, &old_size, error)))
    return false;
  if (size > VTREE_DELTA_PLAIN_MAX)
    add_large (plan, object, size, match, old_size);
  else
    add_small (plan, object, size, match, old_size);
  return true;
}

GPtrArray *
vtree_delta_plan (VtreeDeltaSide *to, VtreeDeltaSide *from, const GArray *matches,
                  GError **error)
{
  g_autoptr (GPtrArray) chunks
    = g_ptr_array_new_with_free_func ((GDestroyNotify) vtree_delta_chunk_free);
  Plan plan = { .chunks = chunks };
  uint64_t old_size = from != NULL ? vtree_object_size (from->manifest) : 0;
  add_large (&plan, VTREE_DELTA_MANIFEST, vtree_object_size (to->manifest),
             VTREE_DELTA_MANIFEST, old_size);
  for (uint32_t i = 0; i < matches->len; i++) {
    uint32_t match = g_array_index (matches, uint32_t, i);
    if (match != VTREE_DELTA_SHARED && !add_object (&plan, to, from, i, match, error))
      return NULL;
  }
  return g_steal_pointer (&chunks);
}
