/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a name resolves to, and every way in which it must not. */
#include "tests/lib/test.h"
#include "tests/unit/manifest/release-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define NAME "os/stable"

static const VtreeResolveOptions forced = { .raise_mark = true, .force = true };

/* Resolving SPEC fails with CODE and a one-line message that contains PART. */
static void
assert_refused (ReleaseFixture *f, const char *spec, const VtreeResolveOptions *options,
                int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (release_resolve (f, spec, options, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
  g_assert_null (strchr (error->message, '\n'));
}

/* Resolving SPEC gives VERSION; NOTE: part of its only note, NULL for none. */
static void
assert_accepted (ReleaseFixture *f, const char *spec,
                 const VtreeResolveOptions *options, uint64_t version, const char *note)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved = release_resolve (f, spec, options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (resolved->statement->version, ==, version);
  g_assert_cmpuint (resolved->notes->len, ==, note != NULL ? 1 : 0);
  if (note == NULL)
    return;
  const char *text = g_ptr_array_index (resolved->notes, 0);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, note));
}

/* Version 5 has been accepted. */
static void
accept_five (ReleaseFixture *f)
{
  release_put (f, &(Release){ .version = 5 });
  assert_accepted (f, NAME, NULL, 5, NULL);
  release_assert_mark (f, 5);
}

/* --- what is accepted ------------------------------------------------------------- */

static void
test_accepted (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3, .signers = 1u << BOB | 1u << MALLORY });
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved = release_resolve (f, NAME, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (resolved->statement->ref, ==, NAME);
  g_assert_cmpstr (resolved->key_name, ==, "bob");
  g_autoptr (VtreePublicKey) bob = vtree_private_key_public (f->key[BOB], NULL);
  g_assert_true (vtree_key_id_equal (&resolved->key, vtree_public_key_id (bob)));
  vtree_test_assert_digest_equal (&resolved->manifest, &f->manifest[0]);
  g_assert_cmpuint (resolved->manifest_size, ==, f->size[0]);
  g_assert_cmpuint (resolved->notes->len, ==, 0);
  release_assert_mark (f, 3);
}

static void
test_looking_raises_no_mark (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  VtreeResolveOptions looking = { .raise_mark = false };
  release_put (f, &(Release){ .version = 3 });
  assert_accepted (f, NAME, &looking, 3, NULL);
  release_assert_mark (f, 0);
}

static void
test_newer_raises (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  accept_five (f);
  release_put (f, &(Release){ .version = 9, .manifest = 1 });
  assert_accepted (f, NAME, NULL, 9, NULL);
  release_assert_mark (f, 9);
}

static void
test_named_newer_raises (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  accept_five (f);
  release_put (f, &(Release){ .version = 9 });
  release_set_head (f, NAME, 5);
  assert_accepted (f, NAME "@9", NULL, 9, NULL);
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 9");
}

static void
test_no_such_thing (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  assert_refused (f, "none", NULL, VTREE_ERROR_MISSING, "no such ref");
  assert_refused (f, "none@3", NULL, VTREE_ERROR_MISSING, "no such ref");
  release_put (f, &(Release){ .version = 5 });
  assert_refused (f, NAME "@3", NULL, VTREE_ERROR_MISSING, "no version 3");
  g_autofree char *head
    = g_build_filename (vtree_repo_path (f->repo), "refs", NAME, "head", NULL);
  g_assert_cmpint (unlink (head), ==, 0);
  assert_refused (f, NAME, NULL, VTREE_ERROR_MISSING, "no signed version yet");
}

/* --- signatures and keys ---------------------------------------------------------- */

static void
test_unsigned (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  release_put_bytes (f, NAME, 1, root, NULL);
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not signed");
  assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "is not signed");
}

static void
test_unknown_key (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .signers = 1u << MALLORY });
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not trusted here");
  assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "is not trusted here");
  release_assert_mark (f, 0);
}

static void
test_revoked_key (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  release_write (vtree_paths_revoked (f->paths), "alice.pem", f->pem[ALICE]);
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "which is revoked");
  assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "which is revoked");
}

static void
test_key_for_another_prefix (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_write (vtree_paths_keys (f->paths), "apps/mallory.pem", f->pem[MALLORY]);
  release_put (f, &(Release){ .signers = 1u << MALLORY });
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "only refs under 'apps'");
  release_put (f, &(Release){ .ref = "apps/x", .signers = 1u << MALLORY });
  assert_accepted (f, "apps/x", NULL, 1, NULL);
}

/* A key of one prefix can't pass its release off as another ref's. */
static void
test_prefix_key_by_another_name (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_write (vtree_paths_keys (f->paths), "apps/mallory.pem", f->pem[MALLORY]);
  Release release = { .signers = 1u << MALLORY };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, release.signers);
  release_put_bytes (f, "apps/x", 1, root, sig);
  assert_refused (f, "apps/x", NULL, VTREE_ERROR_UNTRUSTED,
                  "signed for another ref, '" NAME "'");
}

static void
test_signature_over_other_bytes (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 }, altered = { .version = 2 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  g_autoptr (GBytes) other = release_statement (f, &altered);
  release_put_bytes (f, NAME, 2, other, sig);
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not over this statement");
  assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "is not over this");
}

/* The file alone is not what is signed: a signature made for something else does not
 * become one for a statement. */
static void
test_signature_without_context (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  g_autoptr (VtreePublicKey) alice = vtree_private_key_public (f->key[ALICE], NULL);
  uint8_t value[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (f->key[ALICE], g_bytes_get_data (root, NULL),
                                         g_bytes_get_size (root), value, NULL));
  g_assert_true (
    vtree_signatures_add (signatures, vtree_public_key_id (alice), value, NULL));
  g_autoptr (GBytes) sig = vtree_signatures_serialize (signatures);
  release_put_bytes (f, NAME, 1, root, sig);
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not over this statement");
}

static void
test_malformed_signatures (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = g_bytes_new_static ("rubbish\n", 8);
  release_put_bytes (f, NAME, 1, root, sig);
  assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "signature file, line 1");
}

/* Rubbish is only called malformed when somebody who is trusted signed it. */
static void
test_nothing_is_parsed_before_it_is_verified (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GBytes) root = g_bytes_new_static ("vtree-root 1\nrubbish\n", 21);
  g_autoptr (GBytes) untrusted = release_sign (f, root, 1u << MALLORY);
  release_put_bytes (f, NAME, 1, root, untrusted);
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not trusted here");
  g_autoptr (GBytes) trusted = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 1, root, trusted);
  assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "root statement, line 2");
}

static void
test_key_file (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .signers = 1u << MALLORY });
  release_write (f->dir, "mallory.pub", f->pem[MALLORY]);
  g_autofree char *path = g_build_filename (f->dir, "mallory.pub", NULL);
  VtreeResolveOptions options = { .key_file = path };
  assert_accepted (f, NAME, &options, 1, NULL);
  release_put (f, &(Release){ .signers = 1u << ALICE });
  assert_refused (f, NAME, &options, VTREE_ERROR_UNTRUSTED, "is not trusted here");
}

static void
test_another_ref (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .ref = "os/testing", .version = 5 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 5, root, sig);
  assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED,
                  "signed for another ref, 'os/testing'");
  assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "another ref");
  release_assert_mark (f, 0);
}

/* --- rollback --------------------------------------------------------------------- */

static void
test_replay (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  accept_five (f);
  release_set_head (f, NAME, 3);
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
  release_assert_mark (f, 5);
}

static void
test_replay_by_another_trusted_key (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  accept_five (f);
  release_put (f, &(Release){ .version = 3, .signers = 1u << BOB });
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
}

/* The old statement in the place of the new one's files. */
static void
test_replay_in_place (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  accept_five (f);
  Release release = { .version = 3 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 5, root, sig);
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
  assert_refused (f, NAME "@5", NULL, VTREE_ERROR_CORRUPT,
                  "in the place of version 5 is the statement of version 3");
}

static void
test_replay_at_first_use (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 3 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 5, root, sig);
  assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "in the place of version 5");
  release_assert_mark (f, 0);
}

static void
test_named_older (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  accept_five (f);
  assert_accepted (f, NAME "@3", NULL, 3, "older than version 5");
  release_assert_mark (f, 5);
  assert_accepted (f, NAME, NULL, 5, NULL);
}

static void
test_forced_older (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  accept_five (f);
  release_set_head (f, NAME, 3);
  assert_accepted (f, NAME, &forced, 3, "forced: '" NAME "': version 3 is older");
  release_assert_mark (f, 5);
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
}

static void
test_same_version_another_manifest (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  accept_five (f);
  release_put (f, &(Release){ .version = 5, .manifest = 1 });
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "version 5 is another tree");
  assert_refused (f, NAME "@5", NULL, VTREE_ERROR_ROLLBACK,
                  "version 5 is another tree");
  assert_accepted (f, NAME, &forced, 5, "forced: '" NAME "': version 5 is another");
  assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "version 5 is another tree");
  VtreeResolveOptions pinned = { .raise_mark = true, .digest = &f->manifest[1] };
  assert_accepted (f, NAME, &pinned, 5, "its digest was given");
  release_put (f, &(Release){ .version = 5, .created = "2026-02-02T00:00:00Z" });
  assert_accepted (f, NAME, NULL, 5, NULL);
}

static void
test_reset_forgets (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  accept_five (f);
  release_set_head (f, NAME, 3);
  g_assert_true (vtree_mark_reset (f->paths, NAME, NULL));
  assert_accepted (f, NAME, NULL, 3, NULL);
  release_assert_mark (f, 3);
}

static void
test_min_version (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5 });
  VtreeResolveOptions five = { .min_version = 5 };
  VtreeResolveOptions six = { .min_version = 6, .force = true };
  assert_accepted (f, NAME, &five, 5, NULL);
  assert_refused (f, NAME, &six, VTREE_ERROR_ROLLBACK, "older than min_version=6");
  assert_refused (f, NAME "@5", &six, VTREE_ERROR_ROLLBACK, "older than min_version=6");
}

static void
test_digest_option (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  release_put (f, &(Release){ .version = 5, .manifest = 1 });
  VtreeResolveOptions zero = { .raise_mark = true, .digest = &f->manifest[0] };
  VtreeResolveOptions one = { .raise_mark = true, .digest = &f->manifest[1] };
  assert_refused (f, NAME, &zero, VTREE_ERROR_CORRUPT, "digest= wants sha256:");
  assert_accepted (f, NAME, &one, 5, NULL);
  release_assert_mark (f, 5);
  release_set_head (f, NAME, 3);
  assert_accepted (f, NAME, &zero, 3, "older than version 5");
  release_assert_mark (f, 5);
}

/* --- expiry ----------------------------------------------------------------------- */

static void
test_expired (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5,
                              .created = "2001-01-01T00:00:00Z",
                              .expires = "2002-01-01T00:00:00Z" });
  assert_refused (f, NAME, NULL, VTREE_ERROR_EXPIRED,
                  "version 5 expired at 2002-01-01T00:00:00Z");
  assert_refused (f, NAME "@5", NULL, VTREE_ERROR_EXPIRED, "version 5 expired");
  release_assert_mark (f, 0);
  assert_accepted (f, NAME, &forced, 5, "forced: '" NAME "': version 5 expired");
}

static void
test_not_expired (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .expires = "9999-12-31T23:59:59Z" });
  assert_accepted (f, NAME, NULL, 1, NULL);
}

/* A clock that was set back is told by a release that is newer than it. */
static void
test_newest_created_counts (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5, .expires = "9000-01-01T00:00:00Z" });
  assert_accepted (f, NAME, NULL, 5, NULL);
  release_put (f, &(Release){ .version = 6, .created = "9500-01-01T00:00:00Z" });
  assert_accepted (f, NAME, NULL, 6, NULL);
  assert_refused (f, NAME "@5", NULL, VTREE_ERROR_EXPIRED,
                  "judged by a release made at 9500-01-01T00:00:00Z");
  release_put (f, &(Release){ .version = 7 });
  assert_accepted (f, NAME, NULL, 7, NULL);
  assert_refused (f, NAME "@5", NULL, VTREE_ERROR_EXPIRED, "9500-01-01");
}

static void
test_expired_when_made (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .created = "9500-01-01T00:00:00Z",
                              .expires = "9499-01-01T00:00:00Z" });
  assert_refused (f, NAME, NULL, VTREE_ERROR_EXPIRED, "expired at 9499");
}

/* Another ref's publisher with a wrong clock harms nobody else. */
static void
test_created_is_each_refs_own (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .ref = "apps/x", .created = "9500-01-01T00:00:00Z" });
  assert_accepted (f, "apps/x", NULL, 1, NULL);
  release_put (f, &(Release){ .expires = "9000-01-01T00:00:00Z" });
  assert_accepted (f, NAME, NULL, 1, NULL);
}

/* --- state ------------------------------------------------------------------------ */

static void
test_state_that_cannot_be_written (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5 });
  VtreeResolveOptions pinned = { .raise_mark = true, .digest = &f->manifest[0] };
  VtreeResolveOptions bounded = { .raise_mark = true, .min_version = 5 };
  VtreeResolveOptions looking = { .raise_mark = false };
  vtree_test_fault_fail (VTREE_TEST_WRITE, 0, EROFS);
  g_autoptr (GError) error = NULL;
  g_assert_null (release_resolve (f, NAME, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EROFS, "raise mark");
  assert_accepted (f, NAME, &pinned, 5, "accepted without a mark");
  assert_accepted (f, NAME, &bounded, 5, "accepted without a mark");
  assert_accepted (f, NAME, &looking, 5, NULL);
  vtree_test_fault_clear ();
  release_assert_mark (f, 0);
}

static void
test_state_that_cannot_be_synced (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5 });
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EIO);
  g_autoptr (GError) error = NULL;
  g_assert_null (release_resolve (f, NAME, NULL, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "raise mark");
}

/* A mark that is there and unreadable in its sense is never "none", pinned or not. */
static void
test_malformed_mark (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  accept_five (f);
  release_write (vtree_paths_marks (f->paths), NAME "/head", "rubbish\n");
  VtreeResolveOptions pinned = { .digest = &f->manifest[0], .force = true };
  assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "vtree mark reset " NAME);
  assert_refused (f, NAME, &pinned, VTREE_ERROR_CORRUPT, "vtree mark reset " NAME);
}

/* --- other ways in ---------------------------------------------------------------- */

static void
test_digest_spec (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  char text[VTREE_DIGEST_TEXT_MAX];
  vtree_digest_format (&f->manifest[0], text);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved = release_resolve (f, text, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (resolved->statement);
  vtree_test_assert_digest_equal (&resolved->manifest, &f->manifest[0]);
  g_assert_cmpuint (resolved->manifest_size, ==, f->size[0]);
  VtreeResolveOptions other = { .digest = &f->manifest[1] };
  VtreeResolveOptions bounded = { .min_version = 1 };
  assert_refused (f, text, &other, VTREE_ERROR_CORRUPT, "digest= wants");
  assert_refused (f, text, &bounded, VTREE_ERROR_INVALID, "has no version");
  text[7] = text[7] == '0' ? '1' : '0';
  assert_refused (f, text, NULL, VTREE_ERROR_MISSING, "there is no manifest");
}

static void
test_statement_outside (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  VtreeResolveOptions options = { .paths = f->paths, .raise_mark = true };
  Release release = { .version = 4 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved
    = vtree_resolve_statement (NAME, root, sig, &options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (resolved->statement->version, ==, 4);
  release_assert_mark (f, 4);
  g_assert_null (vtree_resolve_statement (NAME, root, NULL, &options, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "is not signed");
  g_clear_error (&error);
  g_assert_null (vtree_resolve_statement ("os/testing", root, sig, &options, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "another ref");
}

/* --- opening ---------------------------------------------------------------------- */

static char *
object_path (ReleaseFixture *f)
{
  char path[VTREE_DIGEST_PATH_MAX];
  return g_build_filename (vtree_repo_path (f->repo), "objects",
                           vtree_digest_path (&f->manifest[0], path), NULL);
}

static VtreeView *
open_view (ReleaseFixture *f, uint64_t size, GError **error)
{
  g_autoptr (VtreeStore) store = vtree_store_new (f->repo, NULL);
  g_autoptr (VtreeResolved) resolved = release_resolve (f, NAME, NULL, NULL);
  g_assert_nonnull (resolved);
  resolved->manifest_size = size;
  return vtree_resolved_open (resolved, store, VTREE_VERITY_AUTO, error);
}

/* What gc asks: can it have the manifest for itself? */
static bool
is_held (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  bool held = flock (fd, LOCK_EX | LOCK_NB) < 0;
  close (fd);
  return held;
}

static void
test_open_holds_the_manifest (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  g_autofree char *path = object_path (f);
  g_autoptr (GError) error = NULL;
  VtreeView *view = open_view (f, f->size[0], &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_view_totals (view)->inodes, ==, 1);
  g_assert_true (is_held (path));
  vtree_view_unref (view);
  g_assert_false (is_held (path));
}

static void
test_open_beside_gc (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  g_autofree char *path = object_path (f);
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_view (f, f->size[0], &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, "manifest sha256:");
}

static void
test_open_checks_the_object (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  g_autofree char *path = object_path (f);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_view (f, f->size[0] + 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "manifest sha256:");
  g_clear_error (&error);
  g_assert_cmpint (chmod (path, 0644), ==, 0);
  g_auto (VtreeFd) fd = open (path, O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, "X", 1, 100), ==, 1);
  g_assert_null (open_view (f, f->size[0], &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "manifest sha256:");
  g_clear_error (&error);
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_null (open_view (f, f->size[0], &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "manifest sha256:");
}

#define ADD(name, func)                                                                \
  g_test_add ("/manifest/resolve/" name, ReleaseFixture, NULL, release_set_up, func,   \
              release_tear_down)

static void
add_trust (void)
{
  ADD ("unsigned", test_unsigned);
  ADD ("unknown-key", test_unknown_key);
  ADD ("revoked-key", test_revoked_key);
  ADD ("key-for-another-prefix", test_key_for_another_prefix);
  ADD ("prefix-key-by-another-name", test_prefix_key_by_another_name);
  ADD ("signature-over-other-bytes", test_signature_over_other_bytes);
  ADD ("signature-without-context", test_signature_without_context);
  ADD ("malformed-signatures", test_malformed_signatures);
  ADD ("nothing-is-parsed-before-it-is-verified",
       test_nothing_is_parsed_before_it_is_verified);
  ADD ("key-file", test_key_file);
  ADD ("another-ref", test_another_ref);
}

static void
add_age (void)
{
  ADD ("replay", test_replay);
  ADD ("replay-by-another-trusted-key", test_replay_by_another_trusted_key);
  ADD ("replay-in-place", test_replay_in_place);
  ADD ("replay-at-first-use", test_replay_at_first_use);
  ADD ("named-older", test_named_older);
  ADD ("forced-older", test_forced_older);
  ADD ("same-version-another-manifest", test_same_version_another_manifest);
  ADD ("reset-forgets", test_reset_forgets);
  ADD ("min-version", test_min_version);
  ADD ("digest-option", test_digest_option);
  ADD ("expired", test_expired);
  ADD ("not-expired", test_not_expired);
  ADD ("newest-created-counts", test_newest_created_counts);
  ADD ("expired-when-made", test_expired_when_made);
  ADD ("created-is-each-refs-own", test_created_is_each_refs_own);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("accepted", test_accepted);
  ADD ("looking-raises-no-mark", test_looking_raises_no_mark);
  ADD ("newer-raises", test_newer_raises);
  ADD ("named-newer-raises", test_named_newer_raises);
  ADD ("no-such-thing", test_no_such_thing);
  add_trust ();
  add_age ();
  ADD ("state-that-cannot-be-written", test_state_that_cannot_be_written);
  ADD ("state-that-cannot-be-synced", test_state_that_cannot_be_synced);
  ADD ("malformed-mark", test_malformed_mark);
  ADD ("digest-spec", test_digest_spec);
  ADD ("statement-outside", test_statement_outside);
  ADD ("open-holds-the-manifest", test_open_holds_the_manifest);
  ADD ("open-beside-gc", test_open_beside_gc);
  ADD ("open-checks-the-object", test_open_checks_the_object);
  return vtree_test_run ();
}
