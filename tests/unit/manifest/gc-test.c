/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/gc.h"
#include "tests/unit/manifest/versions-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE ((size_t) 1 << 20)

/* What gc said of each thing. */
typedef struct {
  GPtrArray *removed, *held;
} Said;

static void
said_clear (Said *said)
{
  g_ptr_array_unref (said->removed);
  g_ptr_array_unref (said->held);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Said, said_clear)

static Said
said_new (void)
{
  Said said = { g_ptr_array_new_with_free_func (g_free),
                g_ptr_array_new_with_free_func (g_free) };
  return said;
}

static void
note_removed (void *context, const char *what)
{
  g_ptr_array_add (((Said *) context)->removed, g_strdup (what));
}

static void
note_held (void *context, const char *what)
{
  g_ptr_array_add (((Said *) context)->held, g_strdup (what));
}

static bool
was_removed (const Said *said, const char *what)
{
  return g_ptr_array_find_with_equal_func (said->removed, what, g_str_equal, NULL);
}

static bool
try_gc (const VersionsFixture *fixture, unsigned keep, bool dry_run, Said *said,
        VtreeGcResult *result, GError **error)
{
  VtreeGcOptions options = { .keep = keep,
                             .dry_run = dry_run,
                             .removed = note_removed,
                             .held = note_held,
                             .context = said };
  return vtree_gc (fixture->repo.repo, &options, result, error);
}

static VtreeGcResult
gc (const VersionsFixture *fixture, unsigned keep, Said *said)
{
  g_autoptr (GError) error = NULL;
  VtreeGcResult result = { 0 };
  try_gc (fixture, keep, false, said, &result, &error);
  g_assert_no_error (error);
  return result;
}

/* --- versions --------------------------------------------------------------------- */

static const struct {
  const char *name;
  unsigned versions; /* 1 to this */
  unsigned head;     /* 0: none */
  unsigned keep;
  const char *left;
} keeps[] = {
  { "all", 3, 3, 3, "1 2 3" },
  { "more-than-there-are", 3, 3, 100, "1 2 3" },
  { "newest-two", 4, 4, 2, "3 4" },
  { "newest-one", 4, 4, 1, "4" },
  { "newer-than-head-stay", 5, 3, 1, "3 4 5" },
  { "head-counts", 5, 3, 2, "2 3 4 5" },
  { "no-head", 3, 0, 1, "1 2 3" },
};

static void
assert_versions (const VersionsFixture *fixture, const char *ref, const char *expected)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GArray) versions = vtree_refs_versions (fixture->repo.repo, ref, NULL);
  g_assert_nonnull (versions);
  for (guint i = 0; i < versions->len; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i > 0 ? " " : "",
                            g_array_index (versions, uint64_t, i));
  g_assert_cmpstr (text->str, ==, expected);
}

static void
test_keep (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (VersionsFixture) fixture = { 0 };
  versions_fixture_init (&fixture);
  for (unsigned v = 1; v <= keeps[i].versions; v++) {
    VersionFile files[] = { { "same", "same", 4 }, { "own", &v, sizeof v }, { 0 } };
    VersionSpec release
      = { "os/debian", v, files, v == keeps[i].head ? 0 : VERSION_KEEP_HEAD };
    versions_fixture_put (&fixture, &release);
  }
  g_auto (Said) said = said_new ();
  VtreeGcResult result = gc (&fixture, keeps[i].keep, &said);
  assert_versions (&fixture, "os/debian", keeps[i].left);
  VtreeDigest same = versions_fixture_digest ("same", 4);
  g_assert_true (versions_fixture_has (&fixture, &same));
  for (unsigned v = 1; v <= keeps[i].versions; v++) {
    g_autofree char *label = g_strdup_printf ("os/debian@%u", v);
    VtreeDigest own = versions_fixture_digest (&v, sizeof v);
    g_assert_cmpint (versions_fixture_has (&fixture, &own), !=,
                     was_removed (&said, label));
  }
  /* of each version its manifest and its own file */
  g_assert_cmpuint (result.objects, ==, 2 * result.versions);
  g_assert_cmpuint (result.kept_objects, ==,
                    1 + 2 * (keeps[i].versions - result.versions));
  g_assert_cmpuint (said.removed->len, ==, 3 * result.versions);
}

static void
test_keep_none (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  versions_fixture_init (&fixture);
  g_auto (Said) said = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  g_assert_false (try_gc (&fixture, 0, false, &said, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "at least 1");
}

/* --- two versions, of which the first goes ---------------------------------------- */

typedef struct {
  VersionsFixture release;
  uint8_t *large;     /* only in the first, with a Merkle file */
  VtreeDigest old[2]; /* manifests */
  VtreeDigest unique; /* the first one's large file */
  VtreeDigest shared; /* of both */
} Two;

static void
two_init (Two *two)
{
  versions_fixture_init (&two->release);
  two->large = repo_fixture_bytes (LARGE, 1);
  VersionFile first[]
    = { { "shared", "shared", 6 }, { "d/large", two->large, LARGE }, { 0 } };
  VersionFile second[] = { { "shared", "shared", 6 }, { "new", "new", 3 }, { 0 } };
  VersionSpec releases[] = { { "app", 1, first, 0 }, { "app", 2, second, 0 } };
  for (size_t i = 0; i < 2; i++)
    two->old[i] = versions_fixture_put (&two->release, &releases[i]);
  two->unique = versions_fixture_digest (two->large, LARGE);
  two->shared = versions_fixture_digest ("shared", 6);
}

static void
two_clear (Two *two)
{
  g_free (two->large);
  versions_fixture_clear (&two->release);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Two, two_clear)

/* A dry run says exactly what the run then does. */
static void
test_dry_run (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Said) dry = said_new ();
  g_auto (Said) wet = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult foretold, result;
  g_autofree char *merkle = repo_fixture_merkle (&two.release.repo, &two.unique);
  g_assert_true (try_gc (&two.release, 1, true, &dry, &foretold, &error));
  assert_versions (&two.release, "app", "1 2");
  g_assert_true (versions_fixture_has (&two.release, &two.old[0]));
  g_assert_true (g_file_test (merkle, G_FILE_TEST_EXISTS));
  result = gc (&two.release, 1, &wet);
  g_assert_cmpint (memcmp (&foretold, &result, sizeof result), ==, 0);
  g_assert_cmpuint (dry.removed->len, ==, wet.removed->len);
  for (guint i = 0; i < dry.removed->len; i++)
    g_assert_true (was_removed (&wet, g_ptr_array_index (dry.removed, i)));
  assert_versions (&two.release, "app", "2");
  g_assert_false (versions_fixture_has (&two.release, &two.old[0]));
  g_assert_false (versions_fixture_has (&two.release, &two.unique));
  g_assert_false (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_true (versions_fixture_has (&two.release, &two.shared));
  g_assert_cmpuint (result.bytes, >, LARGE + LARGE / 128);
}

static VtreeFd
hold (const Two *two, size_t index)
{
  g_autofree char *path = repo_fixture_object (&two->release.repo, &two->old[index]);
  VtreeFd fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_SH | LOCK_NB), ==, 0);
  return fd;
}

/* A mount's lock on the manifest keeps what it reaches; without it all goes. */
static void
test_held (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Said) said = said_new ();
  g_auto (VtreeFd) mount = hold (&two, 0);
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeGcResult result = gc (&two.release, 1, &said);
  g_assert_cmpuint (result.versions, ==, 1);
  g_assert_cmpuint (result.objects, ==, 0);
  g_assert_cmpuint (result.held_manifests, ==, 1);
  g_assert_cmpuint (said.held->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (said.held, 0), ==,
                   vtree_digest_format (&two.old[0], text));
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
  g_assert_true (versions_fixture_has (&two.release, &two.old[0]));
  vtree_fd_replace_take (&mount, -1);
  result = gc (&two.release, 1, &said);
  g_assert_cmpuint (result.objects, ==, 2);
  g_assert_false (versions_fixture_has (&two.release, &two.unique));
}

/* Puts another file with the same bytes where manifest 0 was, which has become bad. */
static void
replace_manifest (const Two *two)
{
  g_autofree char *path = repo_fixture_object (&two->release.repo, &two->old[0]);
  g_autofree char *bytes = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  repo_fixture_flip (path, 0);
  VtreeDigest again = repo_fixture_put (&two->release.repo, bytes, size);
  g_assert_true (vtree_digest_equal (&again, &two->old[0]));
}

/* The lock is on a file that has its name no more. Replaced twice, and only the file in
 * the middle locked besides: as good. */
static void
test_held_replaced (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Said) said = said_new ();
  g_auto (VtreeFd) mount = hold (&two, 0);
  replace_manifest (&two);
  g_auto (VtreeFd) later = hold (&two, 0);
  replace_manifest (&two);
  g_assert_cmpuint (repo_fixture_count (&two.release.repo, "tmp"), ==, 2);
  VtreeGcResult result = gc (&two.release, 1, &said);
  g_assert_cmpuint (result.versions, ==, 1);
  g_assert_cmpuint (result.objects, ==, 0);
  g_assert_cmpuint (result.held_manifests, ==, 1);
  g_assert_cmpuint (said.held->len, ==, 1);
  vtree_fd_replace_take (&mount, -1);
  result = gc (&two.release, 1, &said);
  g_assert_cmpuint (result.held_manifests, ==, 1);
  g_assert_cmpuint (repo_fixture_count (&two.release.repo, "tmp"), ==, 1);
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
  vtree_fd_replace_take (&later, -1);
  result = gc (&two.release, 1, &said);
  g_assert_cmpuint (result.objects, ==, 2);
  g_assert_cmpuint (result.held_manifests, ==, 0);
  g_assert_cmpuint (repo_fixture_count (&two.release.repo, "tmp"), ==, 0);
}

/* What it reaches is not known any more: nothing goes. */
static void
test_held_replaced_and_lost (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Said) said = said_new ();
  g_auto (VtreeFd) mount = hold (&two, 0);
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  replace_manifest (&two);
  g_autofree char *path = repo_fixture_object (&two.release.repo, &two.old[0]);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_false (try_gc (&two.release, 1, false, &said, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "holds");
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
}

/* --- manifests that can't be believed --------------------------------------------- */

static void
flip (const char *path)
{
  repo_fixture_flip (path, 5000);
}

static void
remove_file (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
make_directory (const char *path)
{
  remove_file (path);
  g_assert_cmpint (g_mkdir (path, 0755), ==, 0);
}

static const struct {
  const char *name;
  void (*damage) (const char *path);
} damages[] = {
  { "flipped", flip },
  { "missing", remove_file },
  { "directory", make_directory },
};

/* Of a version that stays: nothing at all is deleted. */
static void
test_bad_live_manifest (gconstpointer row)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *path = repo_fixture_object (&two.release.repo, &two.old[1]);
  damages[GPOINTER_TO_SIZE (row)].damage (path);
  g_auto (Said) said = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  char text[VTREE_DIGEST_TEXT_MAX];
  g_assert_false (try_gc (&two.release, 1, false, &said, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           vtree_digest_format (&two.old[1], text));
  g_assert_cmpuint (said.removed->len, ==, 0);
  assert_versions (&two.release, "app", "1 2");
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
}

/* Of a version that goes: it does not matter. */
static void
test_bad_old_manifest (gconstpointer row)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *path = repo_fixture_object (&two.release.repo, &two.old[0]);
  damages[GPOINTER_TO_SIZE (row)].damage (path);
  g_auto (Said) said = said_new ();
  VtreeGcResult result = gc (&two.release, 1, &said);
  g_assert_cmpuint (result.versions, ==, 1);
  g_assert_false (versions_fixture_has (&two.release, &two.old[0]));
  g_assert_false (versions_fixture_has (&two.release, &two.unique));
}

/* Even one that does not look like a manifest any more. */
static void
test_bad_held_manifest (gconstpointer offset)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (VtreeFd) mount = hold (&two, 0);
  g_autofree char *path = repo_fixture_object (&two.release.repo, &two.old[0]);
  repo_fixture_flip (path, GPOINTER_TO_SIZE (offset));
  g_auto (Said) said = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  g_assert_false (try_gc (&two.release, 1, false, &said, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "holds");
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
}

static void
test_bad_statement (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *path = repo_fixture_path (&two.release.repo, "refs/app/2.root");
  g_assert_true (g_file_set_contents (path, "vtree-root 1\n", -1, NULL));
  g_auto (Said) said = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  g_assert_false (try_gc (&two.release, 1, false, &said, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "app@2");
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
}

/* A file of a tree that begins like a manifest is a file. */
static void
test_magic_in_a_file (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  versions_fixture_init (&fixture);
  VtreeDigest stray = repo_fixture_put (&fixture.repo, "VTREEMF\nnot", 11);
  VtreeDigest part = repo_fixture_put (&fixture.repo, "VTREEM", 6);
  g_auto (Said) said = said_new ();
  VtreeGcResult result = gc (&fixture, 1, &said);
  g_assert_cmpuint (result.objects, ==, 2);
  g_assert_false (versions_fixture_has (&fixture, &stray));
  g_assert_false (versions_fixture_has (&fixture, &part));
}

/* --- surroundings ----------------------------------------------------------------- */

static void
test_strangers_and_litter (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  static const struct {
    const char *path;
    bool stays;
  } files[] = {
    { "objects/readme", true },
    { "objects/ab/notes", true },
    { "tmp/dead/1", false },
    { "tmp/stray", false },
    { "refs/app/.tmp-0011", false },
    { "refs/.tmp-0011", false },
    { ".tmp-0011", false },
    { "refs/app/.notes", true },
    { "merkle/ab/0123456789012345678901234567890123456789012345678901234567890a",
      false }, /* an orphan: 62 digits */
  };
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = repo_fixture_path (&two.release.repo, files[i].path);
    g_autofree char *dir = g_path_get_dirname (path);
    g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
    g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  }
  g_auto (Said) said = said_new ();
  gc (&two.release, 1, &said);
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = repo_fixture_path (&two.release.repo, files[i].path);
    g_test_message ("%s", files[i].path);
    g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, files[i].stays);
  }
  g_assert_cmpuint (repo_fixture_count (&two.release.repo, "tmp"), ==, 0);
}

/* On a disk that takes nothing more: no byte is written. */
static void
test_full_disk (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Said) said = said_new ();
  vtree_test_fault_clear ();
  vtree_test_fault_fail (VTREE_TEST_WRITE, 0, ENOSPC);
  VtreeGcResult result = gc (&two.release, 1, &said);
  unsigned writes = vtree_test_fault_calls (VTREE_TEST_WRITE);
  unsigned syncs = vtree_test_fault_calls (VTREE_TEST_SYNC);
  vtree_test_fault_clear ();
  g_assert_cmpuint (result.objects, ==, 2);
  g_assert_cmpuint (writes, ==, 0);
  g_assert_cmpuint (syncs, ==, 1);
}

/* Statements that may come back after a power cut keep their objects. */
static void
test_sync_fails (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Said) said = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EIO);
  bool ok = try_gc (&two.release, 1, false, &said, &result, &error);
  vtree_test_fault_clear ();
  g_assert_false (ok);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "sync");
  g_assert_true (versions_fixture_has (&two.release, &two.unique));
  g_assert_true (versions_fixture_has (&two.release, &two.old[0]));
}

static void
test_busy (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (VtreeFd) lock = -1;
  g_auto (Said) said = said_new ();
  g_autoptr (GError) error = NULL;
  VtreeGcResult result;
  g_assert_true (
    vtree_repo_lock (two.release.repo.repo, VTREE_REPO_LOCK_SHARED, 0, &lock, &error));
  g_assert_false (try_gc (&two.release, 1, false, &said, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, NULL);
  assert_versions (&two.release, "app", "1 2");
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
  ADD_TABLE ("/manifest/gc/keep", keeps, test_keep);
  g_test_add_func ("/manifest/gc/keep-none", test_keep_none);
  g_test_add_func ("/manifest/gc/dry-run", test_dry_run);
  g_test_add_func ("/manifest/gc/held", test_held);
  g_test_add_func ("/manifest/gc/held-replaced", test_held_replaced);
  g_test_add_func ("/manifest/gc/held-replaced-and-lost", test_held_replaced_and_lost);
  ADD_TABLE ("/manifest/gc/bad-live-manifest", damages, test_bad_live_manifest);
  ADD_TABLE ("/manifest/gc/bad-old-manifest", damages, test_bad_old_manifest);
  g_test_add_data_func ("/manifest/gc/bad-held-manifest", GSIZE_TO_POINTER (5000),
                        test_bad_held_manifest);
  g_test_add_data_func ("/manifest/gc/bad-held-manifest-magic", GSIZE_TO_POINTER (0),
                        test_bad_held_manifest);
  g_test_add_func ("/manifest/gc/bad-statement", test_bad_statement);
  g_test_add_func ("/manifest/gc/magic-in-a-file", test_magic_in_a_file);
  g_test_add_func ("/manifest/gc/strangers-and-litter", test_strangers_and_litter);
  g_test_add_func ("/manifest/gc/full-disk", test_full_disk);
  g_test_add_func ("/manifest/gc/sync-fails", test_sync_fails);
  g_test_add_func ("/manifest/gc/busy", test_busy);
  return vtree_test_run ();
}
