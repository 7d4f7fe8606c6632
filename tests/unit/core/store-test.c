/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE ((size_t) 1 << 20)

static const VtreeRepoOptions plain = { .digest = VTREE_DIGEST_SHA256 };

static VtreeStore *
open_store (const RepoFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  VtreeStore *store = vtree_store_new (fixture->repo, &error);
  g_assert_no_error (error);
  return store;
}

static void
assert_reads (const VtreeStore *store, const VtreeDigest *digest, const void *data,
              size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeObjectSpec spec
    = { .digest = *digest, .size = size, .policy = VTREE_VERITY_AUTO };
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, &error);
  g_assert_no_error (error);
  g_autofree uint8_t *read = g_malloc (size);
  size_t got = 0;
  vtree_object_read (object, read, size, 0, &got, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (got, ==, size);
  g_assert_cmpint (memcmp (read, data, size), ==, 0);
}

static void
test_open_object (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeStore) store = open_store (&fixture);
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE, 1);
  VtreeDigest small = repo_fixture_put (&fixture, data, 10);
  VtreeDigest large = repo_fixture_put (&fixture, data, LARGE);
  assert_reads (store, &small, data, 10);
  assert_reads (store, &large, data, LARGE);
}

/* The same through a path: of the repository, and of its objects/ alone. */
static void
test_open_paths (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE, 1);
  VtreeDigest large = repo_fixture_put (&fixture, data, LARGE);
  g_autofree char *objects = repo_fixture_path (&fixture, "objects");
  const char *paths[] = { fixture.path, objects };
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreeStore) store
      = vtree_store_open (paths[i], VTREE_DIGEST_SHA256, &error);
    g_assert_no_error (error);
    assert_reads (store, &large, data, LARGE);
  }
}

static void
test_open_nothing (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *absent = g_build_filename (dir, "absent", NULL);
  g_autofree char *file = g_build_filename (dir, "file", NULL);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_store_open (absent, VTREE_DIGEST_SHA256, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, absent);
  g_clear_error (&error);
  g_assert_null (vtree_store_open (file, VTREE_DIGEST_SHA256, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOTDIR, file);
}

/* --- what an attacker leaves in an object's place --------------------------------- */

static void
make_missing (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
make_symlink (const char *path)
{
  g_autofree char *other = g_strconcat (path, "x", NULL);
  g_assert_cmpint (g_rename (path, other), ==, 0);
  g_assert_cmpint (symlink (other, path), ==, 0);
}

static void
make_fifo (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (mkfifo (path, 0644), ==, 0);
}

static void
make_directory (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_mkdir (path, 0755), ==, 0);
}

static void
make_fanout_symlink (const char *path)
{
  g_autofree char *fanout = g_path_get_dirname (path);
  make_symlink (fanout);
}

static void
make_longer (const char *path)
{
  g_assert_cmpint (truncate (path, 20), ==, 0);
}

static void
make_flipped (const char *path)
{
  repo_fixture_flip (path, 3);
}

static const struct {
  const char *name;
  void (*damage) (const char *path);
  VtreeErrorCode code;
  VtreeStoreVerdict verdict;
} damages[] = {
  { "missing", make_missing, VTREE_ERROR_MISSING, VTREE_STORE_MISSING },
  { "symlink", make_symlink, VTREE_ERROR_CORRUPT, VTREE_STORE_CORRUPT },
  { "fifo", make_fifo, VTREE_ERROR_CORRUPT, VTREE_STORE_CORRUPT },
  { "directory", make_directory, VTREE_ERROR_CORRUPT, VTREE_STORE_CORRUPT },
  { "fan-out-symlink", make_fanout_symlink, VTREE_ERROR_CORRUPT, VTREE_STORE_CORRUPT },
  { "longer", make_longer, VTREE_ERROR_CORRUPT, VTREE_STORE_CORRUPT },
  { "flipped", make_flipped, VTREE_ERROR_CORRUPT, VTREE_STORE_CORRUPT },
};

static void
test_damaged (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  VtreeDigest digest = repo_fixture_put (&fixture, "0123456789", 10);
  g_autofree char *path = repo_fixture_object (&fixture, &digest);
  damages[i].damage (path);
  g_autoptr (VtreeStore) store = open_store (&fixture);
  g_autoptr (GError) error = NULL;
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeObjectSpec spec = { .digest = digest, .size = 10, .policy = VTREE_VERITY_AUTO };
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, &error);
  if (object != NULL)
    g_assert_false (vtree_object_measure (object, &error));
  vtree_test_assert_error (error, VTREE_ERROR, (int) damages[i].code,
                           vtree_digest_format (&digest, text));
  g_clear_error (&error);

  VtreeStoreVerdict verdict;
  g_autofree char *message = NULL;
  g_assert_true (
    vtree_store_check_object (store, &digest, 10, &verdict, &message, &error));
  g_assert_cmpint (verdict, ==, damages[i].verdict);
  g_assert_nonnull (message);
}

/* --- full check ------------------------------------------------------------------- */

static VtreeStoreVerdict
check (const RepoFixture *fixture, const VtreeDigest *digest, uint64_t size)
{
  g_autoptr (VtreeStore) store = open_store (fixture);
  g_autoptr (GError) error = NULL;
  g_autofree char *message = NULL;
  VtreeStoreVerdict verdict;
  vtree_store_check_object (store, digest, size, &verdict, &message, &error);
  g_assert_no_error (error);
  g_assert_cmpint (message != NULL, ==, verdict != VTREE_STORE_GOOD);
  return verdict;
}

static void
test_check (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE + 5, 1);
  VtreeDigest digest = repo_fixture_put (&fixture, data, LARGE + 5);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  g_assert_cmpint (check (&fixture, &digest, LARGE + 5), ==, VTREE_STORE_GOOD);
  g_assert_cmpint (check (&fixture, &digest, VTREE_STORE_ANY_SIZE), ==,
                   VTREE_STORE_GOOD);
  g_assert_cmpint (check (&fixture, &digest, LARGE + 6), ==, VTREE_STORE_CORRUPT);
  g_assert_cmpint (check (&fixture, &digest, LARGE + 5), ==, VTREE_STORE_GOOD);
  repo_fixture_flip (object, LARGE + 4); /* the last byte */
  g_assert_cmpint (check (&fixture, &digest, LARGE + 5), ==, VTREE_STORE_CORRUPT);
  repo_fixture_flip (object, LARGE + 4);
  static const size_t places[] = { 0, 17, 4095, 4096, 8192, 3 * 4096 + 32 };
  for (size_t i = 0; i < G_N_ELEMENTS (places); i++) {
    repo_fixture_flip (merkle, places[i]);
    g_assert_cmpint (check (&fixture, &digest, LARGE + 5), ==, VTREE_STORE_BAD_MERKLE);
    repo_fixture_flip (merkle, places[i]);
  }
  g_assert_cmpint (g_unlink (merkle), ==, 0);
  g_assert_cmpint (check (&fixture, &digest, LARGE + 5), ==, VTREE_STORE_GOOD);
}

/* --- listing and removing --------------------------------------------------------- */

static bool
collect (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  (void) error;
  GHashTable *found = context;
  g_hash_table_insert (found, vtree_digest_dup (digest), GSIZE_TO_POINTER (size));
  return true;
}

static bool
stop (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  (void) digest;
  (void) size;
  unsigned *calls = context;
  ++*calls;
  return vtree_error_set (error, VTREE_ERROR_FAILED, "enough");
}

static GHashTable *
list (const VtreeStore *store, bool merkle)
{
  g_autoptr (GError) error = NULL;
  GHashTable *found
    = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func, g_free, NULL);
  bool ok = merkle ? vtree_store_foreach_merkle (store, collect, found, &error)
                   : vtree_store_foreach (store, collect, found, &error);
  g_assert_no_error (error);
  g_assert_true (ok);
  return found;
}

static void
add_strangers (const RepoFixture *fixture)
{
  static const char *const names[]
    = { "objects/readme", "objects/aa/short", "objects/zz/x" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = repo_fixture_path (fixture, names[i]);
    g_autofree char *dir = g_path_get_dirname (path);
    g_mkdir_with_parents (dir, 0755);
    g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  }
}

static void
test_foreach (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  add_strangers (&fixture);
  for (unsigned i = 0; i < 600; i++)
    repo_fixture_put (&fixture, &i, 3 + i % 2);
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE, 1);
  VtreeDigest large = repo_fixture_put (&fixture, data, LARGE);
  g_autoptr (VtreeStore) store = open_store (&fixture);
  g_autoptr (GHashTable) objects = list (store, false);
  g_autoptr (GHashTable) merkle = list (store, true);
  g_assert_cmpuint (g_hash_table_size (objects), ==, 601);
  g_assert_cmpuint (GPOINTER_TO_SIZE (g_hash_table_lookup (objects, &large)), ==,
                    LARGE);
  g_assert_cmpuint (g_hash_table_size (merkle), ==, 1);
  g_assert_true (g_hash_table_contains (merkle, &large));
  unsigned calls = 0;
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_store_foreach (store, stop, &calls, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "enough");
  g_assert_cmpuint (calls, ==, 1);
}

static void
test_remove (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE, 1);
  VtreeDigest large = repo_fixture_put (&fixture, data, LARGE);
  VtreeDigest kept = repo_fixture_put (&fixture, data, 1);
  VtreeDigest directory = repo_fixture_put (&fixture, data, 2);
  g_autofree char *path = repo_fixture_object (&fixture, &directory);
  g_autofree char *inner = g_build_filename (path, "inner", NULL);
  make_missing (path);
  g_assert_cmpint (g_mkdir_with_parents (inner, 0755), ==, 0);
  g_autoptr (VtreeStore) store = open_store (&fixture);
  g_autoptr (GError) error = NULL;
  for (int i = 0; i < 2; i++) { /* the second time they are absent */
    g_assert_true (vtree_store_remove (store, &large, &error));
    g_assert_true (vtree_store_remove (store, &directory, &error));
  }
  g_autoptr (GHashTable) objects = list (store, false);
  g_autoptr (GHashTable) merkle = list (store, true);
  g_assert_cmpuint (g_hash_table_size (objects), ==, 1);
  g_assert_true (g_hash_table_contains (objects, &kept));
  g_assert_cmpuint (g_hash_table_size (merkle), ==, 0);
}

/* What is held can't be locked by a gc; what a gc has removed can't be held. */
static void
test_hold (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (VtreeStore) store = open_store (&fixture);
  VtreeDigest digest = repo_fixture_put (&fixture, "held", 4);
  VtreeObjectSpec spec = { .digest = digest, .size = 4, .policy = VTREE_VERITY_AUTO };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, &error);
  g_autoptr (VtreeObject) late = vtree_store_open_object (store, &spec, &error);
  g_assert_no_error (error);
  g_assert_true (vtree_object_hold (object, 0, &error));
  g_auto (VtreeFd) fd = -1;
  g_assert_true (vtree_store_open_raw (store, &digest, &fd, &error));
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, -1);
  g_clear_pointer (&object, vtree_object_unref);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, 0);
  g_assert_false (vtree_object_hold (late, 0, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, "lock");
  g_clear_error (&error);
  g_assert_true (vtree_store_remove (store, &digest, &error));
  vtree_fd_replace_take (&fd, -1);
  g_assert_false (vtree_object_hold (late, 0, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "was removed");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/store/open-object", test_open_object);
  g_test_add_func ("/core/store/open-paths", test_open_paths);
  g_test_add_func ("/core/store/open-nothing", test_open_nothing);
  for (size_t i = 0; i < G_N_ELEMENTS (damages); i++) {
    g_autofree char *path = g_strdup_printf ("/core/store/damaged/%s", damages[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_damaged);
  }
  g_test_add_func ("/core/store/check", test_check);
  g_test_add_func ("/core/store/foreach", test_foreach);
  g_test_add_func ("/core/store/remove", test_remove);
  g_test_add_func ("/core/store/hold", test_hold);
  return vtree_test_run ();
}
