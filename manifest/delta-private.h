/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to deltas: the format's constants, and what the parts share.
 *
 *   delta-match.c   which old object stands for a new one
 *   delta-plan.c    chunks: what is in them, what they refer to
 *   delta-create.c  compressing them, writing
 *   delta-chunk.c   reading and writing a chunk's head; zstd both ways
 *   delta-apply.c   reading what may be hostile
 */
#pragma once

#include "core/object.h"
#include "manifest/delta.h"
#include "manifest/view.h"

#define VTREE_DELTA_MAGIC "VTREEDLT" /* 8 bytes, no NUL */
#define VTREE_DELTA_VERSION 1
#define VTREE_DELTA_HEADER_SIZE 128
#define VTREE_DELTA_HAS_FROM 1

/* Bytes of a chunk: contents, compressed contents, what it refers to. */
#define VTREE_DELTA_PLAIN_MAX ((size_t) 8 << 20)
#define VTREE_DELTA_PACKED_MAX (VTREE_DELTA_PLAIN_MAX + 65536)
#define VTREE_DELTA_REFERENCE_MAX ((size_t) 16 << 20)
/* Its pieces, and its references. */
#define VTREE_DELTA_PIECES_MAX 65536

#define VTREE_DELTA_CHUNK_HEADER_SIZE 24
#define VTREE_DELTA_PIECE_SIZE 16

/* The object number of a manifest. */
#define VTREE_DELTA_MANIFEST UINT32_MAX
#define VTREE_DELTA_NONE UINT32_MAX

/* SIZE bytes of an object of one of the manifests, or of that manifest itself. */
typedef struct {
  uint32_t object;
  uint32_t size;
  uint64_t offset;
} VtreeDeltaPiece;

/* Pieces one after the other are the contents; references one after the other what they
 * are a patch of. */
typedef struct {
  uint32_t packed, plain;
  GArray *pieces;     /* VtreeDeltaPiece: of the new side */
  GArray *references; /* the same: of the old side */
} VtreeDeltaChunk;

/* One without pieces. */
VtreeDeltaChunk *vtree_delta_chunk_new (void);
void vtree_delta_chunk_free (VtreeDeltaChunk *chunk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeDeltaChunk, vtree_delta_chunk_free)

/* Sum of the sizes of PIECES. */
uint64_t vtree_delta_pieces_size (const GArray *pieces);

/* Head and pieces as bytes. */
GBytes *vtree_delta_chunk_serialize (const VtreeDeltaChunk *chunk);
/* Reads a chunk's head; CHUNK has no pieces then, but *PIECES and *REFERENCES are their
 * numbers. Every limit is checked. Errors: VTREE_ERROR_CORRUPT. */
bool vtree_delta_chunk_parse (const uint8_t head[VTREE_DELTA_CHUNK_HEADER_SIZE],
                              VtreeDeltaChunk *chunk, uint32_t *pieces,
                              uint32_t *references, GError **error);
void vtree_delta_piece_parse (const uint8_t bytes[VTREE_DELTA_PIECE_SIZE],
                              VtreeDeltaPiece *piece);

/* SIZE bytes of PLAIN as a patch of PREFIX (may be empty). NULL on error. */
GBytes *vtree_delta_compress (GBytes *plain, GBytes *prefix, int level, GError **error);
/* The reverse: exactly SIZE bytes into PLAIN, or VTREE_ERROR_CORRUPT. */
bool vtree_delta_decompress (GBytes *packed, GBytes *prefix, void *plain, size_t size,
                             GError **error);

/* One side of a delta. */
typedef struct {
  const VtreeStore *store;
  VtreeView *view;
  VtreeObject *manifest; /* its bytes */
  VtreeObject *last;     /* the object that was read last, and its number */
  uint32_t last_index;
} VtreeDeltaSide;

/* Opens and fully checks the manifest. Errors: VTREE_ERROR_MISSING,
 * VTREE_ERROR_CORRUPT. */
bool vtree_delta_side_open (VtreeDeltaSide *side, const VtreeStore *store,
                            const VtreeDigest *digest, uint64_t size, GError **error);
void vtree_delta_side_clear (VtreeDeltaSide *side);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeDeltaSide, vtree_delta_side_clear)
/* Reads all of PIECES, whose objects and ranges are checked, verified. NULL on error:
 * VTREE_ERROR_CORRUPT also for what is out of range. */
GBytes *vtree_delta_side_read (VtreeDeltaSide *side, const GArray *pieces,
                               GError **error);

/* For each object of TO: VTREE_DELTA_SHARED if FROM has it too, the number of an object
 * of FROM that it may be a patch of, or VTREE_DELTA_NONE. FROM may be NULL. The
 * caller's. */
#define VTREE_DELTA_SHARED (UINT32_MAX - 1)
GArray *vtree_delta_match (VtreeView *to, VtreeView *from, GError **error);

/* The chunks of a delta: first the manifest's, then those of all objects that are not
 * shared, in their order. */
GPtrArray *vtree_delta_plan (VtreeDeltaSide *to, VtreeDeltaSide *from,
                             const GArray *matches, GError **error);

/* Reads a delta from FD as vtree_delta_apply() does, but judges no signature, and makes
 * nothing of it visible: for tests of what may be hostile. */
bool vtree_delta_try (const VtreeRepo *repo, int fd, GError **error);
