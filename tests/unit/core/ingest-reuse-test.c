/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an ingest makes of objects that the store has already: good ones, and every kind
 * of damage.
 */
#include "core/verity.h"
#include "tests/unit/core/repo-fixture.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const VtreeRepoOptions plain = { .digest = VTREE_DIGEST_SHA256 };

#define SMALL_MAX ((size_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE)

/* --- bad objects in the store ----------------------------------------------------- */

static void
damage_flip (const char *path)
{
  repo_fixture_flip (path, 0);
}

static void
damage_truncate (const char *path)
{
  g_assert_cmpint (truncate (path, 1), ==, 0);
}

static void
damage_extend (const char *path)
{
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (truncate (path, st.st_size + 1), ==, 0);
}

static void
damage_directory (const char *path)
{
  g_autofree char *inner = g_build_filename (path, "deep", "er", NULL);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (inner, 0700), ==, 0);
}

/* To the same bytes, even. */
static void
damage_symlink (const char *path)
{
  g_autofree char *other = g_strconcat (path, "-moved", NULL);
  g_assert_cmpint (g_rename (path, other), ==, 0);
  g_assert_cmpint (symlink (other, path), ==, 0);
}

static void
damage_fifo (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (mkfifo (path, 0644), ==, 0);
}

/* The directory "ab" itself leads elsewhere. */
static void
damage_fanout (const char *path)
{
  g_autofree char *fanout = g_path_get_dirname (path);
  g_autofree char *other = g_strconcat (fanout, "-moved", NULL);
  g_assert_cmpint (g_rename (fanout, other), ==, 0);
  g_assert_cmpint (symlink (other, fanout), ==, 0);
}

static const struct {
  const char *name;
  void (*damage) (const char *path);
} damages[] = {
  { "flip", damage_flip },
  { "truncate", damage_truncate },
  { "extend", damage_extend },
  { "directory", damage_directory },
  { "symlink", damage_symlink },
  { "fifo", damage_fifo },
  { "fan-out-symlink", damage_fanout },
};

/* Ingests DATA again and expects the object to be put right, and said. */
static void
expect_replaced (const RepoFixture *fixture, const void *data, size_t size)
{
  g_autofree char *source = repo_fixture_source (data, size);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (fixture);
  VtreeDigest digest = repo_fixture_ingest_file (ingest, source, size);
  repo_fixture_seal (ingest);
  VtreeIngestStats stats;
  vtree_ingest_stats (ingest, &stats);
  g_assert_cmpuint (stats.replaced, ==, 1);
  g_assert_cmpuint (stats.new_objects + stats.shared_objects, ==, 0);
  const GPtrArray *replaced = vtree_ingest_replaced (ingest);
  g_assert_cmpint (replaced->len, ==, 1);
  vtree_test_assert_digest_equal ((const VtreeDigest *) replaced->pdata[0], &digest);
  repo_fixture_check_stored (fixture, &digest, data, size);
}

static void
test_replaced (gconstpointer row)
{
  static const size_t both[] = { 5000, SMALL_MAX + 4096 };
  for (size_t i = 0; i < G_N_ELEMENTS (both); i++) {
    g_auto (RepoFixture) fixture = { 0 };
    repo_fixture_init (&fixture, &plain);
    g_autofree uint8_t *data = repo_fixture_bytes (both[i], 4);
    VtreeDigest digest = repo_fixture_put (&fixture, data, both[i]);
    g_autofree char *object = repo_fixture_object (&fixture, &digest);
    damages[GPOINTER_TO_SIZE (row)].damage (object);
    expect_replaced (&fixture, data, both[i]);
    g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 0);
  }
}

static void
test_replaced_merkle (gconstpointer row)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (1 << 20, 5);
  VtreeDigest digest = repo_fixture_put (&fixture, data, 1 << 20);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  damages[GPOINTER_TO_SIZE (row)].damage (merkle);
  expect_replaced (&fixture, data, 1 << 20);
}

/* One that is missing is made, and nothing bad is said of it. */
static void
test_missing_merkle (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (1 << 20, 6);
  VtreeDigest digest = repo_fixture_put (&fixture, data, 1 << 20);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  g_assert_cmpint (g_unlink (merkle), ==, 0);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_ingest_bytes (ingest, data, 1 << 20, &digest, &error));
  repo_fixture_seal (ingest);
  g_assert_cmpint (vtree_ingest_replaced (ingest)->len, ==, 0);
  repo_fixture_check_stored (&fixture, &digest, data, 1 << 20);
}

/* Owner and mode of an object mean nothing. */
static void
test_mode_is_no_matter (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  VtreeDigest digest = repo_fixture_put (&fixture, "x", 1);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_assert_cmpint (g_chmod (object, 0640), ==, 0);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_ingest_bytes (ingest, "x", 1, &digest, &error));
  repo_fixture_seal (ingest);
  g_assert_cmpint (vtree_ingest_replaced (ingest)->len, ==, 0);
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
  ADD_TABLE ("/core/ingest-reuse/replaced", damages, test_replaced);
  ADD_TABLE ("/core/ingest-reuse/replaced-merkle", damages, test_replaced_merkle);
  g_test_add_func ("/core/ingest-reuse/missing-merkle", test_missing_merkle);
  g_test_add_func ("/core/ingest-reuse/mode-is-no-matter", test_mode_is_no_matter);
  return vtree_test_run ();
}
