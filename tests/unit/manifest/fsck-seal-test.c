/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fsck --seal, on a fake kernel that knows nothing of the repository's files at first.
 */
#include "manifest/fsck.h"
#include "tests/unit/core/certificate.h"
#include "tests/unit/core/fake-kernel.h"
#include "tests/unit/manifest/versions-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define LARGE ((size_t) 1 << 20)
/* what the two releases below have */
#define OBJECTS 4
#define OWN_FILES 5

typedef struct {
  VersionsFixture versions;
  char *small, *large, *merkle; /* paths */
  GString *problems;
} Fixture;

static const char *const own_files[OWN_FILES]
  = { "config", "refs/app/1.root", "refs/app/1.sig", "refs/b/1.root", "refs/b/1.sig" };

static void
fixture_init (Fixture *fixture)
{
  g_autofree uint8_t *data = repo_fixture_bytes (LARGE, 1);
  VersionFile files[]
    = { { "small", "contents", 8 }, { "d/large", data, LARGE }, { 0 } };
  VersionFile few[] = { { "small", "contents", 8 }, { 0 } };
  VersionSpec app = { "app", 1, files, VERSION_SIGNED };
  VersionSpec b = { "b", 1, few, VERSION_SIGNED };
  fake_kernel_begin ();
  fake_kernel.supported = false;
  versions_fixture_init (&fixture->versions);
  versions_fixture_put (&fixture->versions, &app);
  versions_fixture_put (&fixture->versions, &b);
  fake_kernel.supported = true;
  VtreeDigest small = versions_fixture_digest ("contents", 8);
  VtreeDigest large = versions_fixture_digest (data, LARGE);
  fixture->small = repo_fixture_object (&fixture->versions.repo, &small);
  fixture->large = repo_fixture_object (&fixture->versions.repo, &large);
  fixture->merkle = repo_fixture_merkle (&fixture->versions.repo, &large);
  fixture->problems = g_string_new (NULL);
}

static void
fixture_clear (Fixture *fixture)
{
  g_free (fixture->small);
  g_free (fixture->large);
  g_free (fixture->merkle);
  g_string_free (fixture->problems, TRUE);
  versions_fixture_clear (&fixture->versions);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static void
note_problem (void *context, const VtreeFsckProblem *problem)
{
  Fixture *fixture = context;
  g_string_append_printf (fixture->problems, "%s%s\n",
                          problem->kind == VTREE_FSCK_UNSEALED ? "unsealed " : "",
                          problem->message);
}

static bool
try_seal (Fixture *fixture, VtreeFsckOptions options, VtreeFsckResult *result,
          GError **error)
{
  g_string_set_size (fixture->problems, 0);
  options.paths = fixture->versions.paths;
  options.seal = true;
  options.problem = note_problem;
  options.context = fixture;
  return vtree_fsck (fixture->versions.repo.repo, &options, result, error);
}

static VtreeFsckResult
seal (Fixture *fixture, VtreeFsckOptions options)
{
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result = { 0 };
  try_seal (fixture, options, &result, &error);
  g_assert_no_error (error);
  return result;
}

static void
assert_own_files (const Fixture *fixture, bool is_signed)
{
  for (size_t i = 0; i < OWN_FILES; i++) {
    g_autofree char *path = repo_fixture_path (&fixture->versions.repo, own_files[i]);
    g_assert_true (fake_kernel_enforces (path));
    g_autoptr (GBytes) signature = fake_kernel_signature_of (path);
    g_assert_cmpint (signature != NULL, ==, is_signed);
  }
}

/* Everything is, each once, as the files that they were; and nothing the next time. */
static void
test_all (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  ino_t before = fake_kernel_inode (fixture.large);
  g_assert_true (g_file_test (fixture.merkle, G_FILE_TEST_EXISTS));
  VtreeFsckResult result = seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpstr (fixture.problems->str, ==, "");
  g_assert_cmpuint (result.sealed, ==, OBJECTS);
  g_assert_cmpuint (result.sealed_before, ==, 0);
  g_assert_cmpuint (result.sealed_files, ==, OWN_FILES);
  g_assert_cmpuint (result.unsealed, ==, 0);
  g_assert_true (fake_kernel_enforces (fixture.small));
  g_assert_cmpuint (repo_fixture_mode (fixture.small), ==, 0444);
  g_assert_cmpuint (fake_kernel_inode (fixture.large), ==, before);
  g_assert_false (g_file_test (fixture.merkle, G_FILE_TEST_EXISTS));
  assert_own_files (&fixture, false);
  unsigned enabled = fake_kernel.enabled;
  result = seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpuint (result.sealed, ==, 0);
  g_assert_cmpuint (result.sealed_before, ==, OBJECTS);
  g_assert_cmpuint (result.sealed_files, ==, 0);
  g_assert_cmpuint (fake_kernel.enabled, ==, enabled);
}

static void
test_one_ref (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  const char *const refs[] = { "b", NULL };
  VtreeFsckResult result = seal (&fixture, (VtreeFsckOptions){ .refs = refs });
  g_assert_cmpuint (result.sealed, ==, 2);
  g_assert_cmpuint (result.sealed_files, ==, 3);
  g_assert_false (fake_kernel_enforces (fixture.large));
}

/* A kill between two steps leaves one of these. */
static void
test_interrupted (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  g_assert_cmpint (g_chmod (fixture.small, 0644), ==, 0);
  seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpuint (repo_fixture_mode (fixture.small), ==, 0444);
  g_assert_true (fake_kernel_enforces (fixture.small));
  g_assert_cmpint (g_chmod (fixture.small, 0644), ==, 0);
  seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpuint (repo_fixture_mode (fixture.small), ==, 0444);
}

/* What the kernel hashed is the check. */
static void
test_corrupt (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  repo_fixture_flip (fixture.large, 5000);
  VtreeFsckResult result = seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpuint (result.corrupt, ==, 1);
  g_assert_cmpuint (result.sealed, ==, OBJECTS - 1);
  g_assert_nonnull (strstr (fixture.problems->str, "the kernel measured sha256:"));
  result = seal (&fixture, (VtreeFsckOptions){ 0 }); /* it has verity now */
  g_assert_cmpuint (result.corrupt, ==, 1);
  g_assert_cmpuint (result.sealed_before, ==, OBJECTS - 1);
}

/* A file of another size is not even read. */
static void
test_other_size (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  g_assert_cmpint (truncate (fixture.large, (off_t) 1 << 40), ==, 0);
  VtreeFsckResult result = seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpuint (result.corrupt, ==, 1);
  g_assert_false (fake_kernel_enforces (fixture.large));
}

/* …and repaired ones are sealed at once. */
static void
test_repair (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  g_autofree char *source = repo_fixture_source ("contents", 8);
  g_autofree char *dir = g_path_get_dirname (source);
  repo_fixture_flip (fixture.small, 1);
  VtreeFsckResult result = seal (&fixture, (VtreeFsckOptions){ .repair_from = dir });
  g_assert_cmpuint (result.repaired, ==, 1);
  g_assert_cmpuint (result.corrupt, ==, 0);
  g_assert_true (fake_kernel_enforces (fixture.small));
}

/* Those that can't be are named, and checked as ever. */
static void
test_unable (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  fake_kernel.in_place_errnum = EACCES;
  repo_fixture_flip (fixture.large, 5000);
  VtreeFsckResult result = seal (&fixture, (VtreeFsckOptions){ 0 });
  g_assert_cmpuint (result.sealed, ==, 0);
  g_assert_cmpuint (result.unsealed, ==, OBJECTS - 1);
  g_assert_cmpuint (result.corrupt, ==, 1);
  g_assert_nonnull (strstr (fixture.problems->str, "unsealed enable verity: "));
  g_assert_cmpuint (repo_fixture_mode (fixture.small), ==, 0444);
  g_assert_true (g_file_test (fixture.merkle, G_FILE_TEST_EXISTS));
}

static void
test_full_disk (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  fake_kernel.enable_errnum = ENOSPC;
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result;
  g_assert_false (try_seal (&fixture, (VtreeFsckOptions){ 0 }, &result, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOSPC, "check ");
  g_assert_cmpuint (repo_fixture_mode (fixture.small), ==, 0444);
}

static void
test_unsupported (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  fake_kernel.supported = false;
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result;
  g_assert_false (try_seal (&fixture, (VtreeFsckOptions){ 0 }, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                           "nothing can be sealed: ");
}

/* What was sealed without a signature gets it as another file, once. */
static void
test_signed (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture);
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate.key, certificate.cert, NULL);
  VtreeFsckOptions options = { .signer = signer };
  const char *const refs[] = { "b", NULL };
  seal (&fixture, (VtreeFsckOptions){ .refs = refs });
  ino_t small = fake_kernel_inode (fixture.small);
  ino_t large = fake_kernel_inode (fixture.large);
  VtreeFsckResult result = seal (&fixture, options);
  g_assert_cmpstr (fixture.problems->str, ==, "");
  g_assert_cmpuint (result.sealed, ==, OBJECTS);
  g_assert_cmpuint (result.sealed_files, ==, OWN_FILES);
  g_assert_cmpuint (fake_kernel_inode (fixture.small), !=, small);
  g_assert_cmpuint (fake_kernel_inode (fixture.large), ==, large);
  g_autoptr (GBytes) one = fake_kernel_signature_of (fixture.small);
  g_autoptr (GBytes) other = fake_kernel_signature_of (fixture.large);
  g_assert_true (one != NULL && other != NULL);
  assert_own_files (&fixture, true);
  unsigned enabled = fake_kernel.enabled;
  result = seal (&fixture, options);
  g_assert_cmpuint (result.sealed_before, ==, OBJECTS);
  g_assert_cmpuint (fake_kernel.enabled, ==, enabled + 1); /* the probe */
}

static void
add (const char *name, void (*test) (void))
{
  g_autofree char *path = g_strconcat ("/manifest/fsck-seal/", name, NULL);
  g_test_add_func (path, test);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("all", test_all);
  add ("one-ref", test_one_ref);
  add ("interrupted", test_interrupted);
  add ("corrupt", test_corrupt);
  add ("other-size", test_other_size);
  add ("repair", test_repair);
  add ("unable", test_unable);
  add ("full-disk", test_full_disk);
  add ("unsupported", test_unsupported);
  add ("signed", test_signed);
  int status = vtree_test_run ();
  fake_kernel_end ();
  return status;
}
