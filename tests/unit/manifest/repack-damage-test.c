/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Repack where something is damaged, or fails: nothing that can be read is lost.
 */
#include "tests/unit/manifest/repack-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- damaged objects -------------------------------------------------------------- */

static void
note_damaged (void *context, const char *object, const char *message)
{
  g_assert_nonnull (message);
  g_ptr_array_add (context, g_strdup (object));
}

static void
assert_said (const GPtrArray *said, unsigned number)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeDigest digest = repack_digest (number);
  g_assert_cmpuint (said->len, ==, 1);
  g_assert_cmpstr (said->pdata[0], ==, vtree_digest_format (&digest, text));
}

/* It keeps the pack that it is in; all others move. */
static void
test_damaged (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GPtrArray) said = g_ptr_array_new_with_free_func (g_free);
  VtreeRepackOptions options
    = { .all = true, .damaged = note_damaged, .context = said };
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 10);
  repack_put_version (&fixture, 2, 10, 10);
  repack_put_version (&fixture, 3, 20, 10);
  g_autofree char *path = repack_pack_of (&fixture, 14);
  repack_damage (path, 14);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, 1);
  g_assert_cmpuint (result.folded, ==, 2);
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 2);
  assert_said (said, 14);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  repack_check (&fixture, 0, 14);
  repack_check (&fixture, 15, 15);
  repack_damage (path, 14); /* that bit again: what was kept is still worth it */
  repack_check (&fixture, 0, 30);
}

/* The good copy is in the pack that goes. */
static void
test_kept_copy_is_bad (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 40);
  g_autofree char *stays = repack_pack_of (&fixture, 7);
  repack_put_pack (&fixture, 7, 1);
  repack_put_pack (&fixture, 50, 10);
  repack_damage (stays, 7);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, 0);
  repack_check (&fixture, 0, 40);
}

/* …in one that goes for all that is dead in it. */
static void
test_kept_copy_is_bad_among_dead (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 40);
  g_autofree char *stays = repack_pack_of (&fixture, 7);
  repack_put_pack (&fixture, 38, 5); /* 40 to 42 are dead */
  repack_damage (stays, 38);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, 0);
  g_assert_cmpuint (result.folded, ==, 1);
  repack_check (&fixture, 0, 40);
}

/* The good copy is a file of its own, which stays or is packed. */
static void
test_file_is_good (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 40);
  repack_put_loose (&fixture, 3, 2);
  g_autofree char *path = repack_pack_of (&fixture, 3);
  repack_damage (path, 3);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, 0);
  repack_check (&fixture, 0, 40);
  options.all = true;
  repack (&fixture, &options);
  repack_check (&fixture, 0, 40);
}

/* The file is bad, and so is not what is left. */
static void
test_file_is_bad (gconstpointer data)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options
    = { .min_live = VTREE_REPACK_MIN_LIVE, .all = GPOINTER_TO_SIZE (data) != 0 };
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 40);
  repack_put_loose (&fixture, 3, 1);
  VtreeDigest digest = repack_digest (3);
  g_autofree char *file = repo_fixture_object (&fixture.repo, &digest);
  repo_fixture_flip (file, 9);
  repack (&fixture, &options);
  repack_check (&fixture, 0, 40);
}

/* --- damaged packs ---------------------------------------------------------------- */

#define ALIVE 9
#define MIXED 40

/* MIXED objects in one pack, ALIVE of which are. */
static char *
put_mixed (VersionsFixture *fixture)
{
  versions_fixture_init_packing (fixture, REPACK_THRESHOLD);
  repack_put_pack (fixture, 0, MIXED);
  repack_put_version (fixture, 1, 0, ALIVE);
  g_assert_cmpuint (repack_count_packs (fixture), ==, 1);
  return repack_pack_of (fixture, 0);
}

static bool
is_dead (const VtreePackEntry *entry)
{
  for (unsigned i = 0; i < ALIVE; i++) {
    VtreeDigest digest = repack_digest (i);
    if (vtree_digest_equal (&digest, &entry->digest))
      return false;
  }
  return true;
}

/* Of two neighbours that nothing needs, the second gets a digest just below that of the
 * first: a search for anything else goes as before. */
static void
break_order (const char *path)
{
  VtreeDigest name = { .alg = VTREE_DIGEST_SHA256 };
  g_autoptr (VtreePack) pack
    = vtree_pack_new_take (open (path, O_RDONLY | O_CLOEXEC), &name, NULL);
  VtreePackEntry entry, next;
  uint64_t index = 0;
  g_assert_nonnull (pack);
  for (bool dead = false; !dead; index++) {
    g_assert_cmpuint (index + 2, <, MIXED);
    g_assert_true (vtree_pack_entry (pack, index, &entry, NULL));
    g_assert_true (vtree_pack_entry (pack, index + 1, &next, NULL));
    dead = is_dead (&entry) && is_dead (&next);
  }
  entry.digest.value[31]--;
  g_assert_cmpint (g_chmod (path, 0644), ==, 0);
  g_auto (VtreeFd) fd = open (path, O_WRONLY | O_CLOEXEC);
  uint64_t at = vtree_pack_size (pack) - 44 * (MIXED - index);
  g_assert_true (vtree_fd_pwrite (fd, entry.digest.value, 32, at, NULL));
}

/* What a search still finds there is not lost. */
static void
test_bad_index (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  g_autofree char *path = put_mixed (&fixture);
  break_order (path);
  repack_check (&fixture, 0, ALIVE);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, 0);
  repack_check (&fixture, 0, ALIVE);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* One that this program can't read, and that has what is needed, stays. */
static void
test_unreadable (gconstpointer data)
{
  size_t at = GPOINTER_TO_SIZE (data);
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = { .all = true };
  g_autofree char *path = put_mixed (&fixture);
  repack_put_version (&fixture, 2, 50, 5);
  repo_fixture_flip (path, at);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, ALIVE);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  repack_check (&fixture, 50, 5);
  repo_fixture_flip (path, at);
  repack_check (&fixture, 0, ALIVE);
}

/* …and one that has nothing that is not elsewhere too goes. */
static void
test_unreadable_spare (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  g_autofree char *path = put_mixed (&fixture);
  repack_put_pack (&fixture, 0, 10);
  repo_fixture_flip (path, 0);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.damaged, ==, 0);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  repack_check (&fixture, 0, ALIVE);
}

/* A manifest that a version needs can't be read: nothing is done. */
static void
test_bad_manifest (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeRepackOptions options = { .all = true };
  VtreeRepackResult result;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 5);
  VtreeDigest manifest = repack_put_version (&fixture, 2, 10, 5);
  g_autofree char *file = repo_fixture_object (&fixture.repo, &manifest);
  repo_fixture_flip (file, 100);
  g_assert_false (vtree_repack (fixture.repo.repo, &options, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "nothing is repacked: os/test@2");
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 2);
  repo_fixture_flip (file, 100);
  repack_check (&fixture, 0, 5);
  repack_check (&fixture, 10, 5);
}

/* One that no ref has any more, and that a mount has locked: what it names stays; where
 * it can't be read, nobody knows what that is. */
static void
test_held_manifest (gconstpointer data)
{
  size_t at = GPOINTER_TO_SIZE (data); /* of the bad bit, from 1 on; 0: none */
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeRepackOptions options = { .all = true };
  VtreeRepackResult result;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  VtreeDigest manifest = repack_put_version (&fixture, 1, 0, 5);
  g_autofree char *ref = repo_fixture_path (&fixture.repo, "refs/os");
  g_autofree char *away = repo_fixture_path (&fixture.repo, "refs-os");
  g_assert_cmpint (g_rename (ref, away), ==, 0);
  g_autofree char *file = repo_fixture_object (&fixture.repo, &manifest);
  g_auto (VtreeFd) mount = open (file, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (flock (mount, LOCK_SH | LOCK_NB), ==, 0);
  if (at > 0)
    repo_fixture_flip (file, at - 1);
  bool ok = vtree_repack (fixture.repo.repo, &options, &result, &error);
  g_assert_cmpint (ok, ==, at == 0);
  if (!ok)
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                             "a mount holds a bad manifest: ");
  repack_check (&fixture, 0, 5);
  vtree_fd_replace_take (&mount, -1); /* without the mount a bad one is nothing */
  repack (&fixture, &options);
  if (at == 0)
    repack_check (&fixture, 0, 5);
  else
    repack_check_none (&fixture, 0, 5);
}

/* --- failures --------------------------------------------------------------------- */

static const struct {
  const char *name;
  VtreeTestCall call;
  int errnum;
} faults[] = {
  { "full-disk", VTREE_TEST_WRITE, ENOSPC },
  { "sync", VTREE_TEST_SYNC, EIO },
};

static void
test_fault (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  VtreeRepackOptions options = { .all = true };
  bool ok = false;
  for (unsigned after = 0; !ok; after++) {
    g_auto (VersionsFixture) fixture = { 0 };
    g_autoptr (GError) error = NULL;
    VtreeRepackResult result;
    g_assert_cmpuint (after, <, 60);
    versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
    repack_put_version (&fixture, 1, 0, 5);
    repack_put_version (&fixture, 2, 10, 5);
    repack_put_loose (&fixture, 2, 2);
    vtree_test_fault_fail (faults[i].call, after, faults[i].errnum);
    ok = vtree_repack (fixture.repo.repo, &options, &result, &error);
    vtree_test_fault_clear ();
    if (!ok)
      vtree_test_assert_error (error, VTREE_ERRNO_ERROR, faults[i].errnum, "repack ");
    g_assert_cmpuint (repo_fixture_count (&fixture.repo, "tmp"), ==, 0);
    repack_check (&fixture, 0, 5);
    repack_check (&fixture, 10, 5);
    if (!ok)
      g_assert_cmpuint (repack_count_packs (&fixture), >=, 2);
  }
}

/* What can't be read now may be read later. */
static void
test_read_fault (void)
{
  VtreeRepackOptions options = { .all = true };
  bool ended = false;
  for (unsigned after = 0; !ended; after++) {
    g_auto (VersionsFixture) fixture = { 0 };
    VtreeRepackResult result;
    g_assert_cmpuint (after, <, 400);
    versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
    repack_put_version (&fixture, 1, 0, 5);
    repack_put_version (&fixture, 2, 10, 5);
    vtree_test_fault_fail (VTREE_TEST_READ, after, EIO);
    vtree_repack (fixture.repo.repo, &options, &result, NULL);
    ended = vtree_test_fault_calls (VTREE_TEST_READ) <= after;
    vtree_test_fault_clear ();
    repack_check (&fixture, 0, 5);
    repack_check (&fixture, 10, 5);
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
  g_test_add_func ("/manifest/repack-damage/object", test_damaged);
  g_test_add_func ("/manifest/repack-damage/kept-copy", test_kept_copy_is_bad);
  g_test_add_func ("/manifest/repack-damage/kept-copy-among-dead",
                   test_kept_copy_is_bad_among_dead);
  g_test_add_func ("/manifest/repack-damage/good-file", test_file_is_good);
  g_test_add_data_func ("/manifest/repack-damage/bad-file", GSIZE_TO_POINTER (0),
                        test_file_is_bad);
  g_test_add_data_func ("/manifest/repack-damage/bad-file-all", GSIZE_TO_POINTER (1),
                        test_file_is_bad);
  g_test_add_func ("/manifest/repack-damage/index", test_bad_index);
  g_test_add_data_func ("/manifest/repack-damage/no-pack", GSIZE_TO_POINTER (0),
                        test_unreadable);
  g_test_add_data_func ("/manifest/repack-damage/later-format", GSIZE_TO_POINTER (8),
                        test_unreadable);
  g_test_add_func ("/manifest/repack-damage/spare", test_unreadable_spare);
  g_test_add_func ("/manifest/repack-damage/manifest", test_bad_manifest);
  g_test_add_data_func ("/manifest/repack-damage/held", GSIZE_TO_POINTER (0),
                        test_held_manifest);
  g_test_add_data_func ("/manifest/repack-damage/held-bad", GSIZE_TO_POINTER (101),
                        test_held_manifest);
  g_test_add_data_func ("/manifest/repack-damage/held-bad-magic", GSIZE_TO_POINTER (1),
                        test_held_manifest);
  ADD_TABLE ("/manifest/repack-damage/fault", faults, test_fault);
  g_test_add_func ("/manifest/repack-damage/read-fault", test_read_fault);
  return vtree_test_run ();
}
