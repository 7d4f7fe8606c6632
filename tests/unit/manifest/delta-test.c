/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of a delta: a chunk's head, zstd both ways, the guess what resembles what,
 * the division into chunks.
 */
#include "core/bytes.h"
#include "manifest/delta-private.h"
#include "tests/unit/manifest/versions-fixture.h"

#include <sys/stat.h>

/* --- heads ------------------------------------------------------------------------ */

static const struct {
  const char *name;
  uint32_t packed, plain, pieces, references, reserved;
  bool good;
} heads[] = {
  { "least", 1, 1, 1, 0, 0, true },
  { "most", VTREE_DELTA_PACKED_MAX, VTREE_DELTA_PLAIN_MAX, VTREE_DELTA_PIECES_MAX,
    VTREE_DELTA_PIECES_MAX, 0, true },
  { "no-frame", 0, 1, 1, 0, 0, false },
  { "frame", VTREE_DELTA_PACKED_MAX + 1, 1, 1, 0, 0, false },
  { "frame-huge", UINT32_MAX, 1, 1, 0, 0, false },
  { "no-contents", 1, 0, 1, 0, 0, false },
  { "contents", 1, VTREE_DELTA_PLAIN_MAX + 1, 1, 0, 0, false },
  { "contents-huge", 1, UINT32_MAX, 1, 0, 0, false },
  { "no-pieces", 1, 1, 0, 0, 0, false },
  { "pieces", 1, 1, VTREE_DELTA_PIECES_MAX + 1, 0, 0, false },
  { "pieces-huge", 1, 1, UINT32_MAX, 0, 0, false },
  { "references", 1, 1, 1, VTREE_DELTA_PIECES_MAX + 1, 0, false },
  { "references-huge", 1, 1, 1, UINT32_MAX, 0, false },
  { "reserved", 1, 1, 1, 0, 1, false },
  { "reserved-high", 1, 1, 1, 0, UINT32_C (1) << 31, false },
};

static void
test_head (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_autoptr (VtreeDeltaChunk) chunk = vtree_delta_chunk_new ();
  g_autoptr (GError) error = NULL;
  uint8_t bytes[VTREE_DELTA_CHUNK_HEADER_SIZE] = { 0 };
  uint32_t pieces = 0, references = 0;
  vtree_bytes_put_u32 (bytes, heads[i].packed);
  vtree_bytes_put_u32 (bytes + 4, heads[i].plain);
  vtree_bytes_put_u32 (bytes + 8, heads[i].pieces);
  vtree_bytes_put_u32 (bytes + 12, heads[i].references);
  vtree_bytes_put_u32 (bytes + 20, heads[i].reserved);
  bool ok = vtree_delta_chunk_parse (bytes, chunk, &pieces, &references, &error);
  g_assert_cmpint (ok, ==, heads[i].good);
  if (!ok) {
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "limits");
    return;
  }
  g_assert_cmpuint (chunk->packed, ==, heads[i].packed);
  g_assert_cmpuint (chunk->plain, ==, heads[i].plain);
  g_assert_cmpuint (pieces, ==, heads[i].pieces);
  g_assert_cmpuint (references, ==, heads[i].references);
}

static void
test_head_round_trip (void)
{
  const VtreeDeltaPiece pieces[] = {
    { 0, 1, 0 },
    { VTREE_DELTA_MANIFEST, UINT32_MAX, UINT64_MAX },
    { 0x01020304, 0x05060708, UINT64_C (0x0102030405060708) },
  };
  g_autoptr (VtreeDeltaChunk) chunk = vtree_delta_chunk_new ();
  g_autoptr (VtreeDeltaChunk) same = vtree_delta_chunk_new ();
  uint32_t counts[2];
  chunk->packed = 7;
  chunk->plain = 8;
  g_array_append_vals (chunk->pieces, pieces, 2);
  g_array_append_vals (chunk->references, pieces + 2, 1);
  g_autoptr (GBytes) bytes = vtree_delta_chunk_serialize (chunk);
  const uint8_t *data = g_bytes_get_data (bytes, NULL);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 24 + 3 * 16);
  g_assert_true (vtree_delta_chunk_parse (data, same, &counts[0], &counts[1], NULL));
  g_assert_true (counts[0] == 2 && counts[1] == 1);
  for (size_t i = 0; i < G_N_ELEMENTS (pieces); i++) {
    VtreeDeltaPiece piece;
    vtree_delta_piece_parse (data + 24 + 16 * i, &piece);
    g_assert_true (piece.object == pieces[i].object && piece.size == pieces[i].size
                   && piece.offset == pieces[i].offset);
  }
  g_assert_cmpuint (vtree_delta_pieces_size (chunk->pieces), ==,
                    1 + (uint64_t) UINT32_MAX);
}

/* --- zstd ------------------------------------------------------------------------- */

static const struct {
  const char *name;
  size_t size, prefix;
} frames[] = {
  { "one-byte", 1, 0 },
  { "block", 4096, 0 },
  { "odd", 130001, 0 },
  { "of-the-same", 130001, 130001 },
  { "of-one-byte", 130001, 1 },
  { "of-more", 5000, 1000000 },
  { "most", VTREE_DELTA_PLAIN_MAX, VTREE_DELTA_REFERENCE_MAX },
};

static GBytes *
random_bytes (size_t size, unsigned seed)
{
  return g_bytes_new_take (repo_fixture_bytes (size, seed), size);
}

/* Fails for sure with VTREE_ERROR_CORRUPT, or has all of SIZE bytes. */
static bool
decompress (GBytes *packed, GBytes *prefix, size_t size, uint8_t *data)
{
  g_autoptr (GError) error = NULL;
  if (vtree_delta_decompress (packed, prefix, data, size, &error))
    return true;
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
  return false;
}

static void
test_frame (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row), size = frames[i].size;
  g_autoptr (GBytes) plain = random_bytes (size, 1);
  g_autoptr (GBytes) prefix = random_bytes (frames[i].prefix, 1);
  g_autoptr (GBytes) packed = vtree_delta_compress (plain, prefix, 1, NULL);
  g_autofree uint8_t *data = g_malloc0 (size + 1);
  g_assert_nonnull (packed);
  g_assert_cmpuint (g_bytes_get_size (packed), <=, VTREE_DELTA_PACKED_MAX);
  if (frames[i].prefix >= size)
    g_assert_cmpuint (g_bytes_get_size (packed), <, size / 50 + 50);
  g_assert_true (decompress (packed, prefix, size, data));
  vtree_test_assert_bytes (data, size, g_bytes_get_data (plain, NULL), size);
  g_assert_cmpuint (data[size], ==, 0);
  g_assert_false (decompress (packed, prefix, size + 1, data));
  g_assert_false (decompress (packed, prefix, size - 1, data));
}

static void
test_frame_cut (void)
{
  g_autoptr (GBytes) plain = random_bytes (3000, 1);
  g_autoptr (GBytes) prefix = random_bytes (2000, 1);
  g_autoptr (GBytes) packed = vtree_delta_compress (plain, prefix, 19, NULL);
  g_autofree uint8_t *data = g_malloc (3000);
  for (size_t i = 0; i < g_bytes_get_size (packed); i++) {
    g_autoptr (GBytes) cut = g_bytes_new_from_bytes (packed, 0, i);
    g_assert_false (decompress (cut, prefix, 3000, data));
  }
  /* What follows is no frame, or more than was said. */
  g_autoptr (GByteArray) more = g_byte_array_new ();
  g_byte_array_append (more, g_bytes_get_data (packed, NULL),
                       (guint) g_bytes_get_size (packed));
  g_byte_array_append (more, (const guint8 *) "x", 1);
  g_autoptr (GBytes) longer = g_bytes_new (more->data, more->len);
  g_assert_false (decompress (longer, prefix, 3000, data));
}

/* A frame that says it has 2^40 bytes, and one that needs a window of 2 GiB. */
static void
test_frame_huge (void)
{
  static const uint8_t huge[]
    = { 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 9, 0, 0, 'a' };
  static const uint8_t window[]
    = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x09, 0, 0, 'a' };
  g_autoptr (GBytes) first = g_bytes_new_static (huge, sizeof huge);
  g_autoptr (GBytes) second = g_bytes_new_static (window, sizeof window);
  g_autoptr (GBytes) none = g_bytes_new_static ("", 0);
  uint8_t data[8];
  g_assert_false (decompress (first, none, 8, data));
  g_assert_false (decompress (first, none, 1, data));
  g_assert_false (decompress (second, none, 8, data));
}

/* --- matching --------------------------------------------------------------------- */

#define REF "os/test"

/* Contents that tell which file they are of; a string. */
static const VersionFile old_files[] = {
  { "same", "same", 4 },
  { "bin/tool", "old tool", 8 },
  { "bin/twin", NULL, 1 },
  { "lib-1.25/x.so.1", "old x", 5 },
  { "lib-1.25/x.so.9", "older x", 7 },
  { "becomes", "a file", 6 },
  { "was/inside", "inside", 6 },
  { "moved", "moves", 5 },
  { NULL, NULL, 0 },
};
static const VersionFile new_files[] = {
  { "same", "same", 4 },
  { "bin/tool", "new tool", 8 },
  { "bin/twin", "no longer a twin", 16 },
  { "lib-2.0/x.so.2", "new x", 5 },
  { "becomes/one", "a directory", 11 },
  { "was", "a directory once", 16 },
  { "else/moved", "moves", 5 },
  { "fresh", "new", 3 },
  { NULL, NULL, 0 },
};

/* Which old contents stand for which new ones. */
static const struct {
  const char *contents, *old; /* NULL: none; "": shared */
} matches[] = {
  { "same", "" },
  { "new tool", "old tool" },
  { "no longer a twin", "old tool" },
  { "new x", NULL }, /* either x: see below */
  { "a directory", NULL },
  { "a directory once", NULL },
  { "moves", "" },
  { "new", NULL },
};

typedef struct {
  VersionsFixture versions;
  VtreeStore *store;
  VtreeDeltaSide from, to;
} Sides;

static void
open_side (Sides *sides, VtreeDeltaSide *side, uint64_t version,
           const VersionFile *files)
{
  g_autoptr (GError) error = NULL;
  const VersionSpec spec = { REF, version, files, VERSION_SIGNED };
  VtreeDigest manifest = versions_fixture_put (&sides->versions, &spec);
  g_autofree char *path = repo_fixture_object (&sides->versions.repo, &manifest);
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  vtree_delta_side_open (side, sides->store, &manifest, (uint64_t) st.st_size, &error);
  g_assert_no_error (error);
}

static void
sides_init (Sides *sides, const VersionFile *from, const VersionFile *to)
{
  versions_fixture_init_packing (&sides->versions, 4096);
  sides->store = repo_fixture_store (&sides->versions.repo);
  open_side (sides, &sides->from, 1, from);
  open_side (sides, &sides->to, 2, to);
}

static void
sides_clear (Sides *sides)
{
  vtree_delta_side_clear (&sides->from);
  vtree_delta_side_clear (&sides->to);
  vtree_store_free (sides->store);
  versions_fixture_clear (&sides->versions);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Sides, sides_clear)

/* The number of an object, by what it is. */
static uint32_t
number_of (VtreeView *view, const char *contents)
{
  VtreeDigest wanted = versions_fixture_digest (contents, strlen (contents));
  for (uint32_t i = 0; i < vtree_view_totals (view)->objects; i++) {
    VtreeDigest digest;
    uint64_t size;
    g_assert_true (vtree_view_object (view, i, &digest, &size, NULL));
    if (vtree_digest_equal (&digest, &wanted))
      return i;
  }
  g_assert_not_reached ();
}

static void
test_match (void)
{
  g_auto (Sides) sides = { 0 };
  sides_init (&sides, old_files, new_files);
  g_autoptr (GArray) found = vtree_delta_match (sides.to.view, sides.from.view, NULL);
  g_assert_nonnull (found);
  for (size_t i = 0; i < G_N_ELEMENTS (matches); i++) {
    uint32_t object = number_of (sides.to.view, matches[i].contents);
    uint32_t match = g_array_index (found, uint32_t, object), expected;
    if (strcmp (matches[i].contents, "new x") == 0) {
      g_assert_true (match == number_of (sides.from.view, "old x")
                     || match == number_of (sides.from.view, "older x"));
      continue;
    }
    if (matches[i].old == NULL)
      expected = VTREE_DELTA_NONE;
    else if (*matches[i].old == '\0')
      expected = VTREE_DELTA_SHARED;
    else
      expected = number_of (sides.from.view, matches[i].old);
    g_test_message ("%s", matches[i].contents);
    g_assert_cmpuint (match, ==, expected);
  }
}

static void
test_match_nothing (void)
{
  g_auto (Sides) sides = { 0 };
  sides_init (&sides, old_files, new_files);
  g_autoptr (GArray) found = vtree_delta_match (sides.to.view, NULL, NULL);
  g_assert_cmpuint (found->len, ==, vtree_view_totals (sides.to.view)->objects);
  for (guint i = 0; i < found->len; i++)
    g_assert_cmpuint (g_array_index (found, uint32_t, i), ==, VTREE_DELTA_NONE);
}

/* --- planning --------------------------------------------------------------------- */

#define LARGE (2 * VTREE_DELTA_PLAIN_MAX + 12345)
#define JUST VTREE_DELTA_PLAIN_MAX

/* Every chunk is within its limits. */
static void
check_limits (const VtreeDeltaChunk *chunk)
{
  uint64_t plain = vtree_delta_pieces_size (chunk->pieces);
  g_assert_cmpuint (plain, >=, 1);
  g_assert_cmpuint (plain, <=, VTREE_DELTA_PLAIN_MAX);
  g_assert_cmpuint (vtree_delta_pieces_size (chunk->references), <=,
                    VTREE_DELTA_REFERENCE_MAX);
  g_assert_cmpuint (chunk->pieces->len, <=, VTREE_DELTA_PIECES_MAX);
  g_assert_cmpuint (chunk->references->len, <=, VTREE_DELTA_PIECES_MAX);
}

/* The pieces of CHUNKS are the manifest, then each of what is not shared, whole and in
 * order; all that is named can be read. */
static void
check_plan (Sides *sides, const GPtrArray *chunks, const GArray *found)
{
  uint32_t object = VTREE_DELTA_MANIFEST;
  uint64_t size = vtree_object_size (sides->to.manifest), at = 0;
  for (guint i = 0; i < chunks->len; i++) {
    const VtreeDeltaChunk *chunk = chunks->pdata[i];
    check_limits (chunk);
    g_autoptr (GBytes) plain = vtree_delta_side_read (&sides->to, chunk->pieces, NULL);
    g_autoptr (GBytes) prefix
      = vtree_delta_side_read (&sides->from, chunk->references, NULL);
    g_assert_true (plain != NULL && prefix != NULL);
    for (guint k = 0; k < chunk->pieces->len; k++) {
      VtreeDeltaPiece *piece = &g_array_index (chunk->pieces, VtreeDeltaPiece, k);
      if (at == size) {
        VtreeDigest digest;
        do
          object++; /* the one after the manifest's is 0 */
        while (g_array_index (found, uint32_t, object) == VTREE_DELTA_SHARED);
        g_assert_true (
          vtree_view_object (sides->to.view, object, &digest, &size, NULL));
        at = 0;
      }
      g_assert_cmpuint (piece->object, ==, object);
      g_assert_cmpuint (piece->offset, ==, at);
      at += piece->size;
      g_assert_cmpuint (at, <=, size);
    }
  }
  g_assert_cmpuint (at, ==, size);
  for (object++; object < found->len; object++)
    g_assert_cmpuint (g_array_index (found, uint32_t, object), ==, VTREE_DELTA_SHARED);
}

static GBytes *
as_bytes (const GPtrArray *chunks)
{
  GByteArray *all = g_byte_array_new ();
  for (guint i = 0; i < chunks->len; i++) {
    g_autoptr (GBytes) bytes = vtree_delta_chunk_serialize (chunks->pdata[i]);
    gsize size;
    const guint8 *data = g_bytes_get_data (bytes, &size);
    g_byte_array_append (all, data, (guint) size);
  }
  return g_byte_array_free_to_bytes (all);
}

static void
plan_and_check (Sides *sides, bool empty)
{
  VtreeDeltaSide *from = empty ? NULL : &sides->from;
  g_autoptr (GArray) found
    = vtree_delta_match (sides->to.view, empty ? NULL : from->view, NULL);
  g_autoptr (GPtrArray) chunks = vtree_delta_plan (&sides->to, from, found, NULL);
  g_autoptr (GPtrArray) again = vtree_delta_plan (&sides->to, from, found, NULL);
  g_assert_true (chunks != NULL && again != NULL);
  check_plan (sides, chunks, found);
  g_autoptr (GBytes) first = as_bytes (chunks);
  g_autoptr (GBytes) second = as_bytes (again);
  g_assert_true (g_bytes_equal (first, second));
  for (guint i = 0; i < chunks->len && empty; i++)
    g_assert_cmpuint (((VtreeDeltaChunk *) chunks->pdata[i])->references->len, ==, 0);
}

static void
test_plan_small (void)
{
  g_auto (Sides) sides = { 0 };
  sides_init (&sides, old_files, new_files);
  plan_and_check (&sides, true);
  plan_and_check (&sides, false);
}

/* Contents at every edge: what just fits a chunk, what does not, what a reference is
 * larger or smaller than. */
static void
test_plan_large (void)
{
  g_auto (Sides) sides = { 0 };
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE + 8, 1);
  const VersionFile old[] = {
    { "a", data, LARGE },        { "b", data, 10 }, { "c", data + 1, LARGE },
    { "shared", data + 6, 300 }, { NULL, NULL, 0 },
  };
  const VersionFile new[] = {
    { "a", data + 2, LARGE },    { "b", data + 3, JUST },
    { "c", data + 4, 100 },      { "d", data + 5, 1 },
    { "e", data + 6, JUST + 1 }, { "f", data + 7, JUST - 1 },
    { "shared", data + 6, 300 }, { NULL, NULL, 0 },
  };
  sides_init (&sides, old, new);
  plan_and_check (&sides, true);
  plan_and_check (&sides, false);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (heads); i++) {
    g_autofree char *path = g_strdup_printf ("/manifest/delta/head/%s", heads[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_head);
  }
  g_test_add_func ("/manifest/delta/head-round-trip", test_head_round_trip);
  for (size_t i = 0; i < G_N_ELEMENTS (frames); i++) {
    g_autofree char *path
      = g_strdup_printf ("/manifest/delta/frame/%s", frames[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_frame);
  }
  g_test_add_func ("/manifest/delta/frame-cut", test_frame_cut);
  g_test_add_func ("/manifest/delta/frame-huge", test_frame_huge);
  g_test_add_func ("/manifest/delta/match", test_match);
  g_test_add_func ("/manifest/delta/match-nothing", test_match_nothing);
  g_test_add_func ("/manifest/delta/plan-small", test_plan_small);
  g_test_add_func ("/manifest/delta/plan-large", test_plan_large);
  return vtree_test_run ();
}
