/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Header and section table of a manifest, parsed and written. For builder, view and
 * check only. The parser's input is untrusted; what it lets through satisfies:
 *
 *   - sections 1 to 7 are there, with the record sizes of version 1, gapless, aligned,
 *     in order, inside the file, and the file ends with the last one's padding;
 *   - every count fits 32 bits; there is a root inode and a root directory; the totals
 *     by type add up to the number of inodes.
 */
#pragma once

#include "core/bytes.h"
#include "core/digest.h"
#include "manifest/format.h"

typedef struct {
  uint64_t offset;      /* in the file */
  uint64_t size;        /* bytes, without the padding */
  uint32_t count;       /* records */
  uint32_t record_size; /* bytes */
} VtreeSection;

typedef struct {
  VtreeDigestAlg alg;
  uint64_t flags;  /* VTREE_VTM_HAS_* */
  uint64_t compat; /* feature bits, as found */
  uint64_t directories, regular, symlinks, special;
  uint64_t bytes, blocks;
  uint64_t file_size;
  VtreeSection sections[VTREE_VTM_SECTIONS_V1 + 1]; /* by id; [0] is unused */
} VtreeLayout;

/* HEADER is the file's first VTREE_VTM_HEADER_SIZE bytes (asserted). Errors:
 * VTREE_ERROR_CORRUPT, VTREE_ERROR_UNSUPPORTED. */
bool vtree_layout_parse (VtreeSpan header, uint64_t file_size, VtreeLayout *layout,
                         GError **error);

/* For a writer: from alg and COUNTS (by section id) the sections and the file's size.
 * Errors: VTREE_ERROR_LIMIT. */
bool vtree_layout_place (VtreeLayout *layout,
                         const uint64_t counts[VTREE_VTM_SECTIONS_V1 + 1],
                         GError **error);

/* Writes the header, VTREE_VTM_HEADER_SIZE bytes that are zero, at HEADER. */
void vtree_layout_write (const VtreeLayout *layout, uint8_t *header);
