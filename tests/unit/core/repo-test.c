/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/core/repo-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const VtreeRepoOptions plain = { .digest = VTREE_DIGEST_SHA256 };

static void
write_file (const RepoFixture *fixture, const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = repo_fixture_path (fixture, name);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/* --- init ------------------------------------------------------------------------- */

static const struct {
  const char *name;
  VtreeRepoOptions options;
  unsigned mode;
} inits[] = {
  { "plain", { VTREE_DIGEST_SHA256, VTREE_VERITY_AUTO, false, 0 }, 0700 },
  { "sha512", { VTREE_DIGEST_SHA512, VTREE_VERITY_REQUIRE, false, 4096 }, 0700 },
  { "shared", { VTREE_DIGEST_SHA256, VTREE_VERITY_OFF, true, 65536 }, 0755 },
};

static void
test_init (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  mode_t old = umask (077); /* the modes are exact, whatever the umask is */
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &inits[i].options);
  umask (old);
  const VtreeRepoOptions *found = vtree_repo_options (fixture.repo);
  g_assert_cmpint (found->digest, ==, inits[i].options.digest);
  g_assert_cmpint (found->verity, ==, inits[i].options.verity);
  g_assert_cmpint (found->shared, ==, inits[i].options.shared);
  g_assert_cmpuint (found->pack_threshold, ==, inits[i].options.pack_threshold);
  g_assert_cmpint (repo_fixture_mode (fixture.path), ==, inits[i].mode);
  static const char *const names[] = { "objects", "packs", "merkle", "refs", "tmp" };
  for (size_t n = 0; n < G_N_ELEMENTS (names); n++) {
    g_autofree char *path = repo_fixture_path (&fixture, names[n]);
    g_assert_cmpint (repo_fixture_mode (path), ==, 0755);
  }
  g_autofree char *lock = repo_fixture_path (&fixture, "lock");
  g_assert_cmpint (repo_fixture_mode (lock), ==, 0644);
  g_assert_cmpstr (vtree_repo_path (fixture.repo), ==, fixture.path);
}

static void
test_init_over_repository (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_repo_init (fixture.path, &plain, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID,
                           "already is a repository");
}

static void
test_init_over_other_files (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *file = g_build_filename (dir, "my\nletters", NULL);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_repo_init (dir, &plain, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "my\\nletters");
  g_clear_error (&error);
  g_assert_false (vtree_repo_init (file, &plain, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOTDIR, NULL);
  g_assert_true (g_file_test (file, G_FILE_TEST_IS_REGULAR));
}

/* Each prefix of what init makes, as a kill leaves it. */
static void
test_init_completes (void)
{
  static const char *const steps[] = { "merkle", "objects", "packs", "refs", "tmp" };
  for (size_t n = 0; n <= G_N_ELEMENTS (steps); n++) {
    g_autofree char *dir = vtree_test_make_dir ();
    for (size_t i = 0; i < n; i++) {
      g_autofree char *path = g_build_filename (dir, steps[i], NULL);
      g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
    }
    g_autofree char *temp = g_build_filename (dir, ".tmp-0123456789abcdef", NULL);
    g_assert_true (g_file_set_contents (temp, "[core]\n", -1, NULL));
    g_autoptr (GError) error = NULL;
    g_assert_null (vtree_repo_open (dir, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "vtree init");
    g_clear_error (&error);
    vtree_repo_init (dir, &plain, &error);
    g_assert_no_error (error);
    g_autoptr (VtreeRepo) repo = vtree_repo_open (dir, &error);
    g_assert_no_error (error);
  }
}

static void
test_init_reports_sync (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (GError) error = NULL;
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EIO);
  bool ok = vtree_repo_init (dir, &plain, &error);
  vtree_test_fault_clear ();
  g_assert_false (ok);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, dir);
}

/* --- open ------------------------------------------------------------------------- */

static const struct {
  const char *name;
  const char *config;
  VtreeErrorCode code;
  const char *part;
} configs[] = {
  { "empty", "", VTREE_ERROR_CORRUPT, "not a text file" },
  { "no-group", "version=1\n", VTREE_ERROR_CORRUPT, "configuration" },
  { "no-version", "[core]\ndigest=sha256\n", VTREE_ERROR_CORRUPT, "no valid version" },
  { "version-word", "[core]\nversion=one\n", VTREE_ERROR_CORRUPT, "no valid version" },
  { "version-0", "[core]\nversion=0\n", VTREE_ERROR_CORRUPT, "no valid version" },
  { "version-2", "[core]\nversion=2\n", VTREE_ERROR_UNSUPPORTED, "version 2" },
  { "feature", "[core]\nversion=1\nfeatures=zeal\n", VTREE_ERROR_UNSUPPORTED, "zeal" },
  { "feature-not-utf8", "[core]\nversion=1\nfeatures=\xff\n", VTREE_ERROR_UNSUPPORTED,
    "\\xff" },
  { "digest", "[core]\nversion=1\ndigest=md5\n", VTREE_ERROR_CORRUPT, "md5" },
  { "verity", "[core]\nversion=1\nverity=maybe\n", VTREE_ERROR_CORRUPT, "maybe" },
  { "shared", "[core]\nversion=1\nshared=1\n", VTREE_ERROR_CORRUPT, "true or false" },
  { "keep", "[core]\nversion=1\nkeep=0\n", VTREE_ERROR_CORRUPT, "1 to 1000000" },
  { "not-utf8", "[core]\nversion=1\nverity=\xff\n", VTREE_ERROR_CORRUPT, NULL },
};

static void
test_config (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  write_file (&fixture, "config", configs[i].config);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_repo_open (fixture.path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, (int) configs[i].code, configs[i].part);
}

static void
test_config_defaults (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  write_file (&fixture, "config",
              "# mine\n[core]\nversion=1\nlater-key=x\n[other]\na=b\n");
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeRepo) repo = vtree_repo_open (fixture.path, &error);
  g_assert_no_error (error);
  g_auto (GStrv) all = vtree_repo_config_list (repo, &error);
  g_autofree char *text = g_strjoinv (" ", all);
  g_assert_cmpstr (text, ==,
                   "auto-repack=false digest=sha256 keep=2 pack-threshold=0 "
                   "shared=false verity=auto");
  g_assert_true (vtree_repo_config_set (repo, "keep", "7", &error));
  g_autofree char *path = repo_fixture_path (&fixture, "config");
  g_autofree char *written = NULL;
  g_assert_true (g_file_get_contents (path, &written, NULL, NULL));
  g_assert_nonnull (strstr (written, "later-key=x"));
  g_assert_nonnull (strstr (written, "# mine"));
  g_assert_nonnull (strstr (written, "keep=7"));
}

static void
test_config_too_long (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree char *line = g_strnfill (70000, '#');
  write_file (&fixture, "config", line);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_repo_open (fixture.path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "config");
}

static void
test_open_absent (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "absent", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_repo_open (path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, path);
}

static const char *const parts[] = { "objects", "packs", "merkle", "refs", "tmp" };

/* Neither absence nor a symlink to a good directory passes for one. */
static void
test_open_incomplete (gconstpointer row)
{
  const char *part = parts[GPOINTER_TO_SIZE (row)];
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree char *path = repo_fixture_path (&fixture, part);
  g_assert_cmpint (g_rmdir (path), ==, 0);
  for (int with_link = 0; with_link < 2; with_link++) {
    g_autoptr (GError) error = NULL;
    if (with_link)
      g_assert_cmpint (symlink ("/tmp", path), ==, 0);
    g_assert_null (vtree_repo_open (fixture.path, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, part);
  }
}

static void
test_open_config_symlink (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree char *config = repo_fixture_path (&fixture, "config");
  g_autofree char *other = repo_fixture_path (&fixture, "other");
  g_assert_cmpint (g_rename (config, other), ==, 0);
  g_assert_cmpint (symlink ("other", config), ==, 0);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_repo_open (fixture.path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "config");
}

/* --- configuration ---------------------------------------------------------------- */

static void
test_set (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_repo_config_set (fixture.repo, "verity", "require", &error));
  g_assert_cmpint (vtree_repo_options (fixture.repo)->verity, ==, VTREE_VERITY_REQUIRE);
  g_assert_true (vtree_repo_config_set (fixture.repo, "shared", "true", &error));
  g_assert_cmpint (repo_fixture_mode (fixture.path), ==, 0755);
  g_assert_true (vtree_repo_config_set (fixture.repo, "shared", "false", &error));
  g_assert_cmpint (repo_fixture_mode (fixture.path), ==, 0700);
  g_autoptr (VtreeRepo) again = vtree_repo_open (fixture.path, &error);
  g_autofree char *value = vtree_repo_config_get (again, "verity", &error);
  g_assert_cmpstr (value, ==, "require");
}

static const struct {
  const char *name, *key, *value, *part;
} refusals[] = {
  { "unknown-key", "colour", "red", "no key 'colour'" },
  { "version", "version", "2", "no key 'version'" },
  { "keep", "keep", "-1", "1 to 1000000" },
  { "newline", "verity", "auto\nshared=true", "auto\\nshared=true" },
  { "digest", "digest", "sha512", "once there are objects" },
  { "shared", "shared", "true", "once there are objects" },
};

static void
test_set_refused (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  repo_fixture_put (&fixture, "x", 1);
  g_autoptr (GError) error = NULL;
  g_assert_false (
    vtree_repo_config_set (fixture.repo, refusals[i].key, refusals[i].value, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, refusals[i].part);
  g_assert_cmpint (repo_fixture_mode (fixture.path), ==, 0700);
}

static void
test_set_waits_for_nobody (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_auto (VtreeFd) held = -1;
  g_autoptr (GError) error = NULL;
  g_assert_true (
    vtree_repo_lock (fixture.repo, VTREE_REPO_LOCK_SHARED, 0, &held, &error));
  g_assert_false (vtree_repo_config_set (fixture.repo, "keep", "3", &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, fixture.path);
}

/* --- locks ------------------------------------------------------------------------ */

static const struct {
  const char *name;
  VtreeRepoLock first, second;
  bool granted;
} locks[] = {
  { "shared-shared", VTREE_REPO_LOCK_SHARED, VTREE_REPO_LOCK_SHARED, true },
  { "shared-exclusive", VTREE_REPO_LOCK_SHARED, VTREE_REPO_LOCK_EXCLUSIVE, false },
  { "exclusive-shared", VTREE_REPO_LOCK_EXCLUSIVE, VTREE_REPO_LOCK_SHARED, false },
  { "exclusive-exclusive", VTREE_REPO_LOCK_EXCLUSIVE, VTREE_REPO_LOCK_EXCLUSIVE,
    false },
};

static void
test_lock (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_auto (VtreeFd) first = -1;
  g_auto (VtreeFd) second = -1;
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_repo_lock (fixture.repo, locks[i].first, 0, &first, &error));
  bool granted = vtree_repo_lock (fixture.repo, locks[i].second, 0, &second, &error);
  g_assert_cmpint (granted, ==, locks[i].granted);
  if (granted)
    return;
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, fixture.path);
  g_clear_error (&error);
  vtree_fd_replace_take (&first, -1);
  g_assert_true (vtree_repo_lock (fixture.repo, locks[i].second, -1, &second, &error));
}

static gpointer
release_soon (gpointer data)
{
  g_usleep (50000);
  vtree_fd_close (GPOINTER_TO_INT (data));
  return NULL;
}

/* Either kind of waiting gets what another lets go meanwhile. */
static void
test_lock_waits (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  static const int waits[] = { -1, 600 };
  for (size_t i = 0; i < G_N_ELEMENTS (waits); i++) {
    VtreeFd first = -1;
    g_auto (VtreeFd) second = -1;
    g_autoptr (GError) error = NULL;
    g_assert_true (
      vtree_repo_lock (fixture.repo, VTREE_REPO_LOCK_EXCLUSIVE, 0, &first, &error));
    GThread *thread = g_thread_new ("release", release_soon, GINT_TO_POINTER (first));
    g_assert_true (vtree_repo_lock (fixture.repo, VTREE_REPO_LOCK_EXCLUSIVE, waits[i],
                                    &second, &error));
    g_thread_join (thread);
  }
}

static void
test_lock_replaced (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  repo_fixture_init (&fixture, &plain);
  g_autofree char *lock = repo_fixture_path (&fixture, "lock");
  g_autoptr (GError) error = NULL;
  VtreeFd fd = -1;
  g_assert_cmpint (g_unlink (lock), ==, 0);
  g_assert_false (
    vtree_repo_lock (fixture.repo, VTREE_REPO_LOCK_SHARED, 0, &fd, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "lock");
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (lock, 0600), ==, 0);
  g_assert_false (
    vtree_repo_lock (fixture.repo, VTREE_REPO_LOCK_SHARED, 0, &fd, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "lock");
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
  ADD_TABLE ("/core/repo/init", inits, test_init);
  g_test_add_func ("/core/repo/init-over-repository", test_init_over_repository);
  g_test_add_func ("/core/repo/init-over-other-files", test_init_over_other_files);
  g_test_add_func ("/core/repo/init-completes", test_init_completes);
  g_test_add_func ("/core/repo/init-reports-sync", test_init_reports_sync);
  ADD_TABLE ("/core/repo/config", configs, test_config);
  g_test_add_func ("/core/repo/config-defaults", test_config_defaults);
  g_test_add_func ("/core/repo/config-too-long", test_config_too_long);
  g_test_add_func ("/core/repo/open-absent", test_open_absent);
  for (size_t i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *path = g_strdup_printf ("/core/repo/open-without/%s", parts[i]);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_open_incomplete);
  }
  g_test_add_func ("/core/repo/open-config-symlink", test_open_config_symlink);
  g_test_add_func ("/core/repo/set", test_set);
  ADD_TABLE ("/core/repo/set-refused", refusals, test_set_refused);
  g_test_add_func ("/core/repo/set-waits-for-nobody", test_set_waits_for_nobody);
  ADD_TABLE ("/core/repo/lock", locks, test_lock);
  g_test_add_func ("/core/repo/lock-waits", test_lock_waits);
  g_test_add_func ("/core/repo/lock-replaced", test_lock_replaced);
  return vtree_test_run ();
}
