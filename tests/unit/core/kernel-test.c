/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real ioctls, on whatever filesystem the tests run on: where it has fs-verity, the
 * whole way; where it has not, that this is said and nothing stays behind.
 */
#include "core/beneath.h"
#include "core/kernel.h"
#include "core/verity.h"
#include "tests/lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
test_memory_is_not_believed (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = memfd_create ("test", MFD_CLOEXEC);
  bool answer = true;
  VtreeDigest digest;
  g_assert_true (vtree_filesystem_enforces_verity (fd, &answer, &error));
  g_assert_false (answer);
  answer = true;
  g_assert_true (vtree_kernel_measure (fd, &answer, &digest, &error));
  g_assert_false (answer);
  g_autofree char *name = vtree_filesystem_name (fd);
  g_assert_cmpstr (name, ==, "tmpfs");
}

static void
test_names (void)
{
  g_auto (VtreeFd) proc = open ("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *name = vtree_filesystem_name (proc);
  g_assert_cmpstr (name, ==, "0x9fa0");
  g_autofree char *none = vtree_filesystem_name (-1);
  g_assert_cmpstr (none, ==, "unknown");
}

static void
test_bad_descriptor (void)
{
  g_autoptr (GError) error = NULL;
  bool answer;
  VtreeDigest digest;
  g_assert_false (vtree_kernel_measure (-1, &answer, &digest, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EBADF, NULL);
  g_clear_error (&error);
  g_assert_false (vtree_kernel_probe (-1, VTREE_DIGEST_SHA256, &answer, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EBADF, NULL);
}

static bool
is_empty (int dirfd)
{
  DIR *stream = fdopendir (fcntl (dirfd, F_DUPFD_CLOEXEC, 0));
  unsigned count = 0;
  g_assert_nonnull (stream);
  rewinddir (stream);
  while (readdir (stream) != NULL)
    count++;
  closedir (stream);
  return count == 2; /* "." and ".." */
}

static int
make_file (int dirfd)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd
    = vtree_beneath_open (dirfd, "file", O_WRONLY | O_CREAT, 0600, &error);
  vtree_fd_pwrite (fd, "contents", 8, 0, &error);
  g_assert_no_error (error);
  int reader = vtree_beneath_open (dirfd, "file", O_RDONLY, 0, &error);
  g_assert_no_error (error);
  return reader;
}

static void
enable_and_measure (int fd, VtreeDigestAlg alg)
{
  g_autoptr (GError) error = NULL;
  VtreeVerityParams params = { alg, 8, -1, NULL };
  VtreeDigest expected, measured;
  bool enforced;
  g_assert_true (vtree_kernel_enable (fd, alg, &error));
  g_assert_true (vtree_kernel_enable (fd, alg, &error));
  g_assert_true (vtree_kernel_measure (fd, &enforced, &measured, &error));
  g_assert_true (enforced);
  g_assert_true (vtree_verity_compute_data (&params, "contents", &expected, &error));
  vtree_test_assert_digest_equal (&measured, &expected);
}

static void
test_probe_enable_measure (gconstpointer data)
{
  VtreeDigestAlg alg = (VtreeDigestAlg) GPOINTER_TO_INT (data);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = vtree_test_make_dir ();
  g_auto (VtreeFd) dirfd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool supported, enforced = true;
  g_assert_true (vtree_kernel_probe (dirfd, alg, &supported, &error));
  g_assert_no_error (error);
  g_assert_true (is_empty (dirfd));

  g_auto (VtreeFd) fd = make_file (dirfd);
  VtreeDigest digest;
  g_assert_true (vtree_kernel_measure (fd, &enforced, &digest, &error));
  g_assert_false (enforced);
  if (supported) {
    enable_and_measure (fd, alg);
    return;
  }
  g_assert_false (vtree_kernel_enable (fd, alg, &error));
  g_assert_true (error->domain == VTREE_ERRNO_ERROR);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/kernel/memory", test_memory_is_not_believed);
  g_test_add_func ("/core/kernel/names", test_names);
  g_test_add_func ("/core/kernel/bad-descriptor", test_bad_descriptor);
  g_test_add_data_func ("/core/kernel/sha256", GINT_TO_POINTER (VTREE_DIGEST_SHA256),
                        test_probe_enable_measure);
  g_test_add_data_func ("/core/kernel/sha512", GINT_TO_POINTER (VTREE_DIGEST_SHA512),
                        test_probe_enable_measure);
  return vtree_test_run ();
}
