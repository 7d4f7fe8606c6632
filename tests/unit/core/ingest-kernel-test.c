/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ingest where the kernel enforces fs-verity: a fake one.
 */
#include "core/verity.h"
#include "tests/unit/core/certificate.h"
#include "tests/unit/core/fake-kernel.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const VtreeRepoOptions plain = { .digest = VTREE_DIGEST_SHA256 };

static void
setup (RepoFixture *fixture)
{
  fake_kernel_begin ();
  repo_fixture_init (fixture, &plain);
}

static bool
put_signed (const RepoFixture *fixture, const VtreeIngestOptions *wanted, size_t size,
            VtreeDigest *digest, VtreeIngestStats *stats, GError **error)
{
  VtreeIngestOptions options = *wanted;
  g_autofree uint8_t *data = repo_fixture_bytes (size, 11);
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fixture->repo, &options, error);
  if (ingest == NULL || !vtree_ingest_bytes (ingest, data, size, digest, error)
      || !vtree_ingest_seal (ingest, error) || !vtree_ingest_sync (ingest, error))
    return false;
  vtree_ingest_stats (ingest, stats);
  return true;
}

static bool
put (const RepoFixture *fixture, VtreeVerityPolicy policy, size_t size,
     VtreeDigest *digest, VtreeIngestStats *stats, GError **error)
{
  VtreeIngestOptions options = { .verity = policy };
  return put_signed (fixture, &options, size, digest, stats, error);
}

static const struct {
  const char *name;
  VtreeVerityPolicy policy;
  bool supported;
  bool enforced; /* afterwards */
} policies[] = {
  { "auto", VTREE_VERITY_AUTO, true, true },
  { "auto-without-support", VTREE_VERITY_AUTO, false, false },
  { "require", VTREE_VERITY_REQUIRE, true, true },
  { "off", VTREE_VERITY_OFF, true, false },
};

/* A Merkle file is kept exactly where the kernel does not enforce. */
static void
test_policy (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  fake_kernel.supported = policies[i].supported;
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  put (&fixture, policies[i].policy, 1 << 20, &digest, &stats, &error);
  g_assert_no_error (error);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  g_assert_cmpint (fake_kernel_enforces (object), ==, policies[i].enforced);
  g_assert_cmpuint (repo_fixture_mode (object), ==, 0444);
  g_assert_cmpint (g_file_test (merkle, G_FILE_TEST_EXISTS), ==, !policies[i].enforced);
}

static void
test_require_without_support (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  fake_kernel.supported = false;
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  VtreeIngestStats stats;
  g_assert_false (put (&fixture, VTREE_VERITY_REQUIRE, 1, &digest, &stats, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                           "verity=require");
  g_assert_cmpuint (repo_fixture_count (&fixture, "tmp"), ==, 0);
}

/* An enforced object is believed by its measurement alone. */
static void
test_reuse_enforced (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 5000, &digest, &stats, &error));
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  struct stat before, after;
  g_assert_cmpint (stat (object, &before), ==, 0);
  g_assert_true (put (&fixture, VTREE_VERITY_REQUIRE, 5000, &digest, &stats, &error));
  g_assert_cmpuint (stats.shared_objects, ==, 1);
  g_assert_cmpint (stat (object, &after), ==, 0);
  g_assert_cmpuint (before.st_ino, ==, after.st_ino);
}

/* What was copied there without verity is right: it gets the kernel's enforcement
 * where it is, and stays the file that a mount may hold. */
static void
test_upgrade (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  g_assert_true (put (&fixture, VTREE_VERITY_OFF, 1 << 20, &digest, &stats, &error));
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  ino_t before = fake_kernel_inode (object);
  g_assert_false (fake_kernel_enforces (object));
  g_assert_true (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 1 << 20, &digest, &stats, &error));
  g_assert_true (fake_kernel_enforces (object));
  g_assert_cmpuint (fake_kernel_inode (object), ==, before);
  g_assert_cmpuint (repo_fixture_mode (object), ==, 0444);
  g_assert_false (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (stats.replaced, ==, 0);
  g_assert_cmpuint (stats.new_objects, ==, 0);
  g_assert_cmpuint (stats.shared_objects, ==, 1);
}

/* …and where it can't be sealed there, another file takes its place. */
static void
test_upgrade_by_another_file (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  g_assert_true (put (&fixture, VTREE_VERITY_OFF, 1 << 20, &digest, &stats, &error));
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  ino_t before = fake_kernel_inode (object);
  fake_kernel.in_place_errnum = EOPNOTSUPP;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 1 << 20, &digest, &stats, &error));
  g_assert_true (fake_kernel_enforces (object));
  g_assert_cmpuint (fake_kernel_inode (object), !=, before);
  g_assert_false (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (stats.replaced, ==, 0);
  g_assert_cmpuint (stats.new_objects, ==, 1);
}

/* The kernel's measurement says nothing of blocks; repair has them read. */
static void
test_bad_block_of_enforced (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  VtreeIngestOptions repair = { .reads_enforced = true };
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 9000, &digest, &stats, &error));
  g_assert_true (put_signed (&fixture, &repair, 9000, &digest, &stats, &error));
  g_assert_cmpuint (stats.shared_objects, ==, 1);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  ino_t before = fake_kernel_inode (object);
  repo_fixture_flip (object, 5000);
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 9000, &digest, &stats, &error));
  g_assert_cmpuint (stats.shared_objects, ==, 1);
  g_assert_true (put_signed (&fixture, &repair, 9000, &digest, &stats, &error));
  g_assert_cmpuint (stats.replaced, ==, 1);
  g_assert_cmpuint (fake_kernel_inode (object), !=, before);
  g_assert_true (fake_kernel_enforces (object));
}

/* Without its own hands on verity a commit still believes the kernel, and adds no
 * Merkle file to what that enforces. */
static void
test_off_after_on (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 1 << 20, &digest, &stats, &error));
  g_assert_true (put (&fixture, VTREE_VERITY_OFF, 1 << 20, &digest, &stats, &error));
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  g_assert_false (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (stats.shared_objects, ==, 1);
}

/* The signature belongs to the inode: what has none is written again, once. */
static void
test_signed (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate.key, certificate.cert, &error);
  g_assert_no_error (error);
  VtreeIngestOptions options = { .verity = VTREE_VERITY_AUTO, .signer = signer };
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 9000, &digest, &stats, &error));
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  ino_t unsigned_inode = fake_kernel_inode (object);
  g_auto (VtreeFd) mount = open (object, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (flock (mount, LOCK_SH | LOCK_NB), ==, 0);
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  g_assert_cmpuint (repo_fixture_count (&fixture, "tmp"), ==, 1); /* what is held */
  ino_t signed_inode = fake_kernel_inode (object);
  g_assert_cmpuint (signed_inode, !=, unsigned_inode);
  g_autoptr (GBytes) found = fake_kernel_signature_of (object);
  g_autoptr (GBytes) again = vtree_object_signer_sign (signer, &digest, &error);
  g_assert_true (found != NULL && g_bytes_equal (found, again));
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  g_assert_cmpuint (fake_kernel_inode (object), ==, signed_inode);
  g_assert_cmpuint (stats.shared_objects, ==, 1);
}

/* A filesystem that does not tell signatures: what the kernel opened though it demands
 * them has one; otherwise the object is written again, to be sure. */
static void
test_signed_silent (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate.key, certificate.cert, &error);
  VtreeIngestOptions options = { .verity = VTREE_VERITY_AUTO, .signer = signer };
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  fake_kernel.silent = true;
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  ino_t before = fake_kernel_inode (object);
  fake_kernel.requires_signatures = true;
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  g_assert_cmpuint (fake_kernel_inode (object), ==, before);
  fake_kernel.requires_signatures = false;
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  g_assert_cmpuint (fake_kernel_inode (object), !=, before);
}

static const struct {
  const char *name;
  VtreeVerityPolicy policy;
  bool supported;
  VtreeErrorCode code;
  const char *says;
} refusals[] = {
  { "no-verity", VTREE_VERITY_AUTO, false, VTREE_ERROR_UNSUPPORTED, "built-in" },
  { "off", VTREE_VERITY_OFF, true, VTREE_ERROR_INVALID, "verity=off" },
};

/* Who asks for signatures gets no file without. */
static void
test_signed_refused (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate.key, certificate.cert, &error);
  VtreeIngestOptions options = { .verity = refusals[i].policy, .signer = signer };
  VtreeDigest digest;
  VtreeIngestStats stats;
  fake_kernel.supported = refusals[i].supported;
  g_assert_false (put_signed (&fixture, &options, 9, &digest, &stats, &error));
  vtree_test_assert_error (error, VTREE_ERROR, (int) refusals[i].code,
                           refusals[i].says);
}

/* A verity file with another digest under that name, of the right size. */
static void
test_other_verity_file (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 5000, &digest, &stats, &error));
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  fake_kernel_spoil (object);
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 5000, &digest, &stats, &error));
  g_assert_cmpuint (stats.replaced, ==, 1);
}

static void
test_enable_fails (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  fake_kernel.enable_errnum = ENOSPC;
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  VtreeIngestStats stats;
  g_assert_false (put (&fixture, VTREE_VERITY_AUTO, 5000, &digest, &stats, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOSPC, "sha256:");
  g_assert_cmpuint (repo_fixture_count (&fixture, "objects"), ==, 0);
}

static void
test_measures_otherwise (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  fake_kernel.lies = true;
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  VtreeIngestStats stats;
  g_assert_false (put (&fixture, VTREE_VERITY_AUTO, 5000, &digest, &stats, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "measured");
  g_assert_cmpuint (repo_fixture_count (&fixture, "objects"), ==, 0);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (policies); i++) {
    g_autofree char *path
      = g_strdup_printf ("/core/ingest-kernel/policy/%s", policies[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_policy);
  }
  g_test_add_func ("/core/ingest-kernel/require-without-support",
                   test_require_without_support);
  g_test_add_func ("/core/ingest-kernel/reuse-enforced", test_reuse_enforced);
  g_test_add_func ("/core/ingest-kernel/upgrade", test_upgrade);
  g_test_add_func ("/core/ingest-kernel/upgrade-by-another-file",
                   test_upgrade_by_another_file);
  g_test_add_func ("/core/ingest-kernel/bad-block-of-enforced",
                   test_bad_block_of_enforced);
  g_test_add_func ("/core/ingest-kernel/off-after-on", test_off_after_on);
  g_test_add_func ("/core/ingest-kernel/signed", test_signed);
  g_test_add_func ("/core/ingest-kernel/signed-silent", test_signed_silent);
  for (size_t i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *path
      = g_strdup_printf ("/core/ingest-kernel/signed-refused/%s", refusals[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_signed_refused);
  }
  g_test_add_func ("/core/ingest-kernel/other-verity-file", test_other_verity_file);
  g_test_add_func ("/core/ingest-kernel/enable-fails", test_enable_fails);
  g_test_add_func ("/core/ingest-kernel/measures-otherwise", test_measures_otherwise);
  int status = vtree_test_run ();
  fake_kernel_end ();
  return status;
}
