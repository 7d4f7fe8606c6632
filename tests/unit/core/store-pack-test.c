/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects in packs, found, opened, checked and sealed as those that are files of their
 * own; and objects that go from the one to the other while a store is open.
 */
#include "core/verity.h"
#include "tests/unit/core/fake-kernel.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>

static const VtreeRepoOptions packing
  = { .digest = VTREE_DIGEST_SHA256, .pack_threshold = 4096 };

#define COUNT 5
#define SIZE 1000

/* Contents NUMBER. */
static uint8_t *
contents (unsigned number)
{
  return repo_fixture_bytes (SIZE, 100 + number);
}

static void
setup (RepoFixture *fixture)
{
  fake_kernel_begin ();
  fake_kernel.supported = false;
  repo_fixture_init (fixture, &packing);
}

/* Puts COUNT contents into a pack, also those that are loose, or in a pack in LEAVING.
 */
static void
put_packed (const RepoFixture *fixture, GHashTable *leaving, unsigned count)
{
  g_autoptr (GError) error = NULL;
  VtreeIngestOptions options = { .leaving = leaving };
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fixture->repo, &options, &error);
  g_assert_no_error (error);
  for (unsigned i = 0; i < count; i++) {
    g_autofree uint8_t *data = contents (i);
    VtreeDigest digest;
    vtree_ingest_bytes (ingest, data, SIZE, &digest, &error);
    g_assert_no_error (error);
    vtree_ingest_order (ingest, &digest);
  }
  repo_fixture_seal (ingest);
}

/* …as a file of its own, wherever else it is. */
static VtreeDigest
put_loose (const RepoFixture *fixture, unsigned number)
{
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (fixture);
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *data = contents (number);
  VtreeDigest digest = { 0 };
  vtree_ingest_manifest (ingest, data, SIZE, &digest, &error);
  g_assert_no_error (error);
  repo_fixture_seal (ingest);
  return digest;
}

static VtreeDigest
digest_of (unsigned number)
{
  VtreeDigest digest = { 0 };
  g_autofree uint8_t *data = contents (number);
  VtreeVerityParams params = { VTREE_DIGEST_SHA256, SIZE, -1, NULL };
  g_assert_true (vtree_verity_compute_data (&params, data, &digest, NULL));
  return digest;
}

static char *
only_pack (const RepoFixture *fixture)
{
  g_autoptr (GArray) names = repo_fixture_packs (fixture);
  g_assert_cmpuint (names->len, ==, 1);
  return repo_fixture_pack (fixture, &g_array_index (names, VtreeDigest, 0));
}

/* By other hands than those of the store that is looked at. */
static void
remove_packs (const RepoFixture *fixture, const GArray *names)
{
  g_autoptr (VtreeStore) store = repo_fixture_store (fixture);
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < names->len; i++) {
    vtree_packs_remove (vtree_store_packs (store),
                        &g_array_index (names, VtreeDigest, i), &error);
    g_assert_no_error (error);
  }
}

static void
remove_loose (const RepoFixture *fixture, const VtreeDigest *digest)
{
  g_autoptr (VtreeStore) store = repo_fixture_store (fixture);
  g_autoptr (GError) error = NULL;
  vtree_store_remove (store, digest, &error);
  g_assert_no_error (error);
}

static VtreeObject *
try_open (const VtreeStore *store, unsigned number, VtreeVerityPolicy policy,
          GError **error)
{
  VtreeObjectSpec spec
    = { .digest = digest_of (number), .size = SIZE, .policy = policy };
  return vtree_store_open_object (store, &spec, error);
}

static void
assert_reads (const VtreeStore *store, unsigned number)
{
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *expected = contents (number);
  uint8_t data[SIZE + 1];
  size_t got;
  g_autoptr (VtreeObject) object = try_open (store, number, VTREE_VERITY_AUTO, &error);
  g_assert_no_error (error);
  vtree_object_read (object, data, sizeof data, 0, &got, &error);
  g_assert_no_error (error);
  vtree_test_assert_bytes (data, got, expected, SIZE);
}

static bool
finds (const VtreeStore *store, unsigned number)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = digest_of (number);
  bool found;
  uint64_t size = 0;
  vtree_store_find (store, &digest, &found, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, found ? SIZE : 0);
  return found;
}

static VtreeStoreVerdict
check (const VtreeStore *store, unsigned number)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;
  VtreeDigest digest = digest_of (number);
  VtreeStoreVerdict verdict, any;
  vtree_store_check_object (store, &digest, SIZE, &verdict, &message, &error);
  g_assert_no_error (error);
  g_assert_cmpint (message != NULL, ==, verdict != VTREE_STORE_GOOD);
  g_clear_pointer (&message, g_free);
  vtree_store_check_object (store, &digest, VTREE_STORE_ANY_SIZE, &any, &message,
                            &error);
  g_assert_no_error (error);
  g_assert_cmpint (any, ==, verdict);
  return verdict;
}

static VtreeStoreVerdict
check_slice (const VtreeStore *store, unsigned number)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;
  VtreeDigest digest = digest_of (number);
  VtreeStoreVerdict verdict;
  vtree_store_check_slice (store, &digest, SIZE, &verdict, &message, &error);
  g_assert_no_error (error);
  return verdict;
}

/* --- packed, loose, both ---------------------------------------------------------- */

static void
test_packed (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  for (unsigned i = 0; i < COUNT; i++) {
    g_assert_true (finds (store, i));
    assert_reads (store, i);
    g_assert_cmpint (check (store, i), ==, VTREE_STORE_GOOD);
    g_assert_cmpint (check_slice (store, i), ==, VTREE_STORE_GOOD);
  }
  g_assert_false (finds (store, COUNT));
  g_assert_cmpint (check (store, COUNT), ==, VTREE_STORE_MISSING);
  g_assert_cmpint (check_slice (store, COUNT), ==, VTREE_STORE_MISSING);
}

/* --- many at once ----------------------------------------------------------------- */

/* Loads contents 0 to COUNT - 1, the last one first; a bit for each that came. */
static unsigned
load (const VtreeStore *store, unsigned count, VtreeVerityPolicy policy)
{
  VtreeStoreLoad loads[COUNT + 2] = { 0 };
  uint8_t data[COUNT + 2][SIZE];
  unsigned came = 0;
  for (unsigned i = 0; i < count; i++)
    loads[i] = (VtreeStoreLoad){ digest_of (count - 1 - i), SIZE, data[i], true };
  vtree_store_load (store, loads, count, policy);
  for (unsigned i = 0; i < count; i++) {
    g_autofree uint8_t *expected = contents (count - 1 - i);
    came |= (loads[i].loaded ? 1U : 0U) << (count - 1 - i);
    if (loads[i].loaded)
      vtree_test_assert_bytes (data[i], SIZE, expected, SIZE);
  }
  return came;
}

/* From a pack, from a file of its own, and what is nowhere. */
static void
test_load (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  put_loose (&fixture, COUNT);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  unsigned all = (1U << (COUNT + 1)) - 1;
  g_assert_cmpuint (load (store, COUNT + 2, VTREE_VERITY_AUTO), ==, all);
  g_assert_cmpuint (load (store, COUNT + 2, VTREE_VERITY_OFF), ==, all);
  g_assert_cmpuint (load (store, COUNT + 2, VTREE_VERITY_REQUIRE), ==, 0);
}

/* One that is damaged does not come, and all beside it do; nor does what lies behind
 * the end of the pack. */
static void
test_load_damaged (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autofree char *pack = only_pack (&fixture);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  repo_fixture_flip (pack, VTREE_PACK_HEADER_SIZE + 2 * SIZE + SIZE / 2);
  unsigned all = (1U << COUNT) - 1;
  g_assert_cmpuint (load (store, COUNT, VTREE_VERITY_AUTO), ==, all & ~4U);
  put_loose (&fixture, 2);
  g_assert_cmpuint (load (store, COUNT, VTREE_VERITY_AUTO), ==, all);
}

/* What has to be locked is no slice. */
static void
test_own_file (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  VtreeObjectSpec spec = { .digest = digest_of (1), .size = SIZE, .own_file = true };
  g_auto (VtreeFd) fd = -1;
  g_assert_null (vtree_store_open_object (store, &spec, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "not in the store");
  g_clear_error (&error);
  g_assert_true (vtree_store_open_raw (store, &spec.digest, &fd, &error));
  g_assert_cmpint (fd, <, 0);
  put_loose (&fixture, 1);
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, &error);
  g_assert_no_error (error);
  g_assert_cmpint (vtree_object_peek_fd (object), >=, 0);
}

static const struct {
  const char *name;
  bool packed, loose, bad_slice, bad_file;
  VtreeStoreVerdict verdict, slice;
  int open; /* VTREE_ERROR, -1: it is read */
} copies[] = {
  { "packed", 1, 0, 0, 0, VTREE_STORE_GOOD, VTREE_STORE_GOOD, -1 },
  { "packed-bad", 1, 0, 1, 0, VTREE_STORE_CORRUPT, VTREE_STORE_CORRUPT,
    VTREE_ERROR_CORRUPT },
  { "both", 1, 1, 0, 0, VTREE_STORE_GOOD, VTREE_STORE_GOOD, -1 },
  { "both-bad-slice", 1, 1, 1, 0, VTREE_STORE_GOOD, VTREE_STORE_CORRUPT, -1 },
  { "both-bad-file", 1, 1, 0, 1, VTREE_STORE_CORRUPT, VTREE_STORE_GOOD, -1 },
  { "loose", 0, 1, 0, 0, VTREE_STORE_GOOD, VTREE_STORE_MISSING, -1 },
  { "none", 0, 0, 0, 0, VTREE_STORE_MISSING, VTREE_STORE_MISSING, VTREE_ERROR_MISSING },
};

static void
test_copies (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = digest_of (0);
  setup (&fixture);
  if (copies[i].packed)
    put_packed (&fixture, NULL, 1);
  if (copies[i].loose)
    put_loose (&fixture, 0);
  g_autofree char *pack = copies[i].packed ? only_pack (&fixture) : NULL;
  g_autofree char *file = repo_fixture_object (&fixture, &digest);
  if (copies[i].bad_slice)
    repo_fixture_flip (pack, VTREE_PACK_HEADER_SIZE + 5);
  if (copies[i].bad_file)
    repo_fixture_flip (file, 5);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  g_assert_cmpint (check (store, 0), ==, copies[i].verdict);
  g_assert_cmpint (check_slice (store, 0), ==, copies[i].slice);
  g_assert_cmpint (finds (store, 0), ==, copies[i].packed || copies[i].loose);
  if (copies[i].open < 0) {
    assert_reads (store, 0);
    return;
  }
  g_assert_null (try_open (store, 0, VTREE_VERITY_AUTO, &error));
  vtree_test_assert_error (error, VTREE_ERROR, copies[i].open, NULL);
}

/* Two packs have it, one of them damaged, whichever is asked first. */
static void
test_two_packs (void)
{
  for (unsigned bad = 0; bad < 2; bad++) {
    g_auto (RepoFixture) fixture = { 0 };
    g_autoptr (GHashTable) leaving
      = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
    setup (&fixture);
    put_packed (&fixture, NULL, 1);
    g_autoptr (GArray) old = repo_fixture_packs (&fixture);
    g_hash_table_add (leaving, &g_array_index (old, VtreeDigest, 0));
    put_packed (&fixture, leaving, 2);
    g_autoptr (GArray) names = repo_fixture_packs (&fixture);
    g_assert_cmpuint (names->len, ==, 2);
    g_autofree char *path
      = repo_fixture_pack (&fixture, &g_array_index (names, VtreeDigest, bad));
    repo_fixture_flip (path, VTREE_PACK_HEADER_SIZE + 5);
    g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
    assert_reads (store, 0);
    g_assert_cmpint (check (store, 0), ==, VTREE_STORE_GOOD);
  }
}

/* --- moving ----------------------------------------------------------------------- */

/* Each is another look at a store that was open all the time. */
typedef enum {
  OPENS,
  FINDS,
  CHECKS,
  CHECKS_SLICE
} Look;

static const char *const look_names[] = { "open", "find", "check", "check-slice" };

static void
look (const VtreeStore *store, unsigned number, Look how)
{
  if (how == OPENS)
    assert_reads (store, number);
  else if (how == FINDS)
    g_assert_true (finds (store, number));
  else if (how == CHECKS)
    g_assert_cmpint (check (store, number), ==, VTREE_STORE_GOOD);
  else
    g_assert_cmpint (check_slice (store, number), ==, VTREE_STORE_GOOD);
}

static void
test_into_pack (gconstpointer row)
{
  Look how = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GHashTable) leaving
    = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
  setup (&fixture);
  put_loose (&fixture, 0);
  VtreeDigest digest = put_loose (&fixture, 1);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  assert_reads (store, 0);
  assert_reads (store, 1);
  put_packed (&fixture, leaving, 2);
  remove_loose (&fixture, &digest);
  look (store, 1, how);
  look (store, 0, how);
}

static void
test_out_of_pack (gconstpointer row)
{
  Look how = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  g_autoptr (VtreeStore) late = repo_fixture_store (&fixture);
  assert_reads (store, 0);
  g_assert_false (finds (late, COUNT)); /* it has opened the pack, or will not */
  g_autoptr (GArray) names = repo_fixture_packs (&fixture);
  for (unsigned i = 0; i < COUNT; i++)
    put_loose (&fixture, i);
  remove_packs (&fixture, names);
  for (unsigned i = 0; i < COUNT; i++) {
    look (store, i, how);
    look (late, i, how);
  }
}

/* From two packs into one, back and forth, as repacks do. */
static void
test_other_pack (gconstpointer row)
{
  Look how = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  put_packed (&fixture, NULL, 1);
  put_packed (&fixture, NULL, COUNT);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  for (unsigned round = 0; round < 6; round++) {
    g_autoptr (GHashTable) leaving
      = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
    g_autoptr (GArray) names = repo_fixture_packs (&fixture);
    for (guint i = 0; i < names->len; i++)
      g_hash_table_add (leaving, &g_array_index (names, VtreeDigest, i));
    put_packed (&fixture, leaving, COUNT + round + 1);
    remove_packs (&fixture, names);
    look (store, round % COUNT, how);
    look (store, COUNT + round, how);
  }
}

/* --- threads ---------------------------------------------------------------------- */

typedef struct {
  const VtreeStore *store;
  gint stop; /* atomic */
  gint read;
} Reader;

static gpointer
run_reader (gpointer data)
{
  Reader *reader = data;
  for (unsigned i = 0; !g_atomic_int_get (&reader->stop); i++) {
    assert_reads (reader->store, i % COUNT);
    g_atomic_int_inc (&reader->read);
  }
  return NULL;
}

/* Nobody misses anything while all of it moves to and fro. */
static void
test_threads (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  GThread *threads[3];
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  Reader reader = { .store = store };
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("reader", run_reader, &reader);
  for (unsigned round = 0; round < 25; round++) {
    g_autoptr (GArray) names = repo_fixture_packs (&fixture);
    g_autoptr (GHashTable) leaving
      = g_hash_table_new (vtree_digest_hash, vtree_digest_equal_func);
    for (unsigned i = 0; i < COUNT; i++)
      put_loose (&fixture, i);
    remove_packs (&fixture, names);
    put_packed (&fixture, leaving, COUNT + round % 2);
    for (unsigned i = 0; i < COUNT; i++) {
      VtreeDigest digest = digest_of (i);
      remove_loose (&fixture, &digest);
    }
  }
  g_atomic_int_set (&reader.stop, 1);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (reader.read, >, 0);
}

/* --- the kernel's verity ---------------------------------------------------------- */

static VtreeStoreSealing
seal (const VtreeStore *store, unsigned number)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = digest_of (number);
  VtreeStoreSealed sealed = { 0 };
  vtree_store_seal_object (store, &digest, SIZE, NULL, &sealed, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sealed.verdict, ==, VTREE_STORE_GOOD);
  g_assert_cmpint (sealed.unsealed != NULL, ==,
                   sealed.sealing == VTREE_STORE_NOT_SEALED);
  vtree_store_sealed_clear (&sealed);
  return sealed.sealing;
}

static void
test_seal (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autofree char *path = only_pack (&fixture);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  g_assert_null (try_open (store, 0, VTREE_VERITY_REQUIRE, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED, "require");
  g_clear_error (&error);
  g_assert_cmpint (seal (store, 0), ==, VTREE_STORE_NOT_SEALED);
  fake_kernel.supported = true;
  g_assert_cmpint (seal (store, 0), ==, VTREE_STORE_SEALED_NOW);
  g_assert_true (fake_kernel_enforces (path));
  g_assert_cmpuint (repo_fixture_mode (path), ==, 0444);
  g_autoptr (VtreeStore) again = repo_fixture_store (&fixture);
  g_assert_cmpint (seal (again, 0), ==, VTREE_STORE_SEALED_BEFORE);
  g_assert_cmpint (seal (again, 1), ==, VTREE_STORE_SEALED_BEFORE);
  g_assert_cmpuint (fake_kernel.enabled, ==, 1);
  g_autoptr (VtreeObject) object = try_open (again, 0, VTREE_VERITY_REQUIRE, &error);
  g_assert_no_error (error);
  g_assert_cmpint (vtree_object_enforcer (object), ==, VTREE_ENFORCER_KERNEL);
}

/* Who requires the kernel's word takes the copy that has it. */
static void
test_require_takes_file (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  fake_kernel.supported = true;
  fake_kernel.in_place_errnum = EOPNOTSUPP; /* the pack stays as it is */
  put_loose (&fixture, 2);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  g_autoptr (VtreeObject) object = try_open (store, 2, VTREE_VERITY_REQUIRE, &error);
  g_assert_no_error (error);
  g_assert_cmpint (vtree_object_peek_fd (object), >=, 0);
}

/* A commit seals the packs that it meets; where that can't be, it makes another. */
static void
test_ingest_seals (gconstpointer row)
{
  bool able = GPOINTER_TO_SIZE (row) == 0;
  g_auto (RepoFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  setup (&fixture);
  put_packed (&fixture, NULL, COUNT);
  g_autofree char *path = only_pack (&fixture);
  fake_kernel.supported = true;
  fake_kernel.in_place_errnum = able ? 0 : EOPNOTSUPP;
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture);
  for (unsigned i = 0; i < COUNT - 1; i++) {
    g_autofree uint8_t *data = contents (i);
    VtreeDigest digest;
    vtree_ingest_bytes (ingest, data, SIZE, &digest, &error);
    g_assert_no_error (error);
  }
  repo_fixture_seal (ingest);
  g_autoptr (GArray) names = repo_fixture_packs (&fixture);
  g_assert_cmpuint (names->len, ==, able ? 1 : 2);
  g_assert_cmpint (fake_kernel_enforces (path), ==, able);
  g_autoptr (VtreeStore) store = repo_fixture_store (&fixture);
  g_autoptr (VtreeObject) object = try_open (store, 1, VTREE_VERITY_REQUIRE, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/store-pack/packed", test_packed);
  g_test_add_func ("/core/store-pack/load", test_load);
  g_test_add_func ("/core/store-pack/load-damaged", test_load_damaged);
  g_test_add_func ("/core/store-pack/own-file", test_own_file);
  for (size_t i = 0; i < G_N_ELEMENTS (copies); i++) {
    g_autofree char *path
      = g_strdup_printf ("/core/store-pack/copies/%s", copies[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_copies);
  }
  g_test_add_func ("/core/store-pack/two-packs", test_two_packs);
  for (size_t i = 0; i < G_N_ELEMENTS (look_names); i++) {
    g_autofree char *into
      = g_strdup_printf ("/core/store-pack/into-pack/%s", look_names[i]);
    g_autofree char *out
      = g_strdup_printf ("/core/store-pack/out-of-pack/%s", look_names[i]);
    g_autofree char *other
      = g_strdup_printf ("/core/store-pack/other-pack/%s", look_names[i]);
    g_test_add_data_func (into, GSIZE_TO_POINTER (i), test_into_pack);
    if (i != CHECKS_SLICE)
      g_test_add_data_func (out, GSIZE_TO_POINTER (i), test_out_of_pack);
    g_test_add_data_func (other, GSIZE_TO_POINTER (i), test_other_pack);
  }
  g_test_add_func ("/core/store-pack/threads", test_threads);
  g_test_add_func ("/core/store-pack/seal", test_seal);
  g_test_add_func ("/core/store-pack/require-takes-file", test_require_takes_file);
  g_test_add_data_func ("/core/store-pack/ingest-seals", GSIZE_TO_POINTER (0),
                        test_ingest_seals);
  g_test_add_data_func ("/core/store-pack/ingest-unable", GSIZE_TO_POINTER (1),
                        test_ingest_seals);
  int status = vtree_test_run ();
  fake_kernel_end ();
  return status;
}
