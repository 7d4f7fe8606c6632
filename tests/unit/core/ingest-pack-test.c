/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small contents on their way into packs: which, in what order, what is reused, and
 * what is left after a failure.
 */
#include "core/verity.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define THRESHOLD 100

static const VtreeRepoOptions packing
  = { .digest = VTREE_DIGEST_SHA256, .pack_threshold = THRESHOLD };

/* --- what the repository has ------------------------------------------------------ */

static unsigned
count_packs (const RepoFixture *fixture)
{
  g_autoptr (GArray) names = repo_fixture_packs (fixture);
  return names->len;
}

static bool
count_one (void *context, VtreePack *pack, uint64_t index, const VtreePackEntry *entry)
{
  (void) pack;
  (void) index;
  (void) entry;
  ++*(unsigned *) context;
  return true;
}

static unsigned
count_slices (const RepoFixture *fixture, const VtreeDigest *digest)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStore) store = repo_fixture_store (fixture);
  unsigned count = 0;
  vtree_packs_find (vtree_store_packs (store), digest, VTREE_PACKS_ANY_SIZE, count_one,
                    &count, &error);
  g_assert_no_error (error);
  return count;
}

static bool
is_loose (const RepoFixture *fixture, const VtreeDigest *digest)
{
  g_autofree char *path = repo_fixture_object (fixture, digest);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static VtreeDigest
take (VtreeIngest *ingest, const void *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  vtree_ingest_bytes (ingest, data, size, &digest, &error);
  g_assert_no_error (error);
  return digest;
}

static VtreeDigest
take_manifest (VtreeIngest *ingest, const void *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  vtree_ingest_manifest (ingest, data, size, &digest, &error);
  g_assert_no_error (error);
  return digest;
}

/* --- which ------------------------------------------------------------------------ */

static const struct {
  const char *name;
  size_t size;
  uint32_t threshold;
  bool packed;
} thresholds[] = {
  { "off", 1, 0, false },
  { "one", 1, 1, true },
  { "one-more", 2, 1, false },
  { "equal", 4096, 4096, true },
  { "more", 4097, 4096, false },
  { "most", VTREE_PACK_OBJECT_MAX, VTREE_PACK_OBJECT_MAX, true },
  { "more-than-most", VTREE_PACK_OBJECT_MAX + 1, VTREE_PACK_OBJECT_MAX, false },
};

static void
test_threshold (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_autofree uint8_t *data = repo_fixture_bytes (thresholds[i].size, 1);
  g_autofree char *source = repo_fixture_source (data, thresholds[i].size);
  for (int own = 0; own < 2; own++) { /* the repository's word, and the caller's */
    g_auto (RepoFixture) fixture = { 0 };
    g_autoptr (GError) error = NULL;
    VtreeRepoOptions repo = { .digest = VTREE_DIGEST_SHA256,
                              .pack_threshold = own ? 77 : thresholds[i].threshold };
    VtreeIngestOptions options
      = { .has_threshold = own != 0, .threshold = thresholds[i].threshold };
    repo_fixture_init (&fixture, &repo);
    g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fixture.repo, &options, &error);
    g_assert_no_error (error);
    VtreeDigest digest = repo_fixture_ingest_file (ingest, source, thresholds[i].size);
    repo_fixture_seal (ingest);
    g_assert_cmpuint (count_packs (&fixture), ==, thresholds[i].packed);
    g_assert_cmpuint (vtree_ingest_packs (ingest)->len, ==, thresholds[i].packed);
    g_assert_cmpint (is_loose (&fixture, &digest), ==, !thresholds[i].packed);
    repo_fixture_check_reads (&fixture, &digest, data, thresholds[i].size);
  }
}

/* --- in what order ---------------------------------------------------------------- */

#define MANY 300

/* Contents NUMBER: at most THRESHOLD bytes. */
static size_t
make_contents (unsigned number, uint8_t data[THRESHOLD])
{
  size_t size = 4 + number % (THRESHOLD - 4);
  memset (data, (int) (number % 256), THRESHOLD);
  memcpy (data, &number, sizeof number);
  return size;
}

static VtreeDigest
digest_of (unsigned number)
{
  uint8_t data[THRESHOLD];
  VtreeDigest digest = { 0 };
  VtreeVerityParams params
    = { VTREE_DIGEST_SHA256, make_contents (number, data), -1, NULL };
  g_assert_true (vtree_verity_compute_data (&params, data, &digest, NULL));
  return digest;
}

static bool
note_offset (void *context, VtreePack *pack, uint64_t index,
             const VtreePackEntry *entry)
{
  (void) pack;
  (void) index;
  *(uint64_t *) context = entry->offset;
  return false;
}

static uint64_t
offset_of (const RepoFixture *fixture, const VtreeDigest *digest)
{
  g_autoptr (VtreeStore) store = repo_fixture_store (fixture);
  uint64_t offset = 0;
  g_assert_true (vtree_packs_find (vtree_store_packs (store), digest,
                                   VTREE_PACKS_ANY_SIZE, note_offset, &offset, NULL));
  g_assert_cmpuint (offset, !=, 0);
  return offset;
}

/* Said twice, and of what is no part of it: the first time counts. What nothing is
 * said of comes last, by digest. */
static void
test_order (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  static const unsigned told[] = { 7, 3, 11, 3, 5, 7, 1, 99 };
  static const unsigned expected[] = { 7, 3, 11, 5, 1 };
  repo_fixture_init (&fixture, &packing);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  for (unsigned i = 0; i < 20; i++) {
    uint8_t data[THRESHOLD];
    size_t size = make_contents (i, data);
    take (ingest, data, size);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (told); i++) {
    VtreeDigest digest = digest_of (told[i]);
    vtree_ingest_order (ingest, &digest);
  }
  repo_fixture_seal (ingest);
  uint64_t last = 0;
  for (size_t i = 0; i < G_N_ELEMENTS (expected); i++) {
    VtreeDigest digest = digest_of (expected[i]);
    g_assert_cmpuint (offset_of (&fixture, &digest), >, last);
    last = offset_of (&fixture, &digest);
  }
  VtreeDigest one = digest_of (0);
  for (unsigned i = 2; i < 20; i++) {
    VtreeDigest other = digest_of (i);
    if (i == 3 || i == 5 || i == 7 || i == 11)
      continue;
    g_assert_cmpuint (offset_of (&fixture, &other), >, last);
    g_assert_cmpint (offset_of (&fixture, &one) < offset_of (&fixture, &other), ==,
                     vtree_digest_compare (&one, &other) < 0);
  }
}

typedef struct {
  VtreeIngest *ingest;
  unsigned first, step;
} Worker;

static gpointer
run_worker (gpointer data)
{
  const Worker *worker = data;
  for (unsigned i = worker->first; i < MANY; i += worker->step) {
    uint8_t contents[THRESHOLD];
    unsigned number = (i * 37 + worker->step) % MANY;
    size_t size = make_contents (number, contents);
    take (worker->ingest, contents, size);
    take (worker->ingest, contents, size);
  }
  return NULL;
}

static VtreeDigest
pack_with_threads (unsigned count)
{
  g_auto (RepoFixture) fixture = { 0 };
  GThread *threads[16];
  Worker workers[16];
  repo_fixture_init (&fixture, &packing);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  for (unsigned i = 0; i < count; i++) {
    workers[i] = (Worker){ ingest, i, count };
    threads[i] = g_thread_new ("worker", run_worker, &workers[i]);
  }
  for (unsigned i = 0; i < count; i++)
    g_thread_join (threads[i]);
  for (unsigned i = 0; i < MANY; i += 2) { /* half of them; the rest by digest */
    VtreeDigest digest = digest_of ((i * 7) % MANY);
    vtree_ingest_order (ingest, &digest);
  }
  repo_fixture_seal (ingest);
  for (unsigned i = 0; i < MANY; i += 29) {
    uint8_t data[THRESHOLD];
    VtreeDigest digest = digest_of (i);
    size_t size = make_contents (i, data);
    repo_fixture_check_reads (&fixture, &digest, data, size);
  }
  g_autoptr (GArray) names = repo_fixture_packs (&fixture);
  g_assert_cmpuint (names->len, ==, 1);
  return g_array_index (names, VtreeDigest, 0);
}

static void
test_threads (void)
{
  static const unsigned counts[] = { 2, 3, 4, 8, 16 };
  VtreeDigest expected = pack_with_threads (1);
  for (size_t i = 0; i < G_N_ELEMENTS (counts); i++) {
    VtreeDigest name = pack_with_threads (counts[i]);
    vtree_test_assert_digest_equal (&name, &expected);
  }
}

/* --- what is there ---------------------------------------------------------------- */

static void
put_some (const RepoFixture *fixture, unsigned first, unsigned count,
          VtreeIngestStats *stats)
{
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (fixture);
  for (unsigned i = first; i < first + count; i++) {
    uint8_t data[THRESHOLD];
    size_t size = make_contents (i, data);
    VtreeDigest digest = take (ingest, data, size);
    vtree_ingest_order (ingest, &digest);
  }
  repo_fixture_seal (ingest);
  vtree_ingest_stats (ingest, stats);
}

static void
test_reuse (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  VtreeIngestStats stats;
  repo_fixture_init (&fixture, &packing);
  put_some (&fixture, 0, 10, &stats);
  g_assert_cmpuint (stats.new_objects, ==, 10);
  put_some (&fixture, 0, 10, &stats);
  g_assert_cmpuint (stats.new_objects, ==, 0);
  g_assert_cmpuint (stats.shared_objects, ==, 10);
  g_assert_cmpuint (count_packs (&fixture), ==, 1);
  put_some (&fixture, 5, 10, &stats); /* five of which are new */
  g_assert_cmpuint (stats.new_objects, ==, 5);
  g_assert_cmpuint (stats.shared_objects, ==, 5);
  g_assert_cmpuint (count_packs (&fixture), ==, 2);
  VtreeDigest digest = digest_of (7);
  g_assert_cmpuint (count_slices (&fixture, &digest), ==, 1);
}

/* A file of its own is as good, and is not packed beside. */
static void
test_reuse_loose (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  VtreeIngestOptions loose = { .has_threshold = true };
  g_autoptr (GError) error = NULL;
  VtreeIngestStats stats;
  uint8_t data[THRESHOLD];
  size_t size = make_contents (3, data);
  repo_fixture_init (&fixture, &packing);
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fixture.repo, &loose, &error);
  g_assert_no_error (error);
  VtreeDigest digest = take (ingest, data, size);
  repo_fixture_seal (ingest);
  g_assert_true (is_loose (&fixture, &digest));
  put_some (&fixture, 0, 10, &stats);
  g_assert_cmpuint (stats.shared_objects, ==, 1);
  g_assert_cmpuint (count_slices (&fixture, &digest), ==, 0);
}

static void
damage (const RepoFixture *fixture, unsigned number)
{
  g_autoptr (GArray) names = repo_fixture_packs (fixture);
  VtreeDigest digest = digest_of (number);
  g_autofree char *path
    = repo_fixture_pack (fixture, &g_array_index (names, VtreeDigest, 0));
  g_assert_cmpuint (names->len, ==, 1);
  repo_fixture_flip (path, (size_t) offset_of (fixture, &digest));
}

/* All is brought again: it is the same pack, by its name. */
static void
test_damaged_alone (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  VtreeIngestStats stats;
  uint8_t data[THRESHOLD];
  repo_fixture_init (&fixture, &packing);
  put_some (&fixture, 4, 1, &stats);
  damage (&fixture, 4);
  put_some (&fixture, 4, 1, &stats);
  g_assert_cmpuint (stats.replaced, ==, 1);
  g_assert_cmpuint (count_packs (&fixture), ==, 1);
  VtreeDigest digest = digest_of (4);
  repo_fixture_check_reads (&fixture, &digest, data, make_contents (4, data));
}

static void
test_damaged (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  VtreeIngestStats stats;
  repo_fixture_init (&fixture, &packing);
  put_some (&fixture, 0, 10, &stats);
  damage (&fixture, 4);
  put_some (&fixture, 0, 10, &stats);
  g_assert_cmpuint (stats.replaced, ==, 1);
  g_assert_cmpuint (stats.shared_objects, ==, 9);
  g_assert_cmpuint (count_packs (&fixture), ==, 2);
  VtreeDigest digest = digest_of (4);
  g_assert_cmpuint (count_slices (&fixture, &digest), ==, 2);
  for (unsigned i = 0; i < 10; i++) {
    uint8_t data[THRESHOLD];
    size_t size = make_contents (i, data);
    digest = digest_of (i);
    repo_fixture_check_reads (&fixture, &digest, data, size);
  }
  put_some (&fixture, 0, 10, &stats); /* one good copy is enough */
  g_assert_cmpuint (stats.shared_objects, ==, 10);
  g_assert_cmpuint (count_packs (&fixture), ==, 2);
}

/* --- manifests -------------------------------------------------------------------- */

typedef enum {
  ALONE,
  AFTER_PACK,
  BEFORE,
  AFTER,
  BETWEEN
} When;

static const struct {
  const char *name;
  When when; /* the same bytes are taken as contents */
} manifests[] = {
  { "alone", ALONE },   { "after-a-pack", AFTER_PACK }, { "after-contents", AFTER },
  { "before", BEFORE }, { "between-seals", BETWEEN },
};

static void
test_manifest (gconstpointer row)
{
  When when = manifests[GPOINTER_TO_SIZE (row)].when;
  g_auto (RepoFixture) fixture = { 0 };
  VtreeIngestStats stats;
  uint8_t data[THRESHOLD];
  size_t size = make_contents (2, data);
  repo_fixture_init (&fixture, &packing);
  if (when == AFTER_PACK)
    put_some (&fixture, 0, 5, &stats);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  if (when == AFTER || when == BETWEEN)
    take (ingest, data, size);
  if (when == BETWEEN)
    repo_fixture_seal (ingest);
  VtreeDigest digest = take_manifest (ingest, data, size);
  if (when == BEFORE)
    take (ingest, data, size);
  repo_fixture_seal (ingest);
  g_assert_true (is_loose (&fixture, &digest));
  repo_fixture_check_stored (&fixture, &digest, data, size);
  take_manifest (ingest, data, size);
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &digest, data, size);
}

static void
test_expected_manifest (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeIngestStats stats;
  uint8_t data[THRESHOLD];
  size_t size = make_contents (2, data);
  VtreeIngestExpected expected = { digest_of (2), true };
  repo_fixture_init (&fixture, &packing);
  put_some (&fixture, 0, 5, &stats);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  g_assert_true (vtree_ingest_expected_bytes (ingest, data, size, &expected, &error));
  repo_fixture_seal (ingest);
  repo_fixture_check_stored (&fixture, &expected.digest, data, size);
}

/* --- seals, and failures ---------------------------------------------------------- */

static void
test_seals (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &packing);
  VtreeIngest *ingest = repo_fixture_ingest (&fixture);
  for (unsigned i = 0; i < 5; i++) {
    uint8_t data[THRESHOLD];
    for (unsigned n = 0; n <= i; n++) { /* what was taken before is not packed again */
      size_t size = make_contents (n, data);
      take (ingest, data, size);
    }
    repo_fixture_seal (ingest);
    repo_fixture_seal (ingest); /* there is nothing to be done */
    g_assert_cmpuint (count_packs (&fixture), ==, i + 1);
    g_assert_cmpuint (vtree_ingest_packs (ingest)->len, ==, i + 1);
    VtreeDigest digest = digest_of (0);
    g_assert_cmpuint (count_slices (&fixture, &digest), ==, 1);
  }
  g_assert_cmpuint (repo_fixture_count (&fixture, "objects"), ==, 0);
  vtree_ingest_free (ingest);
  g_assert_cmpuint (repo_fixture_count (&fixture, "tmp"), ==, 0);
}

static void
test_modes (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  VtreeIngestStats stats;
  repo_fixture_init (&fixture, &packing);
  put_some (&fixture, 0, 5, &stats);
  g_autoptr (GArray) names = repo_fixture_packs (&fixture);
  g_autofree char *path
    = repo_fixture_pack (&fixture, &g_array_index (names, VtreeDigest, 0));
  g_autofree char *fanout = g_path_get_dirname (path);
  VtreeDigest said;
  g_assert_cmpuint (repo_fixture_mode (path), ==, 0444);
  g_assert_cmpuint (repo_fixture_mode (fanout), ==, 0755);
  if (repo_fixture_oracle (path, VTREE_DIGEST_SHA256, &said))
    vtree_test_assert_digest_equal (&g_array_index (names, VtreeDigest, 0), &said);
}

static bool
try_some (VtreeIngest *ingest, unsigned count, GError **error)
{
  for (unsigned i = 0; i < count; i++) {
    uint8_t data[THRESHOLD];
    VtreeDigest digest;
    size_t size = make_contents (i, data);
    if (!vtree_ingest_bytes (ingest, data, size, &digest, error))
      return false;
  }
  return vtree_ingest_seal (ingest, error) && vtree_ingest_sync (ingest, error);
}

static const struct {
  const char *name;
  VtreeTestCall call;
  int errnum;
} faults[] = {
  { "full-disk", VTREE_TEST_WRITE, ENOSPC },
  { "sync", VTREE_TEST_SYNC, EIO },
  { "read", VTREE_TEST_READ, EIO },
};

/* Whichever call fails: it is said, and nothing is left but what is whole. */
static void
test_fault (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  bool ok = false;
  for (unsigned after = 0; !ok; after++) {
    g_auto (RepoFixture) fixture = { 0 };
    g_autoptr (GError) error = NULL;
    g_assert_cmpuint (after, <, 100);
    repo_fixture_init (&fixture, &packing);
    VtreeIngest *ingest = repo_fixture_ingest (&fixture);
    vtree_test_fault_fail (faults[i].call, after, faults[i].errnum);
    ok = try_some (ingest, 5, &error);
    vtree_test_fault_clear ();
    vtree_ingest_free (ingest);
    if (!ok)
      vtree_test_assert_error (error, VTREE_ERRNO_ERROR, faults[i].errnum,
                               fixture.path);
    g_assert_cmpuint (repo_fixture_count (&fixture, "tmp"), ==, 0);
    g_assert_cmpuint (repo_fixture_count (&fixture, "objects"), ==, 0);
    bool last = faults[i].call == VTREE_TEST_SYNC && after > 0; /* after the names */
    g_assert_cmpuint (count_packs (&fixture), ==, ok || last);
  }
}

/* After a _seal that failed nothing is packed that is no more there: what was taken
 * has to be taken again, or the next _seal fails as well. The bytes in its place would
 * be those of what was taken since. */
static void
test_retry (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  repo_fixture_init (&fixture, &packing);
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  for (unsigned n = 0; n < 5; n++) {
    uint8_t data[THRESHOLD];
    size_t size = make_contents (n, data);
    take (ingest, data, size);
  }
  vtree_test_fault_fail (faults[i].call, 0, faults[i].errnum);
  g_assert_false (vtree_ingest_seal (ingest, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, faults[i].errnum, NULL);
  g_clear_error (&error);
  uint8_t other[THRESHOLD];
  size_t other_size = make_contents (95, other);
  VtreeDigest digest = take (ingest, other, other_size);
  g_assert_false (vtree_ingest_seal (ingest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED,
                           "could not be stored");
  g_clear_error (&error);
  try_some (ingest, 5, &error);
  g_assert_no_error (error);
  repo_fixture_check_reads (&fixture, &digest, other, other_size);
  for (unsigned n = 0; n < 5; n++) {
    uint8_t data[THRESHOLD];
    size_t size = make_contents (n, data);
    digest = digest_of (n);
    repo_fixture_check_reads (&fixture, &digest, data, size);
  }
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
  ADD_TABLE ("/core/ingest-pack/threshold", thresholds, test_threshold);
  g_test_add_func ("/core/ingest-pack/order", test_order);
  g_test_add_func ("/core/ingest-pack/threads", test_threads);
  g_test_add_func ("/core/ingest-pack/reuse", test_reuse);
  g_test_add_func ("/core/ingest-pack/reuse-loose", test_reuse_loose);
  g_test_add_func ("/core/ingest-pack/damaged-alone", test_damaged_alone);
  g_test_add_func ("/core/ingest-pack/damaged", test_damaged);
  ADD_TABLE ("/core/ingest-pack/manifest", manifests, test_manifest);
  g_test_add_func ("/core/ingest-pack/expected-manifest", test_expected_manifest);
  g_test_add_func ("/core/ingest-pack/seals", test_seals);
  g_test_add_func ("/core/ingest-pack/modes", test_modes);
  ADD_TABLE ("/core/ingest-pack/fault", faults, test_fault);
  ADD_TABLE ("/core/ingest-pack/retry", faults, test_retry);
  return vtree_test_run ();
}
