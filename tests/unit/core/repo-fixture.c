/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/core/repo-fixture.h"

#include "core/merkle.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
repo_fixture_init (RepoFixture *fixture, const VtreeRepoOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = vtree_test_make_dir ();
  fixture->path = g_build_filename (dir, "repo", NULL);
  vtree_repo_init (fixture->path, options, &error);
  g_assert_no_error (error);
  fixture->repo = vtree_repo_open (fixture->path, &error);
  g_assert_no_error (error);
}

void
repo_fixture_clear (RepoFixture *fixture)
{
  vtree_repo_free (fixture->repo);
  g_free (fixture->path);
}

char *
repo_fixture_path (const RepoFixture *fixture, const char *name)
{
  return g_build_filename (fixture->path, name, NULL);
}

static char *
digest_file (const RepoFixture *fixture, const char *top, const VtreeDigest *digest)
{
  char path[VTREE_DIGEST_PATH_MAX];
  return g_build_filename (fixture->path, top, vtree_digest_path (digest, path), NULL);
}

char *
repo_fixture_object (const RepoFixture *fixture, const VtreeDigest *digest)
{
  return digest_file (fixture, "objects", digest);
}

char *
repo_fixture_merkle (const RepoFixture *fixture, const VtreeDigest *digest)
{
  return digest_file (fixture, "merkle", digest);
}

bool
repo_fixture_oracle (const char *file, VtreeDigestAlg alg, VtreeDigest *digest)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *tool = g_find_program_in_path ("fsverity");
  g_autofree char *output = NULL;
  if (tool == NULL) {
    vtree_test_skip ("the fsverity tool is not installed");
    return false;
  }
  g_autofree char *name
    = g_strdup_printf ("--hash-alg=%s", vtree_digest_alg_name (alg));
  const char *argv[] = { tool, "digest", "--compact", name, file, NULL };
  g_spawn_sync (NULL, (char **) argv, NULL, 0, NULL, NULL, &output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *text
    = g_strdup_printf ("%s:%s", vtree_digest_alg_name (alg), g_strstrip (output));
  vtree_digest_parse (text, digest, &error);
  g_assert_no_error (error);
  return true;
}

void
repo_fixture_flip (const char *file, size_t offset)
{
  g_assert_cmpint (g_chmod (file, 0644), ==, 0);
  g_auto (VtreeFd) fd = open (file, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  uint8_t byte;
  g_assert_cmpint (pread (fd, &byte, 1, (off_t) offset), ==, 1);
  byte ^= 4;
  g_assert_cmpint (pwrite (fd, &byte, 1, (off_t) offset), ==, 1);
}

uint8_t *
repo_fixture_bytes (size_t size, unsigned seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  uint8_t *bytes = g_malloc (size);
  for (size_t i = 0; i < size; i += 4) {
    guint32 word = g_rand_int (rand);
    memcpy (bytes + i, &word, MIN (size - i, 4));
  }
  return bytes;
}

unsigned
repo_fixture_count (const RepoFixture *fixture, const char *name)
{
  g_autofree char *path = repo_fixture_path (fixture, name);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_assert_nonnull (dir);
  unsigned count = 0;
  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

unsigned
repo_fixture_mode (const char *file)
{
  struct stat st;
  g_assert_cmpint (lstat (file, &st), ==, 0);
  return st.st_mode & 07777;
}

#define SMALL_MAX ((size_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE)

VtreeIngest *
repo_fixture_ingest (const RepoFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  VtreeIngestOptions options = { .verity = VTREE_VERITY_AUTO };
  VtreeIngest *ingest = vtree_ingest_new (fixture->repo, &options, &error);
  g_assert_no_error (error);
  return ingest;
}

void
repo_fixture_seal (VtreeIngest *ingest)
{
  g_autoptr (GError) error = NULL;
  vtree_ingest_seal (ingest, &error);
  g_assert_no_error (error);
  vtree_ingest_sync (ingest, &error);
  g_assert_no_error (error);
}

/* A file of the test's own, outside the repository. */
char *
repo_fixture_source (const void *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = vtree_test_make_dir ();
  char *path = g_build_filename (dir, "source", NULL);
  g_file_set_contents (path, data, (gssize) size, &error);
  g_assert_no_error (error);
  return path;
}

VtreeDigest
repo_fixture_ingest_file (VtreeIngest *ingest, const char *path, uint64_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  vtree_ingest_fd (ingest, fd, size, &digest, &error);
  g_assert_no_error (error);
  return digest;
}

static void
assert_file_equals (const char *path, const void *data, size_t size)
{
  g_autofree char *found = NULL;
  gsize found_size;
  g_assert_true (g_file_get_contents (path, &found, &found_size, NULL));
  g_assert_cmpuint (found_size, ==, size);
  g_assert_cmpint (memcmp (found, data, size), ==, 0);
}

/* The Merkle file is there exactly if it has to be, and verifies the contents. */
static void
check_merkle (const RepoFixture *fixture, const VtreeDigest *digest, const void *data,
              size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = repo_fixture_merkle (fixture, digest);
  if (size <= SMALL_MAX) {
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    return;
  }
  g_assert_cmpint (repo_fixture_mode (path), ==, 0444);
  g_autoptr (VtreeMerkle) merkle
    = vtree_merkle_new_take (open (path, O_RDONLY | O_CLOEXEC), digest, size, &error);
  g_assert_no_error (error);
  vtree_merkle_verify (merkle, 0, data, size / VTREE_BLOCK_SIZE, &error);
  g_assert_no_error (error);
}

void
repo_fixture_check_stored (const RepoFixture *fixture, const VtreeDigest *digest,
                           const void *data, size_t size)
{
  g_autofree char *object = repo_fixture_object (fixture, digest);
  VtreeDigest expected;
  assert_file_equals (object, data, size);
  g_assert_cmpint (repo_fixture_mode (object), ==, 0444);
  check_merkle (fixture, digest, data, size);
  if (repo_fixture_oracle (object, digest->alg, &expected))
    vtree_test_assert_digest_equal (digest, &expected);
}

VtreeDigest
repo_fixture_put (const RepoFixture *fixture, const void *data, size_t size)
{
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  vtree_ingest_bytes (ingest, data, size, &digest, &error);
  g_assert_no_error (error);
  repo_fixture_seal (ingest);
  return digest;
}

/* --- packs ------------------------------------------------------------------------ */

VtreeStore *
repo_fixture_store (const RepoFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  VtreeStore *store = vtree_store_new (fixture->repo, &error);
  g_assert_no_error (error);
  return store;
}

GArray *
repo_fixture_packs (const RepoFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStore) store = repo_fixture_store (fixture);
  GArray *names = vtree_packs_list (vtree_store_packs (store), &error);
  g_assert_no_error (error);
  return names;
}

char *
repo_fixture_pack (const RepoFixture *fixture, const VtreeDigest *name)
{
  char path[VTREE_DIGEST_PATH_MAX];
  return g_build_filename (fixture->path, "packs", vtree_digest_path (name, path),
                           NULL);
}

void
repo_fixture_check_reads (const RepoFixture *fixture, const VtreeDigest *digest,
                          const void *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStore) store = repo_fixture_store (fixture);
  g_autofree uint8_t *found = g_malloc (size + 1);
  VtreeObjectSpec spec
    = { .digest = *digest, .size = size, .policy = VTREE_VERITY_AUTO };
  size_t got;
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, &error);
  g_assert_no_error (error);
  vtree_object_read (object, found, size + 1, 0, &got, &error);
  g_assert_no_error (error);
  vtree_test_assert_bytes (found, got, data, size);
}
