/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ingest where the kernel enforces fs-verity, with this file's functions in place
 * of kernel.c and kernel-signature.c: a file is enforced from the moment that it was
 * enabled, by inode.
 */
#include "core/kernel-signature.h"
#include "core/verity.h"
#include "tests/unit/core/certificate.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const VtreeRepoOptions plain = { .digest = VTREE_DIGEST_SHA256 };

/* The simulated kernel's state. */
static struct {
  GMutex lock;
  GHashTable *enabled;    /* inode -> VtreeDigest */
  GHashTable *signatures; /* inode -> GBytes */
  bool supported;
  int enable_errnum;   /* of every enable; 0: none */
  int in_place_errnum; /* of those in the store */
  bool lies;           /* measures something else */
} kernel;

static ino_t
inode_of (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return st.st_ino;
}

bool
vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error)
{
  (void) error;
  g_mutex_lock (&kernel.lock);
  const VtreeDigest *found
    = g_hash_table_lookup (kernel.enabled, GSIZE_TO_POINTER (inode_of (fd)));
  *enforced = found != NULL;
  if (found != NULL)
    *digest = *found;
  if (kernel.lies)
    digest->value[0] ^= 1;
  g_mutex_unlock (&kernel.lock);
  return true;
}

bool
vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported, GError **error)
{
  (void) dirfd;
  (void) alg;
  (void) error;
  *supported = kernel.supported;
  return true;
}

/* As the kernel has it: a read-only descriptor, write permission on the inode, and no
 * writable descriptor anywhere (a write lease tells). */
bool
vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
  g_assert_cmpuint (st.st_mode & S_IWUSR, !=, 0);
  g_assert_cmpint (fcntl (fd, F_SETLEASE, F_RDLCK), ==, 0);
  g_assert_cmpint (fcntl (fd, F_SETLEASE, F_UNLCK), ==, 0);
  if (kernel.enable_errnum != 0)
    return vtree_error_set_errno (error, kernel.enable_errnum, "enable verity");
  if (kernel.in_place_errnum != 0 && (st.st_mode & 07777) != 0600)
    return vtree_error_set_errno (error, kernel.in_place_errnum, "enable verity");
  VtreeVerityParams params
    = { .alg = alg, .size = (uint64_t) st.st_size, .merkle_fd = -1 };
  VtreeDigest digest = { 0 };
  vtree_verity_compute_fd (&params, fd, &digest, NULL);
  g_mutex_lock (&kernel.lock);
  g_hash_table_insert (kernel.enabled, GSIZE_TO_POINTER (st.st_ino),
                       vtree_digest_dup (&digest));
  g_mutex_unlock (&kernel.lock);
  return true;
}

bool
vtree_kernel_enable_signed (int fd, VtreeDigestAlg alg, GBytes *signature,
                            GError **error)
{
  if (!vtree_kernel_enable (fd, alg, error))
    return false;
  g_mutex_lock (&kernel.lock);
  g_hash_table_insert (kernel.signatures, GSIZE_TO_POINTER (inode_of (fd)),
                       g_bytes_ref (signature));
  g_mutex_unlock (&kernel.lock);
  return true;
}

bool
vtree_kernel_signature (int fd, GBytes **signature, GError **error)
{
  (void) error;
  g_mutex_lock (&kernel.lock);
  GBytes *found
    = g_hash_table_lookup (kernel.signatures, GSIZE_TO_POINTER (inode_of (fd)));
  *signature = found != NULL ? g_bytes_ref (found) : NULL;
  g_mutex_unlock (&kernel.lock);
  return true;
}

bool
vtree_kernel_knows_signatures (void)
{
  return kernel.supported;
}

bool
vtree_kernel_requires_signatures (void)
{
  return false;
}

static ino_t
inode_at (const char *path)
{
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  return st.st_ino;
}

static bool
is_enforced (const char *path)
{
  return g_hash_table_contains (kernel.enabled, GSIZE_TO_POINTER (inode_at (path)));
}

static void
setup (RepoFixture *fixture)
{
  g_clear_pointer (&kernel.enabled, g_hash_table_unref);
  kernel.enabled = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_clear_pointer (&kernel.signatures, g_hash_table_unref);
  kernel.signatures
    = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_bytes_unref);
  kernel.supported = true;
  kernel.lies = false;
  kernel.enable_errnum = kernel.in_place_errnum = 0;
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
  kernel.supported = policies[i].supported;
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 };
  VtreeIngestStats stats;
  put (&fixture, policies[i].policy, 1 << 20, &digest, &stats, &error);
  g_assert_no_error (error);
  g_autofree char *object = repo_fixture_object (&fixture, &digest);
  g_autofree char *merkle = repo_fixture_merkle (&fixture, &digest);
  g_assert_cmpint (is_enforced (object), ==, policies[i].enforced);
  g_assert_cmpuint (repo_fixture_mode (object), ==, 0444);
  g_assert_cmpint (g_file_test (merkle, G_FILE_TEST_EXISTS), ==, !policies[i].enforced);
}

static void
test_require_without_support (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  kernel.supported = false;
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
  ino_t before = inode_at (object);
  g_assert_false (is_enforced (object));
  g_assert_true (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 1 << 20, &digest, &stats, &error));
  g_assert_true (is_enforced (object));
  g_assert_cmpuint (inode_at (object), ==, before);
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
  ino_t before = inode_at (object);
  kernel.in_place_errnum = EOPNOTSUPP;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 1 << 20, &digest, &stats, &error));
  g_assert_true (is_enforced (object));
  g_assert_cmpuint (inode_at (object), !=, before);
  g_assert_false (g_file_test (merkle, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (stats.replaced, ==, 0);
  g_assert_cmpuint (stats.new_objects, ==, 1);
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
  ino_t unsigned_inode = inode_at (object);
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  ino_t signed_inode = inode_at (object);
  g_assert_cmpuint (signed_inode, !=, unsigned_inode);
  GBytes *found
    = g_hash_table_lookup (kernel.signatures, GSIZE_TO_POINTER (signed_inode));
  g_autoptr (GBytes) again = vtree_object_signer_sign (signer, &digest, &error);
  g_assert_true (found != NULL && g_bytes_equal (found, again));
  g_assert_true (put_signed (&fixture, &options, 9000, &digest, &stats, &error));
  g_assert_cmpuint (inode_at (object), ==, signed_inode);
  g_assert_cmpuint (stats.shared_objects, ==, 1);
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
  kernel.supported = refusals[i].supported;
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
  struct stat st;
  g_assert_cmpint (stat (object, &st), ==, 0);
  VtreeDigest *recorded
    = g_hash_table_lookup (kernel.enabled, GSIZE_TO_POINTER (st.st_ino));
  recorded->value[3] ^= 1;
  g_assert_true (put (&fixture, VTREE_VERITY_AUTO, 5000, &digest, &stats, &error));
  g_assert_cmpuint (stats.replaced, ==, 1);
}

static void
test_enable_fails (void)
{
  g_auto (RepoFixture) fixture = { 0 };
  setup (&fixture);
  kernel.enable_errnum = ENOSPC;
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
  kernel.lies = true;
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
  g_test_add_func ("/core/ingest-kernel/off-after-on", test_off_after_on);
  g_test_add_func ("/core/ingest-kernel/signed", test_signed);
  for (size_t i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *path
      = g_strdup_printf ("/core/ingest-kernel/signed-refused/%s", refusals[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_signed_refused);
  }
  g_test_add_func ("/core/ingest-kernel/other-verity-file", test_other_verity_file);
  g_test_add_func ("/core/ingest-kernel/enable-fails", test_enable_fails);
  g_test_add_func ("/core/ingest-kernel/measures-otherwise", test_measures_otherwise);
  int status = vtree_test_run ();
  g_hash_table_unref (kernel.enabled);
  g_hash_table_unref (kernel.signatures);
  return status;
}
