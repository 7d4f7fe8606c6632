/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what the kernel would know. Inode numbers are used again, so a file is known by
 * its number and the time that it was made.
 */
#include "tests/unit/core/fake-kernel.h"

#include "core/verity.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

typedef struct {
  VtreeDigest digest;
  GBytes *signature;
} Sealed;

FakeKernel fake_kernel;

static GMutex lock;
static GHashTable *files; /* name_of() -> Sealed */

static void
free_sealed (gpointer data)
{
  Sealed *sealed = data;
  g_clear_pointer (&sealed->signature, g_bytes_unref);
  g_free (sealed);
}

void
fake_kernel_begin (void)
{
  fake_kernel_end ();
  files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_sealed);
  fake_kernel = (FakeKernel){ .supported = true };
}

void
fake_kernel_end (void)
{
  g_clear_pointer (&files, g_hash_table_unref);
}

static char *
name_of (int fd, const char *path)
{
  struct statx st;
  g_assert_cmpint (
    statx (fd, path, AT_EMPTY_PATH, STATX_INO | STATX_BTIME | STATX_MODE, &st), ==, 0);
  return g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GINT64_FORMAT ".%u",
                          (uint64_t) st.stx_ino, (int64_t) st.stx_btime.tv_sec,
                          st.stx_btime.tv_nsec);
}

static Sealed *
find (int fd, const char *path)
{
  g_autofree char *name = name_of (fd, path);
  return g_hash_table_lookup (files, name);
}

bool
vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error)
{
  (void) error;
  g_mutex_lock (&lock);
  const Sealed *sealed = find (fd, "");
  *enforced = sealed != NULL;
  if (sealed != NULL) {
    *digest = sealed->digest;
    digest->value[0] ^= fake_kernel.lies ? 1 : 0;
  }
  fake_kernel.measured++;
  g_mutex_unlock (&lock);
  return true;
}

bool
vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported, GError **error)
{
  (void) dirfd;
  (void) alg;
  (void) error;
  *supported = fake_kernel.supported && !fake_kernel.requires_signatures;
  return true;
}

static int
refusal (int fd, bool has_signature)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
  g_assert_cmpuint (st.st_mode & S_IWUSR, !=, 0);
  /* A write lease tells of writable descriptors. */
  g_assert_cmpint (fcntl (fd, F_SETLEASE, F_RDLCK), ==, 0);
  g_assert_cmpint (fcntl (fd, F_SETLEASE, F_UNLCK), ==, 0);
  if (!fake_kernel.supported)
    return EOPNOTSUPP;
  if (fake_kernel.requires_signatures && !has_signature)
    return EPERM;
  if ((st.st_mode & 07777) != 0600 && fake_kernel.in_place_errnum != 0)
    return fake_kernel.in_place_errnum;
  return fake_kernel.enable_errnum;
}

static bool
enable (int fd, VtreeDigestAlg alg, GBytes *signature, GError **error)
{
  struct stat st;
  int errnum = refusal (fd, signature != NULL);
  if (errnum != 0)
    return vtree_error_set_errno (error, errnum, "enable verity");
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  VtreeVerityParams params
    = { .alg = alg, .size = (uint64_t) st.st_size, .merkle_fd = -1 };
  g_autofree Sealed *sealed = g_new0 (Sealed, 1);
  if (!vtree_verity_compute_fd (&params, fd, &sealed->digest, error))
    return false;
  sealed->signature = signature != NULL ? g_bytes_ref (signature) : NULL;
  g_mutex_lock (&lock);
  g_hash_table_insert (files, name_of (fd, ""), g_steal_pointer (&sealed));
  fake_kernel.enabled++;
  g_mutex_unlock (&lock);
  return true;
}

bool
vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error)
{
  return enable (fd, alg, NULL, error);
}

bool
vtree_kernel_is_simulated (void)
{
  return true;
}

bool
vtree_kernel_enable_signed (int fd, VtreeDigestAlg alg, GBytes *signature,
                            GError **error)
{
  return enable (fd, alg, signature, error);
}

bool
vtree_kernel_signature (int fd, bool *known, GBytes **signature, GError **error)
{
  (void) error;
  g_mutex_lock (&lock);
  const Sealed *sealed = find (fd, "");
  g_assert_nonnull (sealed);
  *known = !fake_kernel.silent;
  if (*known)
    *signature = sealed->signature != NULL ? g_bytes_ref (sealed->signature) : NULL;
  g_mutex_unlock (&lock);
  return true;
}

bool
vtree_kernel_knows_signatures (void)
{
  return fake_kernel.supported;
}

bool
vtree_kernel_requires_signatures (void)
{
  return fake_kernel.requires_signatures;
}

bool
fake_kernel_enforces (const char *path)
{
  return find (AT_FDCWD, path) != NULL;
}

GBytes *
fake_kernel_signature_of (const char *path)
{
  const Sealed *sealed = find (AT_FDCWD, path);
  return sealed != NULL && sealed->signature != NULL ? g_bytes_ref (sealed->signature)
                                                     : NULL;
}

void
fake_kernel_spoil (const char *path)
{
  Sealed *sealed = find (AT_FDCWD, path);
  g_assert_nonnull (sealed);
  sealed->digest.value[3] ^= 1;
}

ino_t
fake_kernel_inode (const char *path)
{
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  return st.st_ino;
}
