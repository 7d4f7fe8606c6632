/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/delta-make.h"

#include "core/bytes.h"
#include "manifest/delta-private.h"

#include <string.h>

#define PART 1000 /* bytes of a piece where they are cut */

/* --- chunks ----------------------------------------------------------------------- */

static void
append_piece (VtreeDeltaChunk *chunk, const VtreeDeltaPiece *piece, uint32_t from,
              uint32_t size)
{
  VtreeDeltaPiece part = { piece->object, size, piece->offset + from };
  g_array_append_val (chunk->pieces, part);
}

/* The chunk's pieces in parts: in one chunk if ONCE, else in one each. */
static void
cut (const VtreeDeltaChunk *chunk, GPtrArray *all, bool once)
{
  VtreeDeltaChunk *out = NULL;
  for (guint i = 0; i < chunk->pieces->len; i++) {
    const VtreeDeltaPiece *piece = &g_array_index (chunk->pieces, VtreeDeltaPiece, i);
    uint32_t part = MAX (PART, piece->size / 8);
    for (uint32_t at = 0; at < piece->size; at += part) {
      if (out == NULL || !once) {
        out = vtree_delta_chunk_new ();
        g_array_append_vals (out->references, chunk->references->data,
                             chunk->references->len);
        g_ptr_array_add (all, out);
      }
      append_piece (out, piece, at, MIN (part, piece->size - at));
    }
  }
}

static bool
cuts (DeltaWay way)
{
  return way == DELTA_CUT || way == DELTA_CUT_ONCE || way == DELTA_CUT_TWICE
         || way == DELTA_LEFT_OPEN || way == DELTA_SWAPPED;
}

/* The same chunk again. */
static VtreeDeltaChunk *
copy (const VtreeDeltaChunk *chunk)
{
  VtreeDeltaChunk *same = vtree_delta_chunk_new ();
  g_array_append_vals (same->pieces, chunk->pieces->data, chunk->pieces->len);
  g_array_append_vals (same->references, chunk->references->data,
                       chunk->references->len);
  return same;
}

static GPtrArray *
arrange (GPtrArray *plan, DeltaWay way)
{
  GPtrArray *all
    = g_ptr_array_new_with_free_func ((GDestroyNotify) vtree_delta_chunk_free);
  unsigned times = way == DELTA_TWICE || way == DELTA_CUT_TWICE ? 2 : 1;
  for (guint i = 0; i < plan->len * times; i++) {
    guint at = i / times;
    if (way == DELTA_REVERSED)
      at = plan->len - 1 - at;
    else if (way == DELTA_OBJECTS_FIRST)
      at = (at + 1) % plan->len;
    VtreeDeltaChunk *chunk = plan->pdata[at];
    if (cuts (way))
      cut (chunk, all, way == DELTA_CUT_ONCE);
    else
      g_ptr_array_add (all, copy (chunk));
  }
  if (way == DELTA_SWAPPED) {
    gpointer last = all->pdata[all->len - 1];
    all->pdata[all->len - 1] = all->pdata[all->len - 2];
    all->pdata[all->len - 2] = last;
  }
  if (way == DELTA_WITHOUT_LAST || way == DELTA_LEFT_OPEN)
    g_ptr_array_set_size (all, (gint) all->len - 1);
  return all;
}

/* --- deltas ----------------------------------------------------------------------- */

static void
append (GByteArray *out, GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  g_byte_array_append (out, data, (guint) size);
}

static void
append_head (GByteArray *out, const VtreeStatement *to, const VtreeStatement *from,
             uint64_t chunks)
{
  static const guint8 signature[] = "nobody looks at it";
  g_autoptr (GBytes) root = vtree_statement_serialize (to, NULL);
  uint8_t head[VTREE_DELTA_HEADER_SIZE] = { 0 };
  memcpy (head, VTREE_DELTA_MAGIC, 8);
  vtree_bytes_put_u32 (head + 8, VTREE_DELTA_VERSION);
  vtree_bytes_put_u32 (head + 12, (uint32_t) to->manifest.alg);
  vtree_bytes_put_u32 (head + 20, (uint32_t) g_bytes_get_size (root));
  vtree_bytes_put_u32 (head + 24, sizeof signature);
  if (from != NULL) {
    vtree_bytes_put_u32 (head + 28, VTREE_DELTA_HAS_FROM);
    memcpy (head + 32, from->manifest.value, sizeof from->manifest.value);
    vtree_bytes_put_u64 (head + 96, from->size);
  }
  vtree_bytes_put_u64 (head + 104, chunks);
  g_byte_array_append (out, head, sizeof head);
  append (out, root);
  g_byte_array_append (out, signature, sizeof signature);
}

static void
append_chunk (GByteArray *out, VtreeDeltaChunk *chunk, VtreeDeltaSide *to,
              VtreeDeltaSide *from)
{
  g_autoptr (GBytes) plain = vtree_delta_side_read (to, chunk->pieces, NULL);
  g_autoptr (GBytes) prefix = vtree_delta_side_read (from, chunk->references, NULL);
  g_assert_true (plain != NULL && prefix != NULL);
  g_autoptr (GBytes) packed = vtree_delta_compress (plain, prefix, 3, NULL);
  g_assert_nonnull (packed);
  chunk->plain = (uint32_t) g_bytes_get_size (plain);
  chunk->packed = (uint32_t) g_bytes_get_size (packed);
  g_autoptr (GBytes) head = vtree_delta_chunk_serialize (chunk);
  append (out, head);
  append (out, packed);
}

GByteArray *
vtree_fuzz_delta_make (const VtreeStore *store, const VtreeStatement *to,
                       const VtreeStatement *from, DeltaWay way)
{
  GByteArray *out = g_byte_array_new ();
  g_auto (VtreeDeltaSide) new_side = { .store = store };
  g_auto (VtreeDeltaSide) old_side = { .store = store };
  g_assert_true (
    vtree_delta_side_open (&new_side, store, &to->manifest, to->size, NULL));
  g_assert_true (
    from == NULL
    || vtree_delta_side_open (&old_side, store, &from->manifest, from->size, NULL));
  g_autoptr (GArray) matches = vtree_delta_match (new_side.view, old_side.view, NULL);
  g_autoptr (GPtrArray) plan
    = vtree_delta_plan (&new_side, from != NULL ? &old_side : NULL, matches, NULL);
  g_assert_nonnull (plan);
  g_autoptr (GPtrArray) chunks = arrange (plan, way);
  append_head (out, to, from, chunks->len);
  for (guint i = 0; i < chunks->len; i++)
    append_chunk (out, chunks->pdata[i], &new_side, &old_side);
  return out;
}
