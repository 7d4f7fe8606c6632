/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/merkle.h"
#include "core/staging.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const VtreeRepoOptions plain = { .digest = VTREE_DIGEST_SHA256 };

#define SMALL_MAX ((size_t) VTREE_MERKLE_MIN_BLOCKS * VTREE_BLOCK_SIZE)

/* --- sizes ------------------------------------------------------------------------ */

static const size_t sizes[] = {
  1,         4095,          4096,    4097,          SMALL_MAX - 1,
  SMALL_MAX, SMALL_MAX + 1, 1 << 20, (1 << 20) + 1, 3 * (1 << 20) + 5,
};

static void
test_size (gconstpointer row)
{
  size_t size = sizes[GPOINTER_TO_SIZE (row)];
  g_autofree uint8_t *data = repo_fixture_bytes (size, 1);
  g_autofree char *source = repo_fixture_source (data, size);
  for (int alg = VTREE_DIGEST_SHA256; alg <= VTREE_DIGEST_SHA512; alg++) {
    g_auto (RepoFixture) fixture = { 0 };
    VtreeRepoOptions options = { .digest = (VtreeDigestAlg) alg };
    repo_fixture_init (&fixture, &options);
    g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
    VtreeDigest digest = repo_fixture_ingest_file (ingest, source, size);
    repo_fixture_seal (ingest);
    repo_fixture_check_stored (&fixture, &digest, data, size);
    VtreeDigest again = repo_fixture_put (&fixture, data, size);
    vtree_test_assert_digest_equal (&digest, &again);
  }
}

static void
test_size_zero (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  g_assert_false (vtree_ingest_bytes (ingest, "", 0, &digest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "empty");
}

/* What is all zeros in between takes no room. */
static void
test_holes (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  size_t size = 16 << 20;
  g_autofree uint8_t *data = g_malloc0 (size);
  data[5 << 20] = 1;
  data[size - 1] = 2;
  g_autofree char *source = repo_fixture_source (data, size);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  VtreeDigest digest = repo_fixture_ingest_file (ingest, source, size);
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &digest, data, size);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  struct stat st;
  g_assert_cmpint (stat (object, &st), ==, 0);
  g_assert_cmpint (st.st_blocks * 512, <, 1 << 20);
}

/* --- life ------------------------------------------------------------------------- */

static void
test_invisible_until_sealed (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  VtreeIngest *ingest = repo_fixture_ingest (&fixture);
  g_autofree uint8_t *data = repo_fixture_bytes (1 << 20, 2);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  g_assert_true (vtree_ingest_bytes (ingest, data, 1 << 20, &digest, &error));
  g_assert_true (vtree_ingest_bytes (ingest, data, 10, &digest, &error));
  g_assert_cmpint (repo_fixture_count (&fixture, "objects"), ==, 0);
  g_assert_cmpint (repo_fixture_count (&fixture, "merkle"), ==, 0);
  g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 1);
  vtree_ingest_free (ingest);
  g_assert_cmpint (repo_fixture_count (&fixture, "objects"), ==, 0);
  g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 0);
}

static void
test_two_syncs (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  vtree_test_fault_clear ();
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  for (unsigned i = 0; i < 300; i++) {
    VtreeDigest digest;
    g_assert_true (vtree_ingest_bytes (ingest, &i, sizeof i, &digest, &error));
  }
  repo_fixture_seal (ingest);
  g_assert_cmpint (vtree_test_fault_calls (VTREE_TEST_SYNC), ==, 2);
}

static void
test_seals_twice (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest[2];
  for (unsigned i = 0; i < 2; i++) {
    g_assert_true (vtree_ingest_bytes (ingest, i ? "a" : "b", 1, &digest[i], &error));
    repo_fixture_seal (ingest);
    g_autofree char *object = repo_fixture_object (&fixture, &digest[i]);
    g_assert_true (g_file_test (object, G_FILE_TEST_IS_REGULAR));
  }
}

static void
test_stats (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  repo_fixture_put (&fixture, "old", 3);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  static const char *const all[] = { "old", "fresh", "fresh", "other" };
  for (size_t i = 0; i < G_N_ELEMENTS (all); i++) {
    VtreeDigest digest;
    g_assert_true (
      vtree_ingest_bytes (ingest, all[i], strlen (all[i]), &digest, &error));
  }
  repo_fixture_seal (ingest);
  VtreeIngestStats stats;
  vtree_ingest_stats (ingest, &stats);
  g_assert_cmpuint (stats.new_objects, ==, 2);
  g_assert_cmpuint (stats.new_bytes, ==, 10);
  g_assert_cmpuint (stats.shared_objects, ==, 2);
  g_assert_cmpuint (stats.shared_bytes, ==, 8);
  g_assert_cmpuint (stats.replaced, ==, 0);
}

static void
test_require (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (GError) error = NULL;
  bool supported;
  g_assert_true (vtree_kernel_probe (vtree_repo_dirfd (fixture.repo),
                                     VTREE_DIGEST_SHA256, &supported, &error));
  VtreeIngestOptions require = { .verity = VTREE_VERITY_REQUIRE };
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fixture.repo, &require, &error);
  g_assert_cmpint (ingest != NULL, ==, supported);
  if (!supported)
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                             "verity=require");
}

/* --- threads ---------------------------------------------------------------------- */

typedef struct {
  VtreeIngest *ingest;
  const char *source;
  size_t size;
} Worker;

static gpointer
run_worker (gpointer data)
{
  const Worker *worker = data;
  for (int i = 0; i < 20; i++)
    repo_fixture_ingest_file (worker->ingest, worker->source, worker->size);
  return NULL;
}

/* The same contents from many threads at once: one object, counted once as new. */
static void
test_concurrent (gconstpointer row)
{
  size_t size = sizes[GPOINTER_TO_SIZE (row)];
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (size, 3);
  g_autofree char *source = repo_fixture_source (data, size);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  Worker worker = { ingest, source, size };
  GThread *threads[4];
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("worker", run_worker, &worker);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  VtreeIngestStats stats;
  vtree_ingest_stats (ingest, &stats);
  g_assert_cmpuint (stats.new_objects, ==, 1);
  g_assert_cmpuint (stats.shared_objects, ==, 79);
  VtreeDigest digest = repo_fixture_ingest_file (ingest, source, size);
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &digest, data, size);
}

/* Two processes' ingests of the same contents: the first one's object stays. */
static void
test_two_ingests (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeIngest) one = repo_fixture_ingest (&fixture);
  g_autoptr (VtreeIngest) two = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  struct stat before, after;
  g_assert_true (vtree_ingest_bytes (one, "same", 4, &digest, &error));
  g_assert_true (vtree_ingest_bytes (two, "same", 4, &digest, &error));
  repo_fixture_seal (one);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_assert_cmpint (stat (object, &before), ==, 0);
  repo_fixture_seal (two);
  g_assert_cmpint (stat (object, &after), ==, 0);
  g_assert_cmpuint (before.st_ino, ==, after.st_ino);
}

/* --- sources that change ---------------------------------------------------------- */

static const struct {
  const char *name;
  size_t real, told;
} changes[] = {
  { "shorter-small", 100, 200 },
  { "longer-small", 200, 100 },
  { "shorter-large", SMALL_MAX + 1, SMALL_MAX + 5000 },
  { "longer-large", SMALL_MAX + 5000, SMALL_MAX + 4096 },
  { "now-empty", 0, 1 },
};

static void
test_changed (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (changes[i].real, 7);
  g_autofree char *source = repo_fixture_source (data, changes[i].real);
  g_auto (VtreeFd) fd = open (source, O_RDONLY | O_CLOEXEC);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  g_assert_false (vtree_ingest_fd (ingest, fd, changes[i].told, &digest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "changed while it was read");
  repo_fixture_seal (ingest);
  g_assert_cmpint (repo_fixture_count (&fixture, "objects"), ==, 0);
}

static void
test_short_reads_and_writes (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (SMALL_MAX + 10000, 8);
  g_autofree char *source = repo_fixture_source (data, SMALL_MAX + 10000);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  vtree_test_fault_short (VTREE_TEST_READ, 777);
  vtree_test_fault_short (VTREE_TEST_WRITE, 333);
  VtreeDigest digest = repo_fixture_ingest_file (ingest, source, SMALL_MAX + 10000);
  vtree_test_fault_clear ();
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &digest, data, SMALL_MAX + 10000);
}

/* --- a disk that is full or fails ------------------------------------------------- */

static const struct {
  const char *name;
  VtreeTestCall call;
  size_t size;
  unsigned after;
  int errnum;
} faults[] = {
  { "enospc-small", VTREE_TEST_WRITE, 100, 0, ENOSPC },
  { "enospc-large", VTREE_TEST_WRITE, 1 << 20, 3, ENOSPC },
  { "enospc-merkle", VTREE_TEST_WRITE, 1 << 20, 0, ENOSPC },
  { "eio-read-small", VTREE_TEST_READ, 100, 0, EIO },
  { "eio-read-large", VTREE_TEST_READ, 1 << 20, 2, EIO },
};

/* The error names the repository; seal refuses to go on without the object if somebody
 * counts on it; the same contents can be tried again. */
static void
test_fault (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (faults[i].size, 9);
  g_autofree char *source = repo_fixture_source (data, faults[i].size);
  g_auto (VtreeFd) fd = open (source, O_RDONLY | O_CLOEXEC);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  vtree_test_fault_fail (faults[i].call, faults[i].after, faults[i].errnum);
  bool ok = vtree_ingest_fd (ingest, fd, faults[i].size, &digest, &error);
  vtree_test_fault_clear ();
  g_assert_false (ok);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, faults[i].errnum, fixture.path);
  digest = repo_fixture_ingest_file (ingest, source, faults[i].size);
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &digest, data, faults[i].size);
}

static void
test_seal_needs_all (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  vtree_test_fault_fail (VTREE_TEST_WRITE, 0, ENOSPC);
  bool ok = vtree_ingest_bytes (ingest, "lost", 4, &digest, &error);
  vtree_test_fault_clear ();
  g_assert_false (ok);
  g_clear_error (&error);
  g_assert_false (vtree_ingest_seal (ingest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "sha256:");
}

static void
test_sync_fails (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  g_assert_true (vtree_ingest_bytes (ingest, "x", 1, &digest, &error));
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EIO);
  bool ok = vtree_ingest_seal (ingest, &error);
  vtree_test_fault_clear ();
  g_assert_false (ok);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, fixture.path);
  g_assert_cmpint (repo_fixture_count (&fixture, "objects"), ==, 0);
}

/* --- abandoned staging ------------------------------------------------------------ */

/* What processes that were killed leave in tmp/, and worse. */
static void
litter (const RepoFixture *fixture)
{
  g_autofree char *dead = repo_fixture_path (fixture, "tmp/dead/inner");
  g_autofree char *file = repo_fixture_path (fixture, "tmp/dead/inner/7");
  g_autofree char *stray = repo_fixture_path (fixture, "tmp/stray");
  g_autofree char *link = repo_fixture_path (fixture, "tmp/link");
  g_assert_cmpint (g_mkdir_with_parents (dead, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_assert_true (g_file_set_contents (stray, "x", 1, NULL));
  g_assert_cmpint (symlink ("../objects", link), ==, 0);
}

/* A directory in DIRFD that is DEPTH levels deep, with a file at the bottom. */
static void
make_deep (int dirfd, unsigned depth)
{
  g_auto (VtreeFd) fd = fcntl (dirfd, F_DUPFD_CLOEXEC, 0);
  for (unsigned i = 0; i < depth; i++) {
    g_assert_cmpint (mkdirat (fd, "deep", 0700), ==, 0);
    vtree_fd_replace_take (&fd, openat (fd, "deep", O_RDONLY | O_DIRECTORY));
    g_assert_cmpint (fd, >=, 0);
  }
  g_auto (VtreeFd) file = openat (fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (file, >=, 0);
}

/* A tree that somebody else put there must not end all commits, however deep it is. */
static void
test_clean_deep (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree char *tmp = repo_fixture_path (&fixture, "tmp");
  g_auto (VtreeFd) fd = open (tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  make_deep (fd, 3000);
  g_autoptr (GError) error = NULL;
  uint64_t removed = 0;
  g_assert_true (vtree_staging_clean (fixture.repo, false, &removed, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (removed, ==, 1);
  g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 0);
}

static void
test_clean (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  VtreeDigest digest = repo_fixture_put (&fixture, "kept", 4);
  g_autoptr (VtreeIngest) alive = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  uint64_t removed = 0;
  litter (&fixture);
  g_assert_true (vtree_staging_clean (fixture.repo, true, &removed, NULL, &error));
  g_assert_cmpuint (removed, ==, 3);
  g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 4);
  g_assert_true (vtree_ingest_clean (fixture.repo, &error));
  g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 1);
  litter (&fixture);
  g_autoptr (VtreeIngest) next = repo_fixture_ingest (&fixture);
  g_assert_cmpint (repo_fixture_count (&fixture, "tmp"), ==, 2);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_assert_true (g_file_test (object, G_FILE_TEST_IS_REGULAR));
  g_assert_true (vtree_ingest_bytes (alive, "still", 5, &digest, &error));
  repo_fixture_seal (alive);
}

/* What only looks as if a mount had held it. */
static void
test_clean_held_names (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  VtreeDigest digest = repo_fixture_put (&fixture, "held", 4);
  char hex[VTREE_DIGEST_PATH_MAX];
  vtree_digest_path (&digest, hex);
  for (unsigned kind = 0; kind < 4; kind++) {
    g_autofree char *name
      = g_strdup_printf ("tmp/held-%.2s%s-00000000%08x", hex, hex + 3, kind);
    g_autofree char *path = repo_fixture_path (&fixture, name);
    g_assert_cmpint (kind == 0   ? mkdir (path, 0700)
                     : kind == 1 ? mkfifo (path, 0600)
                     : kind == 2 ? symlink ("/etc/passwd", path)
                                 : !g_file_set_contents (path, "x", 1, NULL),
                     ==, 0);
  }
  g_autoptr (GArray) held = g_array_new (FALSE, FALSE, sizeof (VtreeDigest));
  g_autoptr (GError) error = NULL;
  uint64_t removed = 0;
  g_assert_true (vtree_staging_clean (fixture.repo, false, &removed, held, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (removed, ==, 4);
  g_assert_cmpuint (held->len, ==, 0);
  g_assert_cmpuint (repo_fixture_count (&fixture, "tmp"), ==, 0);
}

/* --- what is expected ------------------------------------------------------------- */

static bool
expect_fd (VtreeIngest *ingest, int fd, uint64_t size, const VtreeDigest *digest,
           GError **error)
{
  const VtreeIngestExpected expected = { .digest = *digest };
  return vtree_ingest_expected_fd (ingest, fd, size, &expected, error);
}

static void
test_expected (gconstpointer row)
{
  size_t size = sizes[GPOINTER_TO_SIZE (row)];
  g_autofree uint8_t *data = repo_fixture_bytes (size, 1);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  VtreeDigest right = repo_fixture_put (&fixture, data, size);
  data[size - 1] ^= 1;
  g_autofree char *source = repo_fixture_source (data, size);
  g_auto (VtreeFd) fd = open (source, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_autoptr (GError) error = NULL;
  g_assert_false (expect_fd (ingest, fd, size, &right, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "its contents are");
  g_clear_error (&error);
  VtreeIngestStats stats;
  vtree_ingest_stats (ingest, &stats);
  g_assert_cmpuint (stats.new_objects, ==, 0);
  /* It does not stand in the way of the rest, nor of itself under its own name. */
  VtreeDigest wrong = repo_fixture_ingest_file (ingest, source, size);
  g_assert_true (expect_fd (ingest, fd, size, &wrong, &error));
  g_assert_no_error (error);
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &wrong, data, size);
}

#define ADD_TABLE(prefix, table, function)                                             \
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++) {                                  \
    g_autofree char *path = g_strdup_printf (prefix "/%s", (table)[i].name);           \
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);                       \
  }

static void
add_sizes (const char *prefix, GTestDataFunc function)
{
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree char *path = g_strdup_printf ("%s/%zu", prefix, sizes[i]);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add_sizes ("/core/ingest/size", test_size);
  add_sizes ("/core/ingest/expected", test_expected);
  g_test_add_func ("/core/ingest/size-zero", test_size_zero);
  g_test_add_func ("/core/ingest/holes", test_holes);
  g_test_add_func ("/core/ingest/invisible", test_invisible_until_sealed);
  g_test_add_func ("/core/ingest/two-syncs", test_two_syncs);
  g_test_add_func ("/core/ingest/seals-twice", test_seals_twice);
  g_test_add_func ("/core/ingest/stats", test_stats);
  g_test_add_func ("/core/ingest/require", test_require);
  add_sizes ("/core/ingest/concurrent", test_concurrent);
  g_test_add_func ("/core/ingest/two-ingests", test_two_ingests);
  ADD_TABLE ("/core/ingest/changed", changes, test_changed);
  g_test_add_func ("/core/ingest/short", test_short_reads_and_writes);
  ADD_TABLE ("/core/ingest/fault", faults, test_fault);
  g_test_add_func ("/core/ingest/seal-needs-all", test_seal_needs_all);
  g_test_add_func ("/core/ingest/sync-fails", test_sync_fails);
  g_test_add_func ("/core/ingest/clean", test_clean);
  g_test_add_func ("/core/ingest/clean-deep", test_clean_deep);
  g_test_add_func ("/core/ingest/clean-held-names", test_clean_held_names);
  return vtree_test_run ();
}
