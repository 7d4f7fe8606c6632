/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/check.h"

#include "core/error.h"
#include "manifest/layout.h"
#include "tests/lib/hostile.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

static void
test_random_trees (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  for (unsigned i = 0; i < 60; i++) {
    g_autoptr (GError) error = NULL;
    VtreeTestTreeParams params = {
      .inodes = 1 + i * i,
      .no_extras = i % 3 == 0,
      .alg = i % 2 == 0 ? VTREE_DIGEST_SHA256 : VTREE_DIGEST_SHA512,
    };
    g_autoptr (VtreeTestTree) tree = vtree_test_tree_new_random (random, &params);
    g_autoptr (GBytes) bytes = vtree_test_tree_build (tree, random);
    g_autoptr (VtreeView) view = vtree_test_view (bytes);
    vtree_check_manifest (view, &error);
    g_assert_no_error (error);
  }
}

/* What opens: the check's verdict, and the view's own where it can see it. */
static void
check_hostile_view (VtreeView *view, const VtreeTestHostile *hostile)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) view_error = NULL;
  VtreeInode inode;
  vtree_test_walk (view);
  g_assert_cmpint (vtree_check_manifest (view, &error), ==, hostile->part == NULL);
  if (hostile->part != NULL)
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, hostile->part);
  if (hostile->path == NULL)
    return;
  g_assert_false (vtree_view_resolve (view, hostile->path, &inode, &view_error));
  vtree_test_assert_error (view_error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
}

static void
test_hostile (void)
{
  for (size_t i = 0; i < vtree_test_hostile_count (); i++) {
    const VtreeTestHostile *hostile = vtree_test_hostile_peek (i);
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) bytes = vtree_test_hostile_new (hostile->kind);
    g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
    g_test_message ("%s", hostile->kind);
    g_autoptr (VtreeView) view = vtree_view_new (pages, &error);
    if (hostile->open_error < 0) {
      g_assert_no_error (error);
      check_hostile_view (view, hostile);
    } else {
      g_assert_null (view);
      vtree_test_assert_error (error, VTREE_ERROR, hostile->open_error, hostile->part);
    }
  }
}

/* The names of a cycle, a file and a message's inode are there to be read. */
static void
test_message_names_path (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = vtree_test_hostile_new ("nlink-file");
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  g_assert_false (vtree_check_manifest (view, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "(/dir/file): wrong link count");
}

/* A manifest in which byte AT is another one: whatever it means now, nothing crashes,
 * and what passes the check is what the builder would write. */
static void
check_corruption (GBytes *good, gsize at, uint8_t flip)
{
  gsize size;
  const uint8_t *data = g_bytes_get_data (good, &size);
  uint8_t *copy = g_memdup2 (data, size);
  copy[at] ^= flip;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_take (copy, size);
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
  g_autoptr (VtreeView) view = vtree_view_new (pages, &error);
  if (view == NULL) {
    g_assert_nonnull (error);
    return;
  }
  vtree_test_walk (view);
  if (!vtree_check_manifest (view, &error)) {
    g_assert_nonnull (error);
    return;
  }
  g_autoptr (GBytes) rebuilt = vtree_test_rebuild (view, &error);
  g_assert_no_error (error);
  /* A compat feature is nothing that the builder writes. */
  if (at < VTREE_VTM_H_COMPAT || at >= VTREE_VTM_H_FLAGS)
    g_assert_true (g_bytes_equal (bytes, rebuilt));
}

static void
test_every_byte (void)
{
  g_autoptr (GBytes) good = vtree_test_hostile_new ("none");
  gsize size = g_bytes_get_size (good);
  for (gsize at = 0; at < size; at++) {
    /* Of the zeros that fill up sections, a few will do. */
    gsize in_block = at % 4096;
    if (in_block > 1200 && in_block < 4090)
      continue;
    check_corruption (good, at, (uint8_t) (1u << g_test_rand_int_range (0, 8)));
    check_corruption (good, at, 0xff);
  }
}

static void
test_truncated (void)
{
  static const gsize sizes[] = { 0, 1, 4095, 4096, 8192 };
  g_autoptr (GBytes) good = vtree_test_hostile_new ("none");
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) bytes = g_bytes_new_from_bytes (good, 0, sizes[i]);
    g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
    g_assert_null (vtree_view_new (pages, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "bytes");
  }
}

/* An optional section of a later version: announced by a compat bit, passed over. */
static GBytes *
add_section (uint32_t id, uint64_t compat)
{
  g_autoptr (GBytes) good = vtree_test_hostile_new ("none");
  gsize size;
  const uint8_t *data = g_bytes_get_data (good, &size);
  uint8_t *copy = g_malloc0 (size + 4096);
  memcpy (copy, data, size);
  uint8_t *line = copy + VTREE_VTM_H_SECTIONS
                  + VTREE_VTM_SECTIONS_V1 * (size_t) VTREE_VTM_SECTION_SIZE;
  vtree_bytes_put_u32 (line + VTREE_VTM_S_ID, id);
  vtree_bytes_put_u32 (line + VTREE_VTM_S_RECORD_SIZE, 5);
  vtree_bytes_put_u64 (line + VTREE_VTM_S_OFFSET, size);
  vtree_bytes_put_u64 (line + VTREE_VTM_S_COUNT, 3);
  vtree_bytes_put_u64 (copy + VTREE_VTM_H_COMPAT, compat);
  vtree_bytes_put_u32 (copy + VTREE_VTM_H_SECTION_COUNT, 8);
  vtree_bytes_put_u64 (copy + VTREE_VTM_H_FILE_SIZE, size + 4096);
  memset (copy + size, 'x', 15);
  return g_bytes_new_take (copy, size + 4096);
}

static void
test_later_section (void)
{
  static const struct {
    const char *title;
    uint64_t compat;
    uint32_t id;
    bool ok;
  } rows[] = {
    { "announced", 1, 8, true },
    { "far id", UINT64_C (1) << 63, UINT32_MAX, true },
    { "not announced", 0, 8, false },
    { "known id twice", 1, 7, false },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) bytes = add_section (rows[i].id, rows[i].compat);
    g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
    g_test_message ("%s", rows[i].title);
    g_autoptr (VtreeView) view = vtree_view_new (pages, &error);
    g_assert_cmpint (view != NULL, ==, rows[i].ok);
    if (!rows[i].ok) {
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
      continue;
    }
    vtree_check_manifest (view, &error);
    g_assert_no_error (error);
  }
}

/* No recursion: depth is no limit. */
static void
test_deep_tree (void)
{
  const VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755 };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *node = vtree_builder_root (builder);
  for (int i = 0; i < 200000; i++)
    node = vtree_builder_add (builder, node, "d", &attributes, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  vtree_check_manifest (view, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/check/random-trees", test_random_trees);
  g_test_add_func ("/manifest/check/hostile", test_hostile);
  g_test_add_func ("/manifest/check/message-names-path", test_message_names_path);
  g_test_add_func ("/manifest/check/every-byte", test_every_byte);
  g_test_add_func ("/manifest/check/truncated", test_truncated);
  g_test_add_func ("/manifest/check/later-section", test_later_section);
  g_test_add_func ("/manifest/check/deep-tree", test_deep_tree);
  return vtree_test_run ();
}
