/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A version's signature, and in which order it and the statement are put. */
#include "core/error.h"
#include "manifest/ref.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* A repository whose ref r has one version, signed "sig". */
typedef struct {
  RepoFixture repo;
  GError *error;
} Fixture;

static GBytes *
bytes_of (const char *text)
{
  return text != NULL ? g_bytes_new (text, strlen (text)) : NULL;
}

static bool
put (Fixture *f, uint64_t version, const char *root, const char *sig)
{
  g_autoptr (GBytes) root_bytes = bytes_of (root);
  g_autoptr (GBytes) sig_bytes = bytes_of (sig);
  return vtree_refs_put (f->repo.repo, "r", version, root_bytes, sig_bytes, NULL,
                         &f->error);
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  VtreeRepoOptions options = { .digest = VTREE_DIGEST_SHA256 };
  repo_fixture_init (&f->repo, &options);
  g_assert_true (put (f, 1, "one", "sig"));
  g_assert_no_error (f->error);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_clear_error (&f->error);
  repo_fixture_clear (&f->repo);
}

/* SIG NULL: none. */
static void
assert_signature (Fixture *f, uint64_t version, const char *sig)
{
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) got = NULL;
  g_autoptr (GBytes) wanted = bytes_of (sig);
  g_assert_true (vtree_refs_load (f->repo.repo, "r", version, &root, &got, &f->error));
  g_assert_no_error (f->error);
  g_assert_true (wanted != NULL ? got != NULL && g_bytes_equal (got, wanted)
                                : got == NULL);
}

/* A put that fails, as one that is killed, before its signature is there. */
static void
test_no_version_before_its_signature (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *path = repo_fixture_path (&f->repo, "refs/r/2.sig");
  g_assert_cmpint (mkdir (path, 0755), ==, 0);
  g_assert_false (put (f, 2, "two", "sig"));
  vtree_test_assert_error (f->error, VTREE_ERRNO_ERROR, EISDIR, "ref 'r'");
  g_clear_error (&f->error);
  g_autoptr (GArray) versions = vtree_refs_versions (f->repo.repo, "r", &f->error);
  g_assert_no_error (f->error);
  g_assert_cmpuint (versions->len, ==, 1);
}

/* What a put that was interrupted has left belongs to no later statement. */
static void
test_a_signature_that_was_left (Fixture *f, gconstpointer unused)
{
  (void) unused;
  static const char *const left[] = { "refs/r/2.sig", "refs/r/3.sig" };
  for (size_t i = 0; i < G_N_ELEMENTS (left); i++) {
    g_autofree char *path = repo_fixture_path (&f->repo, left[i]);
    g_assert_true (g_file_set_contents (path, "left", 4, NULL));
  }
  g_assert_true (put (f, 2, "two", NULL));
  g_assert_true (put (f, 3, "three", "new"));
  assert_signature (f, 2, NULL);
  assert_signature (f, 3, "new");
}

/* Neither a put again without a signature, nor one that is refused, takes it away. */
static void
test_a_signature_stays (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_assert_true (put (f, 1, "one", NULL));
  g_assert_false (put (f, 1, "other", "other"));
  vtree_test_assert_error (f->error, VTREE_ERROR, VTREE_ERROR_INVALID, "1.root");
  g_clear_error (&f->error);
  assert_signature (f, 1, "sig");
}

#define ADD(name, func)                                                                \
  g_test_add ("/manifest/refs-put/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("no-version-before-its-signature", test_no_version_before_its_signature);
  ADD ("a-signature-that-was-left", test_a_signature_that_was_left);
  ADD ("a-signature-stays", test_a_signature_stays);
  return vtree_test_run ();
}
