/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/manifest/checkout-fixture.h"

#include <string.h>
#include <unistd.h>

void
checkout_fixture_init (CheckoutFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = vtree_test_make_dir ();
  *fixture = (CheckoutFixture){ .path = g_build_filename (dir, "repo", NULL) };
  VtreeRepoOptions options = { .digest = VTREE_DIGEST_SHA256 };
  vtree_repo_init (fixture->path, &options, &error);
  g_assert_no_error (error);
  fixture->repo = vtree_repo_open (fixture->path, &error);
  g_assert_no_error (error);
  fixture->store = vtree_store_new (fixture->repo, &error);
  g_assert_no_error (error);
  vtree_capture_options_init (&fixture->capture);
  fixture->capture.owner = VTREE_OWNER_KEEP;
  fixture->checkout.keep_owner = geteuid () == 0;
  fixture->checkout.report = &fixture->report;
}

void
checkout_fixture_clear (CheckoutFixture *fixture)
{
  g_clear_pointer (&fixture->store, vtree_store_free);
  g_clear_pointer (&fixture->repo, vtree_repo_free);
  g_clear_pointer (&fixture->path, g_free);
}

GBytes *
checkout_fixture_put (CheckoutFixture *fixture, const char *dir)
{
  g_autoptr (GError) error = NULL;
  VtreeIngestOptions options = { .verity = VTREE_VERITY_AUTO };
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fixture->repo, &options, &error);
  g_assert_no_error (error);
  GBytes *manifest = tree_fixture_capture (dir, &fixture->capture, ingest, &error);
  g_assert_no_error (error);
  vtree_ingest_seal (ingest, &error);
  g_assert_no_error (error);
  return manifest;
}

bool
checkout_fixture_try (CheckoutFixture *fixture, GBytes *manifest, const char *target,
                      GError **error)
{
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  return vtree_checkout (view, fixture->store, target, &fixture->checkout, error);
}

void
checkout_fixture_get (CheckoutFixture *fixture, GBytes *manifest, const char *target)
{
  g_autoptr (GError) error = NULL;
  checkout_fixture_try (fixture, manifest, target, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) again = tree_fixture_capture_ok (target, &fixture->capture);
  g_autofree char *expected = tree_fixture_digest (manifest);
  g_autofree char *got = tree_fixture_digest (again);
  g_assert_cmpstr (got, ==, expected);
}

char *
checkout_fixture_target (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  return tree_fixture_path (dir, "out");
}

void
checkout_fixture_rsync (const char *from, const char *to)
{
  g_autofree char *source = g_strconcat (from, "/", NULL);
  g_autofree char *target = g_strconcat (to, "/", NULL);
  const char *const argv[]
    = { "rsync",      "-naHAXSi",  "--numeric-ids", "--checksum", "--delete",
        "--specials", "--devices", source,          target,       NULL };
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status;
  g_auto (GStrv) copy = g_strdupv ((char **) (void *) argv);
  g_spawn_sync (NULL, copy, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
                &status, &error);
  if (g_error_matches (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT)) {
    vtree_test_skip ("rsync is not installed");
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpstr (output, ==, "");
}
