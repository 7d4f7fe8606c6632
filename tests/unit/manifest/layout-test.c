/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/layout.h"

#include "core/error.h"
#include "tests/lib/test.h"

typedef struct {
  const char *title;
  uint64_t count;
  uint32_t id;
  bool fits;
} LimitRow;

static const LimitRow limit_rows[] = {
  { "most inodes", UINT32_MAX - 1, VTREE_VTM_INODES, true },
  { "one inode more", UINT32_MAX, VTREE_VTM_INODES, false },
  { "most entries", UINT32_MAX, VTREE_VTM_ENTRIES, true },
  { "one entry more", (uint64_t) UINT32_MAX + 1, VTREE_VTM_ENTRIES, false },
  { "most bytes of names", UINT32_MAX, VTREE_VTM_NAMES, true },
  { "one byte more", (uint64_t) UINT32_MAX + 1, VTREE_VTM_NAMES, false },
  { "most objects", UINT32_MAX - 1, VTREE_VTM_OBJECTS, true },
  { "one object more", UINT32_MAX, VTREE_VTM_OBJECTS, false },
  { "one byte of xattrs more", (uint64_t) UINT32_MAX + 1, VTREE_VTM_XATTRS, false },
};

static void
test_limits (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (limit_rows); i++) {
    const LimitRow *row = &limit_rows[i];
    g_autoptr (GError) error = NULL;
    uint64_t counts[VTREE_VTM_SECTIONS_V1 + 1] = { 0 };
    VtreeLayout layout = { .alg = VTREE_DIGEST_SHA512 };
    counts[row->id] = row->count;
    g_test_message ("%s", row->title);
    g_assert_cmpint (vtree_layout_place (&layout, counts, &error), ==, row->fits);
    if (!row->fits)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "too large");
  }
}

/* The largest manifest that there can be: what is placed fits 64 bits, and follows. */
static void
test_largest (void)
{
  g_autoptr (GError) error = NULL;
  uint64_t counts[VTREE_VTM_SECTIONS_V1 + 1];
  VtreeLayout layout = { .alg = VTREE_DIGEST_SHA512 };
  for (size_t id = 0; id < G_N_ELEMENTS (counts); id++)
    counts[id] = VTREE_VTM_INODES_MAX;
  vtree_layout_place (&layout, counts, &error);
  g_assert_no_error (error);
  uint64_t end = VTREE_VTM_HEADER_SIZE;
  for (uint32_t id = 1; id <= VTREE_VTM_SECTIONS_V1; id++) {
    const VtreeSection *section = &layout.sections[id];
    g_assert_cmpuint (section->offset % VTREE_VTM_ALIGN, ==, 0);
    g_assert_cmpuint (section->offset, >=, end);
    g_assert_cmpuint (section->offset - end, <, VTREE_VTM_ALIGN);
    g_assert_cmpuint (section->size / section->record_size, ==, section->count);
    end = section->offset + section->size;
  }
  g_assert_cmpuint (layout.file_size, >=, end);
  g_assert_cmpuint (layout.file_size, <, INT64_MAX);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/layout/limits", test_limits);
  g_test_add_func ("/manifest/layout/largest", test_largest);
  return vtree_test_run ();
}
