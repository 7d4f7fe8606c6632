/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the packed form of manifests; nothing but the fuzz target and its seeds use it.
 * */
#include "tests/fuzz/manifest-packed.h"

#include "manifest/layout.h"

#include <string.h>

#define PACKED_HEADER                                                                  \
  (VTREE_VTM_H_SECTIONS + VTREE_VTM_SECTIONS_V1 * (size_t) VTREE_VTM_SECTION_SIZE)

GBytes *
vtree_fuzz_pack (GBytes *manifest)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (manifest, &size);
  VtreeSpan header = { data, VTREE_VTM_HEADER_SIZE };
  VtreeLayout layout;
  g_assert_true (vtree_layout_parse (header, size, &layout, NULL));
  GByteArray *packed = g_byte_array_new ();
  g_byte_array_append (packed, data, PACKED_HEADER);
  for (uint32_t id = 1; id <= VTREE_VTM_SECTIONS_V1; id++)
    g_byte_array_append (packed, data + layout.sections[id].offset,
                         (guint) layout.sections[id].size);
  return g_byte_array_free_to_bytes (packed);
}

static void
pad (GByteArray *file)
{
  static const uint8_t zeros[VTREE_VTM_ALIGN];
  guint rest = file->len % VTREE_VTM_ALIGN;
  if (rest > 0)
    g_byte_array_append (file, zeros, VTREE_VTM_ALIGN - rest);
}

/* Appends what LINE of the table (at OFFSET of FILE) says, from PACKED at *AT on. */
static void
unpack_section (GByteArray *file, size_t offset, VtreeSpan packed, size_t *at)
{
  uint64_t size;
  VtreeSpan line = { file->data + offset, VTREE_VTM_SECTION_SIZE };
  uint32_t record_size = vtree_span_u32 (line, VTREE_VTM_S_RECORD_SIZE);
  uint64_t count = vtree_span_u64 (line, VTREE_VTM_S_COUNT);
  vtree_bytes_put_u64 (file->data + offset + VTREE_VTM_S_OFFSET, file->len);
  if (!vtree_bytes_mul_add (count, record_size, 0, &size))
    return;
  size = MIN (size, packed.size - *at);
  g_byte_array_append (file, packed.data + *at, (guint) size);
  *at += size;
  pad (file);
}

GBytes *
vtree_fuzz_unpack (const uint8_t *data, size_t size)
{
  GByteArray *file = g_byte_array_new ();
  VtreeSpan packed = { data, size };
  size_t at = MIN (size, PACKED_HEADER);
  g_byte_array_set_size (file, VTREE_VTM_HEADER_SIZE);
  memset (file->data, 0, file->len);
  memcpy (file->data, data, at);
  for (size_t i = 0; i < VTREE_VTM_SECTIONS_V1; i++)
    unpack_section (file, VTREE_VTM_H_SECTIONS + i * VTREE_VTM_SECTION_SIZE, packed,
                    &at);
  vtree_bytes_put_u64 (file->data + VTREE_VTM_H_FILE_SIZE, file->len);
  return g_byte_array_free_to_bytes (file);
}
