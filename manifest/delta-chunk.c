/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the bytes of a chunk: its head, and zstd. Knows nothing of what they stand for.
 * Layout: doc/formats.md, "Deltas".
 */
#include "core/bytes.h"
#include "manifest/delta-private.h"

#include <zstd.h>

/* Distances up to contents and all that they refer to. */
#define WINDOW_LOG 25

VtreeDeltaChunk *
vtree_delta_chunk_new (void)
{
  VtreeDeltaChunk *chunk = g_new0 (VtreeDeltaChunk, 1);
  chunk->pieces = g_array_new (FALSE, FALSE, sizeof (VtreeDeltaPiece));
  chunk->references = g_array_new (FALSE, FALSE, sizeof (VtreeDeltaPiece));
  return chunk;
}

void
vtree_delta_chunk_free (VtreeDeltaChunk *chunk)
{
  g_array_unref (chunk->pieces);
  g_array_unref (chunk->references);
  g_free (chunk);
}

uint64_t
vtree_delta_pieces_size (const GArray *pieces)
{
  uint64_t size = 0;
  for (guint i = 0; i < pieces->len; i++)
    size += g_array_index (pieces, VtreeDeltaPiece, i).size;
  return size;
}

/* --- heads ------------------------------------------------------------------------ */

static void
put_pieces (GByteArray *bytes, const GArray *pieces)
{
  for (guint i = 0; i < pieces->len; i++) {
    const VtreeDeltaPiece *piece = &g_array_index (pieces, VtreeDeltaPiece, i);
    uint8_t record[VTREE_DELTA_PIECE_SIZE];
    vtree_bytes_put_u32 (record, piece->object);
    vtree_bytes_put_u32 (record + 4, piece->size);
    vtree_bytes_put_u64 (record + 8, piece->offset);
    g_byte_array_append (bytes, record, sizeof record);
  }
}

GBytes *
vtree_delta_chunk_serialize (const VtreeDeltaChunk *chunk)
{
  GByteArray *bytes = g_byte_array_new ();
  uint8_t head[VTREE_DELTA_CHUNK_HEADER_SIZE] = { 0 };
  vtree_bytes_put_u32 (head, chunk->packed);
  vtree_bytes_put_u32 (head + 4, chunk->plain);
  vtree_bytes_put_u32 (head + 8, chunk->pieces->len);
  vtree_bytes_put_u32 (head + 12, chunk->references->len);
  g_byte_array_append (bytes, head, sizeof head);
  put_pieces (bytes, chunk->pieces);
  put_pieces (bytes, chunk->references);
  return g_byte_array_free_to_bytes (bytes);
}

bool
vtree_delta_chunk_parse (const uint8_t head[VTREE_DELTA_CHUNK_HEADER_SIZE],
                         VtreeDeltaChunk *chunk, uint32_t *pieces, uint32_t *references,
                         GError **error)
{
  VtreeSpan span = { head, VTREE_DELTA_CHUNK_HEADER_SIZE };
  chunk->packed = vtree_span_u32 (span, 0);
  chunk->plain = vtree_span_u32 (span, 4);
  *pieces = vtree_span_u32 (span, 8);
  *references = vtree_span_u32 (span, 12);
  if (chunk->plain == 0 || chunk->plain > VTREE_DELTA_PLAIN_MAX || chunk->packed == 0
      || chunk->packed > VTREE_DELTA_PACKED_MAX || *pieces == 0
      || *pieces > VTREE_DELTA_PIECES_MAX || *references > VTREE_DELTA_PIECES_MAX
      || vtree_span_u64 (span, 16) != 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "a chunk's head is out of its limits");
  return true;
}

void
vtree_delta_piece_parse (const uint8_t bytes[VTREE_DELTA_PIECE_SIZE],
                         VtreeDeltaPiece *piece)
{
  VtreeSpan span = { bytes, VTREE_DELTA_PIECE_SIZE };
  piece->object = vtree_span_u32 (span, 0);
  piece->size = vtree_span_u32 (span, 4);
  piece->offset = vtree_span_u64 (span, 8);
}

/* --- zstd ------------------------------------------------------------------------- */

static bool
set_zstd_error (GError **error, VtreeErrorCode code, size_t result)
{
  return vtree_error_set (error, code, "zstd: %s", ZSTD_getErrorName (result));
}

typedef ZSTD_CCtx Compressor;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Compressor, ZSTD_freeCCtx)
typedef ZSTD_DCtx Decompressor;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Decompressor, ZSTD_freeDCtx)

static size_t
compress (Compressor *zstd, GBytes *plain, GBytes *prefix, int level, GByteArray *out)
{
  size_t plain_size, prefix_size;
  const void *plain_data = g_bytes_get_data (plain, &plain_size);
  const void *prefix_data = g_bytes_get_data (prefix, &prefix_size);
  const struct {
    ZSTD_cParameter parameter;
    int value;
  } parameters[] = { { ZSTD_c_compressionLevel, level },
                     { ZSTD_c_windowLog, WINDOW_LOG },
                     { ZSTD_c_enableLongDistanceMatching, 1 },
                     { ZSTD_c_checksumFlag, 0 } };
  for (size_t i = 0; i < G_N_ELEMENTS (parameters); i++) {
    size_t result
      = ZSTD_CCtx_setParameter (zstd, parameters[i].parameter, parameters[i].value);
    if (ZSTD_isError (result))
      return result;
  }
  if (prefix_size > 0) {
    size_t result = ZSTD_CCtx_refPrefix (zstd, prefix_data, prefix_size);
    if (ZSTD_isError (result))
      return result;
  }
  return ZSTD_compress2 (zstd, out->data, out->len, plain_data, plain_size);
}

GBytes *
vtree_delta_compress (GBytes *plain, GBytes *prefix, int level, GError **error)
{
  g_autoptr (Compressor) zstd = ZSTD_createCCtx ();
  g_autoptr (GByteArray) out = g_byte_array_new ();
  if (zstd == NULL) {
    vtree_error_set (error, VTREE_ERROR_FAILED, "zstd: no memory");
    return NULL;
  }
  g_byte_array_set_size (out, (guint) ZSTD_compressBound (g_bytes_get_size (plain)));
  size_t size = compress (zstd, plain, prefix, level, out);
  if (ZSTD_isError (size)) {
    set_zstd_error (error, VTREE_ERROR_FAILED, size);
    return NULL;
  }
  g_byte_array_set_size (out, (guint) size);
  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}

bool
vtree_delta_decompress (GBytes *packed, GBytes *prefix, void *plain, size_t size,
                        GError **error)
{
  size_t packed_size, prefix_size;
  const void *packed_data = g_bytes_get_data (packed, &packed_size);
  const void *prefix_data = g_bytes_get_data (prefix, &prefix_size);
  g_autoptr (Decompressor) zstd = ZSTD_createDCtx ();
  if (zstd == NULL)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "zstd: no memory");
  size_t result
    = prefix_size > 0 ? ZSTD_DCtx_refPrefix (zstd, prefix_data, prefix_size) : 0;
  if (!ZSTD_isError (result))
    result = ZSTD_decompressDCtx (zstd, plain, size, packed_data, packed_size);
  if (ZSTD_isError (result))
    return set_zstd_error (error, VTREE_ERROR_CORRUPT, result);
  return result == size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "a chunk has %zu bytes, not %zu", result, size);
}
