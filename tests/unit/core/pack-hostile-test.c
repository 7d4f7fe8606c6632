/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One pack: what a hostile file says is refused, or is believed only as far as an
 * object's own digest goes.
 */
#include "tests/unit/core/pack-fixture.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* --- hostile headers and indices -------------------------------------------------- */

/* Little-endian bytes from OFFSET on; from the end of the file where that is negative.
 */
typedef struct {
  int offset;
  size_t size;
  uint64_t value;
} Patch;

/* Three objects of 8, 9 and 10 bytes: contents at 64, the index at 91, 223 bytes. */
static const struct {
  const char *name;
  Patch patch;
  int code; /* of VTREE_ERROR */
  const char *message;
} headers[] = {
  { "magic", { 0, 1, 'v' }, VTREE_ERROR_CORRUPT, "it is no pack" },
  { "magic-end", { 7, 1, 'X' }, VTREE_ERROR_CORRUPT, "it is no pack" },
  { "version-0", { 8, 4, 0 }, VTREE_ERROR_UNSUPPORTED, "version 0" },
  { "version-2", { 8, 4, 2 }, VTREE_ERROR_UNSUPPORTED, "version 2" },
  { "other-algorithm", { 12, 4, 2 }, VTREE_ERROR_CORRUPT, "header" },
  { "no-algorithm", { 12, 4, 7 }, VTREE_ERROR_CORRUPT, "header" },
  { "features", { 16, 4, 1 }, VTREE_ERROR_UNSUPPORTED, "0x1" },
  { "features-high", { 19, 1, 128 }, VTREE_ERROR_UNSUPPORTED, "0x80000000" },
  { "largest-0", { 20, 4, 0 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "largest-65537", { 20, 4, 65537 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "largest-huge", { 20, 4, UINT32_MAX }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "count-0", { 24, 8, 0 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "count-less", { 24, 8, 2 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "count-more", { 24, 8, 4 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "count-2^32", { 24, 8, UINT64_C (1) << 32 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "count-overflow",
    { 24, 8, UINT64_MAX / 44 + 4 },
    VTREE_ERROR_CORRUPT,
    "contradicts" },
  { "count-all", { 24, 8, UINT64_MAX }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-0", { 32, 8, 0 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-in-header", { 32, 8, 63 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-before", { 32, 8, 90 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-behind", { 32, 8, 92 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-at-end", { 32, 8, 223 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-overflow", { 32, 8, UINT64_MAX }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "index-wraps", { 32, 8, UINT64_MAX - 131 }, VTREE_ERROR_CORRUPT, "contradicts" },
  { "reserved", { 40, 1, 1 }, VTREE_ERROR_CORRUPT, "header" },
  { "reserved-end", { 63, 1, 1 }, VTREE_ERROR_CORRUPT, "header" },
};

static void
make_three (PackFixture *fixture)
{
  pack_fixture_init (fixture, VTREE_DIGEST_SHA256);
  for (unsigned i = 0; i < 3; i++)
    pack_fixture_add (fixture, i, 8 + i);
  pack_fixture_write (fixture, NULL);
  g_assert_cmpuint (fixture->size, ==, 223);
}

static void
apply (const PackFixture *fixture, const Patch *patch)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = g_open (fixture->path, O_WRONLY | O_CLOEXEC, 0);
  g_assert_cmpint (fd, >=, 0);
  uint64_t start = (uint64_t) (patch->offset < 0 ? (int) fixture->size + patch->offset
                                                 : patch->offset);
  for (size_t i = 0; i < patch->size; i++) {
    uint8_t byte = (uint8_t) (patch->value >> 8 * i);
    vtree_fd_pwrite (fd, &byte, 1, start + i, &error);
    g_assert_no_error (error);
  }
}

static void
test_header (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  char text[VTREE_DIGEST_TEXT_MAX];
  make_three (&fixture);
  apply (&fixture, &headers[i].patch);
  g_assert_null (pack_fixture_try_open (&fixture, &error));
  vtree_test_assert_error (error, VTREE_ERROR, headers[i].code, headers[i].message);
  g_assert_nonnull (strstr (error->message, vtree_digest_format (&fixture.name, text)));
}

/* Every length but the right one. */
static void
test_truncated (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make_three (&fixture);
  for (off_t size = 222; size >= 0; size--) {
    g_autoptr (GError) error = NULL;
    g_assert_cmpint (truncate (fixture.path, size), ==, 0);
    g_assert_null (pack_fixture_try_open (&fixture, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "pack sha256:");
  }
}

static void
test_longer (void)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  make_three (&fixture);
  g_assert_cmpint (truncate (fixture.path, 224), ==, 0);
  g_assert_null (pack_fixture_try_open (&fixture, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "contradicts");
}

/* Of the last entry of the three. */
static const struct {
  const char *name;
  Patch patch;
} entries[] = {
  { "offset-0", { -12, 8, 0 } },
  { "offset-in-header", { -12, 8, 63 } },
  { "offset-at-index", { -12, 8, 91 } },
  { "offset-behind", { -12, 8, 92 } },
  { "offset-huge", { -12, 8, UINT64_MAX } },
  { "offset-wraps", { -12, 8, UINT64_MAX - 3 } },
  { "end-behind", { -12, 8, 90 } },
  { "size-0", { -4, 4, 0 } },
  { "size-above-largest", { -4, 4, 11 } },
  { "size-huge", { -4, 4, UINT32_MAX } },
};

static bool
count_entry (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  (void) index;
  (void) entry;
  (void) error;
  ++*(unsigned *) context;
  return true;
}

static void
test_entry (gconstpointer row)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreePackEntry entry, last;
  uint64_t index;
  unsigned count = 0;
  bool found = false;
  make_three (&fixture);
  g_autoptr (VtreePack) whole = pack_fixture_open (&fixture);
  g_assert_true (vtree_pack_entry (whole, 2, &last, &error));
  apply (&fixture, &entries[GPOINTER_TO_SIZE (row)].patch);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_false (vtree_pack_entry (pack, 2, &entry, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "its index names");
  g_clear_error (&error);
  g_assert_false (vtree_pack_find (pack, &last.digest, &found, &index, &entry, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "its index names");
  g_assert_false (found);
  g_clear_error (&error);
  g_assert_false (vtree_pack_foreach (pack, count_entry, &count, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "its index names");
  g_assert_cmpuint (count, ==, 2);
  g_assert_true (vtree_pack_entry (pack, 0, &entry, NULL)); /* the others are there */
  g_assert_true (vtree_pack_find (pack, &entry.digest, &found, &index, &entry, NULL));
  g_assert_true (found);
}

/* Entries are swapped, or one is there twice; of each, a search ends. */
static void
test_unsorted (gconstpointer row)
{
  bool twice = GPOINTER_TO_SIZE (row) != 0;
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  gsize size;
  unsigned count = 0;
  pack_fixture_init (&fixture, VTREE_DIGEST_SHA256);
  pack_fixture_add_many (&fixture, 1, 500);
  pack_fixture_write (&fixture, NULL);
  g_assert_true (g_file_get_contents (fixture.path, &data, &size, NULL));
  char *first = data + size - (size_t) 400 * 44;
  char kept[44];
  memcpy (kept, first, 44);
  memcpy (first, first + 44, 44);
  if (!twice)
    memcpy (first + 44, kept, 44);
  g_assert_true (g_file_set_contents (fixture.path, data, (gssize) size, NULL));
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_false (vtree_pack_foreach (pack, count_entry, &count, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "not sorted");
  g_assert_cmpuint (count, ==, 101);
  unsigned lost = 0;
  for (guint i = 0; i < fixture.items->len; i++) {
    VtreePackEntry entry;
    uint64_t index;
    lost += !pack_fixture_find (pack, &pack_fixture_item (&fixture, i)->digest, &index,
                                &entry);
  }
  g_assert_cmpuint (lost, <=, 2);
}

/* --- slices ----------------------------------------------------------------------- */

/* Each byte of the contents in turn: the object that it is of, and no other. */
static void
test_flipped (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make_three (&fixture);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  for (size_t at = VTREE_PACK_HEADER_SIZE; at < 91; at++) {
    repo_fixture_flip (fixture.path, at);
    for (uint64_t i = 0; i < 3; i++) {
      g_autoptr (GError) error = NULL;
      VtreePackEntry entry;
      uint8_t data[10];
      g_assert_true (vtree_pack_entry (pack, i, &entry, &error));
      bool hit = at >= entry.offset && at < entry.offset + entry.size;
      bool ok = vtree_pack_read (pack, i, &entry, VTREE_VERITY_AUTO, data, &error);
      g_assert_cmpint (ok, ==, !hit);
      if (hit)
        vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                                 "is damaged in it");
      /* …and who wants no verification has none. */
      g_assert_true (vtree_pack_read (pack, i, &entry, VTREE_VERITY_OFF, data, &error));
    }
    repo_fixture_flip (fixture.path, at);
  }
}

/* One that was cut short after it was opened. */
static void
test_cut_short (void)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreePackEntry entry;
  uint8_t data[10];
  make_three (&fixture);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_true (vtree_pack_entry (pack, 1, &entry, &error));
  g_assert_cmpint (truncate (fixture.path, (off_t) entry.offset), ==, 0);
  g_assert_false (vtree_pack_read (pack, 1, &entry, VTREE_VERITY_OFF, data, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "it ends before");
  g_clear_error (&error);
  g_assert_false (vtree_pack_entry (pack, 1, &entry, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "it ends before");
}

static void
test_require (void)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreePackEntry entry;
  uint8_t data[10];
  make_three (&fixture);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_true (vtree_pack_entry (pack, 0, &entry, &error));
  g_assert_false (
    vtree_pack_read (pack, 0, &entry, VTREE_VERITY_REQUIRE, data, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                           "verity=require");
}

static void
test_read_error (void)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreePackEntry entry;
  uint8_t data[10];
  make_three (&fixture);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_true (vtree_pack_entry (pack, 0, &entry, &error));
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_false (vtree_pack_read (pack, 0, &entry, VTREE_VERITY_AUTO, data, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "pack sha256:");
}

#define ADD_TABLE(prefix, table, function)                                             \
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++) {                                  \
    g_autofree char *path = g_strdup_printf (prefix "/%s", (table)[i].name);           \
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);                       \
  }

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD_TABLE ("/core/pack-hostile/header", headers, test_header);
  g_test_add_func ("/core/pack-hostile/truncated", test_truncated);
  g_test_add_func ("/core/pack-hostile/longer", test_longer);
  ADD_TABLE ("/core/pack-hostile/entry", entries, test_entry);
  g_test_add_data_func ("/core/pack-hostile/unsorted", GSIZE_TO_POINTER (0),
                        test_unsorted);
  g_test_add_data_func ("/core/pack-hostile/twice", GSIZE_TO_POINTER (1),
                        test_unsorted);
  g_test_add_func ("/core/pack-hostile/flipped", test_flipped);
  g_test_add_func ("/core/pack-hostile/cut-short", test_cut_short);
  g_test_add_func ("/core/pack-hostile/require", test_require);
  g_test_add_func ("/core/pack-hostile/read-error", test_read_error);
  return vtree_test_run ();
}
