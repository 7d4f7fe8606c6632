/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Releases that are older than they may be: rollback, expiry, and the state that
 * tells. */
#include "tests/lib/test.h"
#include "tests/unit/manifest/release-fixture.h"

#include <errno.h>

#define NAME RELEASE_REF

static const VtreeResolveOptions forced = { .raise_mark = true, .force = true };

/* --- rollback --------------------------------------------------------------------- */

static void
test_replay (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  release_accept_five (f);
  release_set_head (f, NAME, 3);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
  release_assert_mark (f, 5);
}

static void
test_replay_by_another_trusted_key (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_accept_five (f);
  release_put (f, &(Release){ .version = 3, .signers = 1u << BOB });
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
}

/* The old statement in the place of the new one's files. */
static void
test_replay_in_place (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_accept_five (f);
  Release release = { .version = 3 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 5, root, sig);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
  release_assert_refused (f, NAME "@5", NULL, VTREE_ERROR_CORRUPT,
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
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT,
                          "in the place of version 5");
  release_assert_mark (f, 0);
}

static void
test_named_older (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  release_accept_five (f);
  release_assert_accepted (f, NAME "@3", NULL, 3, "older than version 5");
  release_assert_mark (f, 5);
  release_assert_accepted (f, NAME, NULL, 5, NULL);
}

static void
test_forced_older (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  release_accept_five (f);
  release_set_head (f, NAME, 3);
  release_assert_accepted (f, NAME, &forced, 3,
                           "forced: '" NAME "': version 3 is older");
  release_assert_mark (f, 5);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 5");
}

static void
test_same_version_another_manifest (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_accept_five (f);
  release_put (f, &(Release){ .version = 5, .manifest = 1 });
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK,
                          "version 5 is another tree");
  release_assert_refused (f, NAME "@5", NULL, VTREE_ERROR_ROLLBACK,
                          "version 5 is another tree");
  release_assert_accepted (f, NAME, &forced, 5,
                           "forced: '" NAME "': version 5 is another");
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK,
                          "version 5 is another tree");
  VtreeResolveOptions pinned = { .raise_mark = true, .digest = &f->manifest[1] };
  release_assert_accepted (f, NAME, &pinned, 5, "its digest was given");
  release_put (f, &(Release){ .version = 5, .created = "2026-02-02T00:00:00Z" });
  release_assert_accepted (f, NAME, NULL, 5, NULL);
}

static void
test_reset_forgets (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  release_accept_five (f);
  release_set_head (f, NAME, 3);
  g_assert_true (vtree_mark_reset (f->paths, NAME, NULL));
  release_assert_accepted (f, NAME, NULL, 3, NULL);
  release_assert_mark (f, 3);
}

static void
test_min_version (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5 });
  VtreeResolveOptions five = { .min_version = 5 };
  VtreeResolveOptions six = { .min_version = 6, .force = true };
  release_assert_accepted (f, NAME, &five, 5, NULL);
  release_assert_refused (f, NAME, &six, VTREE_ERROR_ROLLBACK,
                          "older than min_version=6");
  release_assert_refused (f, NAME "@5", &six, VTREE_ERROR_ROLLBACK,
                          "older than min_version=6");
}

static void
test_digest_option (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3 });
  release_put (f, &(Release){ .version = 5, .manifest = 1 });
  VtreeResolveOptions zero = { .raise_mark = true, .digest = &f->manifest[0] };
  VtreeResolveOptions one = { .raise_mark = true, .digest = &f->manifest[1] };
  release_assert_refused (f, NAME, &zero, VTREE_ERROR_CORRUPT, "digest= wants sha256:");
  release_assert_accepted (f, NAME, &one, 5, NULL);
  release_assert_mark (f, 5);
  release_set_head (f, NAME, 3);
  release_assert_accepted (f, NAME, &zero, 3, "older than version 5");
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
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_EXPIRED,
                          "version 5 expired at 2002-01-01T00:00:00Z");
  release_assert_refused (f, NAME "@5", NULL, VTREE_ERROR_EXPIRED, "version 5 expired");
  release_assert_mark (f, 0);
  release_assert_accepted (f, NAME, &forced, 5,
                           "forced: '" NAME "': version 5 expired");
}

static void
test_not_expired (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .expires = "9999-12-31T23:59:59Z" });
  release_assert_accepted (f, NAME, NULL, 1, NULL);
}

/* A clock that was set back is told by a release that is newer than it. */
static void
test_newest_created_counts (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 5, .expires = "9000-01-01T00:00:00Z" });
  release_assert_accepted (f, NAME, NULL, 5, NULL);
  release_put (f, &(Release){ .version = 6, .created = "9500-01-01T00:00:00Z" });
  release_assert_accepted (f, NAME, NULL, 6, NULL);
  release_assert_refused (f, NAME "@5", NULL, VTREE_ERROR_EXPIRED,
                          "judged by a release made at 9500-01-01T00:00:00Z");
  release_put (f, &(Release){ .version = 7 });
  release_assert_accepted (f, NAME, NULL, 7, NULL);
  release_assert_refused (f, NAME "@5", NULL, VTREE_ERROR_EXPIRED, "9500-01-01");
}

static void
test_expired_when_made (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .created = "9500-01-01T00:00:00Z",
                              .expires = "9499-01-01T00:00:00Z" });
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_EXPIRED, "expired at 9499");
}

/* Another ref's publisher with a wrong clock harms nobody else. */
static void
test_created_is_each_refs_own (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .ref = "apps/x", .created = "9500-01-01T00:00:00Z" });
  release_assert_accepted (f, "apps/x", NULL, 1, NULL);
  release_put (f, &(Release){ .expires = "9000-01-01T00:00:00Z" });
  release_assert_accepted (f, NAME, NULL, 1, NULL);
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
  release_assert_accepted (f, NAME, &pinned, 5, "accepted without a mark");
  release_assert_accepted (f, NAME, &bounded, 5, "accepted without a mark");
  release_assert_accepted (f, NAME, &looking, 5, NULL);
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
  release_accept_five (f);
  release_write (vtree_paths_marks (f->paths), NAME "/head", "rubbish\n");
  VtreeResolveOptions pinned = { .digest = &f->manifest[0], .force = true };
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "vtree mark reset " NAME);
  release_assert_refused (f, NAME, &pinned, VTREE_ERROR_CORRUPT,
                          "vtree mark reset " NAME);
}

#define ADD(name, func)                                                                \
  g_test_add ("/manifest/rollback/" name, ReleaseFixture, NULL, release_set_up, func,  \
              release_tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
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
  ADD ("state-that-cannot-be-written", test_state_that_cannot_be_written);
  ADD ("state-that-cannot-be-synced", test_state_that_cannot_be_synced);
  ADD ("malformed-mark", test_malformed_mark);
  return vtree_test_run ();
}
