/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the header and the section table of a manifest: where each section lies, and
 * what has to be true of that before anything else is read. Knows nothing of records.
 */
#include "manifest/layout.h"

#include "core/error.h"
#include <string.h>

static const char *const section_names[VTREE_VTM_SECTIONS_V1 + 1] = {
  [VTREE_VTM_INODES] = "inodes",         [VTREE_VTM_DIRECTORIES] = "directories",
  [VTREE_VTM_ENTRIES] = "entries",       [VTREE_VTM_NAMES] = "names",
  [VTREE_VTM_ATTRIBUTES] = "attributes", [VTREE_VTM_OBJECTS] = "objects",
  [VTREE_VTM_XATTRS] = "xattrs",
};

static uint32_t
record_size (uint32_t id, VtreeDigestAlg alg)
{
  switch (id) {
  case VTREE_VTM_INODES:
    return VTREE_VTM_INODE_SIZE;
  case VTREE_VTM_DIRECTORIES:
    return VTREE_VTM_DIRECTORY_SIZE;
  case VTREE_VTM_ENTRIES:
    return VTREE_VTM_ENTRY_SIZE;
  case VTREE_VTM_ATTRIBUTES:
    return VTREE_VTM_ATTRIBUTES_SIZE;
  case VTREE_VTM_OBJECTS:
    return VTREE_VTM_O_DIGEST + (uint32_t) vtree_digest_alg_size (alg);
  default: /* the heaps */
    return 1;
  }
}

static uint64_t
count_max (uint32_t id)
{
  return id == VTREE_VTM_INODES || id == VTREE_VTM_OBJECTS ? VTREE_VTM_INODES_MAX
                                                           : VTREE_VTM_COUNT_MAX;
}

static uint64_t
align_up (uint64_t size)
{
  return (size + VTREE_VTM_ALIGN - 1) & ~(uint64_t) (VTREE_VTM_ALIGN - 1);
}

static bool
parse_identity (VtreeSpan header, VtreeLayout *layout, GError **error)
{
  if (memcmp (header.data + VTREE_VTM_H_MAGIC, VTREE_VTM_MAGIC, VTREE_VTM_MAGIC_SIZE)
      != 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: this is no vtree manifest (wrong magic)");
  uint32_t version = vtree_span_u32 (header, VTREE_VTM_H_VERSION);
  if (version != VTREE_VTM_VERSION)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "manifest header: format version %u, this program knows %u",
                            version, VTREE_VTM_VERSION);
  uint64_t incompat = vtree_span_u64 (header, VTREE_VTM_H_INCOMPAT);
  if (incompat != 0)
    return vtree_error_set (
      error, VTREE_ERROR_UNSUPPORTED,
      "manifest header: incompatible features 0x%" G_GINT64_MODIFIER
      "x, which this program does not know",
      incompat);
  layout->compat = vtree_span_u64 (header, VTREE_VTM_H_COMPAT);
  uint32_t alg = vtree_span_u32 (header, VTREE_VTM_H_DIGEST_ALG);
  if (alg != VTREE_DIGEST_SHA256 && alg != VTREE_DIGEST_SHA512)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "manifest header: digest algorithm %u, which this program "
                            "does not know",
                            alg);
  layout->alg = (VtreeDigestAlg) alg;
  return true;
}

/* Bytes that version 1 gives no meaning to; a compat feature may. */
static bool
check_reserved (VtreeSpan header, uint32_t sections, uint64_t compat, GError **error)
{
  VtreeSpan between, after;
  size_t end = VTREE_VTM_H_SECTIONS + (size_t) sections * VTREE_VTM_SECTION_SIZE;
  if (!vtree_span_sub (header, VTREE_VTM_H_END, VTREE_VTM_H_SECTIONS - VTREE_VTM_H_END,
                       &between)
      || !vtree_span_sub (header, end, header.size - end, &after))
    g_return_val_if_reached (false);
  if (compat == 0
      && (vtree_span_u32 (header, VTREE_VTM_H_RESERVED) != 0
          || !vtree_span_is_zero (between) || !vtree_span_is_zero (after)))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: reserved bytes are not zero");
  return true;
}

/* One line of the section table, which has to start at *CURSOR; moves *CURSOR behind
 * its padding. */
static bool
parse_section (VtreeSpan line, uint64_t file_size, uint64_t *cursor,
               VtreeSection *section, GError **error)
{
  uint32_t id = vtree_span_u32 (line, VTREE_VTM_S_ID);
  uint64_t count = vtree_span_u64 (line, VTREE_VTM_S_COUNT);
  section->record_size = vtree_span_u32 (line, VTREE_VTM_S_RECORD_SIZE);
  section->offset = vtree_span_u64 (line, VTREE_VTM_S_OFFSET);
  if (vtree_span_u64 (line, VTREE_VTM_S_RESERVED) != 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest section %u: reserved bytes are not zero", id);
  if (count > count_max (id))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest section %u: too many records", id);
  section->count = (uint32_t) count;
  /* 32 times 32 bits: no overflow. */
  section->size = count * section->record_size;
  if (section->offset != *cursor)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest section %u: does not stand where the one before "
                            "it ends",
                            id);
  if (*cursor > file_size || section->size > file_size - *cursor)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest section %u: goes beyond the end of the file", id);
  *cursor = align_up (*cursor + section->size);
  return true;
}

/* Sections 1 to 7, then the optional ones, whose contents are not looked at. */
static bool
parse_sections (VtreeSpan header, VtreeLayout *layout, GError **error)
{
  uint32_t count = vtree_span_u32 (header, VTREE_VTM_H_SECTION_COUNT);
  bool extended = layout->compat != 0 && count <= VTREE_VTM_SECTIONS_MAX;
  if (count < VTREE_VTM_SECTIONS_V1 || (count > VTREE_VTM_SECTIONS_V1 && !extended))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: %u sections instead of %u", count,
                            VTREE_VTM_SECTIONS_V1);
  uint64_t cursor = VTREE_VTM_HEADER_SIZE;
  uint32_t previous = 0;
  for (uint32_t i = 0; i < count; i++) {
    VtreeSpan line;
    VtreeSection section;
    if (!vtree_span_sub (header, VTREE_VTM_H_SECTIONS + i * VTREE_VTM_SECTION_SIZE,
                         VTREE_VTM_SECTION_SIZE, &line))
      g_return_val_if_reached (false);
    uint32_t id = vtree_span_u32 (line, VTREE_VTM_S_ID);
    if (i < VTREE_VTM_SECTIONS_V1 ? id != i + 1 : id <= previous)
      return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                              "manifest section table: id %u in place %u", id, i + 1);
    if (!parse_section (line, layout->file_size, &cursor, &section, error))
      return false;
    if (i < VTREE_VTM_SECTIONS_V1)
      layout->sections[id] = section;
    previous = id;
  }
  if (cursor != layout->file_size)
    return vtree_error_set (
      error, VTREE_ERROR_CORRUPT,
      "manifest: the file does not end where its last section does");
  return check_reserved (header, count, layout->compat, error);
}

static bool
check_record_sizes (const VtreeLayout *layout, GError **error)
{
  for (uint32_t id = 1; id <= VTREE_VTM_SECTIONS_V1; id++) {
    uint32_t size = layout->sections[id].record_size;
    if (size != record_size (id, layout->alg))
      return vtree_error_set (
        error, VTREE_ERROR_CORRUPT,
        "manifest section '%s': records of %u bytes instead of %u", section_names[id],
        size, record_size (id, layout->alg));
  }
  return true;
}

/* What must hold between the counts, whatever the records say. */
static bool
check_totals (const VtreeLayout *layout, GError **error)
{
  uint64_t inodes = layout->sections[VTREE_VTM_INODES].count;
  uint64_t kinds[]
    = { layout->directories, layout->regular, layout->symlinks, layout->special };
  uint64_t left = inodes;
  bool fits = true;
  for (size_t i = 0; i < G_N_ELEMENTS (kinds) && fits; i++) {
    fits = kinds[i] <= left;
    left -= kinds[i];
  }
  if (!fits || left != 0)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: totals do not add up to %u inodes",
                            (unsigned) inodes);
  if (inodes == 0
      || layout->sections[VTREE_VTM_DIRECTORIES].count != layout->directories
      || layout->directories == 0
      || layout->sections[VTREE_VTM_ENTRIES].count < inodes - 1)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: the numbers of inodes, directories and "
                            "entries contradict each other");
  if (layout->flags & ~VTREE_VTM_FLAGS_ALL)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: unknown flags");
  return true;
}

bool
vtree_layout_parse (VtreeSpan header, uint64_t file_size, VtreeLayout *layout,
                    GError **error)
{
  g_assert (header.size == VTREE_VTM_HEADER_SIZE);
  VtreeLayout parsed = {
    .flags = vtree_span_u64 (header, VTREE_VTM_H_FLAGS),
    .directories = vtree_span_u64 (header, VTREE_VTM_H_DIRECTORIES),
    .regular = vtree_span_u64 (header, VTREE_VTM_H_REGULAR),
    .symlinks = vtree_span_u64 (header, VTREE_VTM_H_SYMLINKS),
    .special = vtree_span_u64 (header, VTREE_VTM_H_SPECIAL),
    .bytes = vtree_span_u64 (header, VTREE_VTM_H_BYTES),
    .blocks = vtree_span_u64 (header, VTREE_VTM_H_BLOCKS),
    .file_size = vtree_span_u64 (header, VTREE_VTM_H_FILE_SIZE),
  };
  if (!parse_identity (header, &parsed, error))
    return false;
  if (parsed.file_size != file_size || file_size > INT64_MAX)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "manifest header: the file has %" G_GUINT64_FORMAT
                            " bytes instead of %" G_GUINT64_FORMAT,
                            file_size, parsed.file_size);
  if (!parse_sections (header, &parsed, error) || !check_record_sizes (&parsed, error)
      || !check_totals (&parsed, error))
    return false;
  *layout = parsed;
  return true;
}

bool
vtree_layout_place (VtreeLayout *layout,
                    const uint64_t counts[VTREE_VTM_SECTIONS_V1 + 1], GError **error)
{
  uint64_t cursor = VTREE_VTM_HEADER_SIZE;
  for (uint32_t id = 1; id <= VTREE_VTM_SECTIONS_V1; id++) {
    if (counts[id] > count_max (id))
      return vtree_error_set (
        error, VTREE_ERROR_LIMIT,
        "make a manifest: section '%s' would be too large for the "
        "format",
        section_names[id]);
    VtreeSection *section = &layout->sections[id];
    section->record_size = record_size (id, layout->alg);
    section->count = (uint32_t) counts[id];
    section->size = counts[id] * section->record_size;
    section->offset = cursor;
    cursor = align_up (cursor + section->size);
  }
  layout->file_size = cursor;
  return true;
}

void
vtree_layout_write (const VtreeLayout *layout, uint8_t *header)
{
  memcpy (header + VTREE_VTM_H_MAGIC, VTREE_VTM_MAGIC, VTREE_VTM_MAGIC_SIZE);
  vtree_bytes_put_u32 (header + VTREE_VTM_H_VERSION, VTREE_VTM_VERSION);
  vtree_bytes_put_u32 (header + VTREE_VTM_H_SECTION_COUNT, VTREE_VTM_SECTIONS_V1);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_FLAGS, layout->flags);
  vtree_bytes_put_u32 (header + VTREE_VTM_H_DIGEST_ALG, layout->alg);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_FILE_SIZE, layout->file_size);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_DIRECTORIES, layout->directories);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_REGULAR, layout->regular);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_SYMLINKS, layout->symlinks);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_SPECIAL, layout->special);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_BYTES, layout->bytes);
  vtree_bytes_put_u64 (header + VTREE_VTM_H_BLOCKS, layout->blocks);
  for (uint32_t id = 1; id <= VTREE_VTM_SECTIONS_V1; id++) {
    uint8_t *line = header + VTREE_VTM_H_SECTIONS + (id - 1) * VTREE_VTM_SECTION_SIZE;
    vtree_bytes_put_u32 (line + VTREE_VTM_S_ID, id);
    vtree_bytes_put_u32 (line + VTREE_VTM_S_RECORD_SIZE,
                         layout->sections[id].record_size);
    vtree_bytes_put_u64 (line + VTREE_VTM_S_OFFSET, layout->sections[id].offset);
    vtree_bytes_put_u64 (line + VTREE_VTM_S_COUNT, layout->sections[id].count);
  }
}
