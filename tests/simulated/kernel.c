/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in the place of core/kernel.c, in test binaries that are never installed: a
 * kernel that enforces fs-verity, on machines whose kernel does not. IT VERIFIES
 * NOTHING. Owns what that kernel would answer.
 *
 * A regular file that nobody may write (no write bit in its mode) counts as one with
 * verity. One of a store is measured by its name, "ab/cdef...": at once, as a kernel
 * measures, and right as long as the store is honest. Any other is hashed, in software.
 * Giving a file a write bit takes its verity away, for tests.
 */
#include "core/kernel.h"

#include "core/verity.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

/* What a file that is not in a store was enabled with, as far as anybody asks: one
 * repository has one algorithm. */
static atomic_int enabled_alg = VTREE_DIGEST_SHA256;

/* The digest that a path ".../ab/cdef..." claims. */
static bool
read_name (int fd, VtreeDigest *digest)
{
  g_autofree char *link = g_strdup_printf ("/proc/thread-self/fd/%d", fd);
  g_autofree char *path = g_file_read_link (link, NULL);
  if (path == NULL)
    return false;
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *above = g_path_get_dirname (path);
  g_autofree char *dir = g_path_get_basename (above);
  return vtree_digest_from_path (VTREE_DIGEST_SHA256, dir, file, digest)
         || vtree_digest_from_path (VTREE_DIGEST_SHA512, dir, file, digest);
}

bool
vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "fstat");
  bool sealed = S_ISREG (st.st_mode) && (st.st_mode & 0222) == 0;
  VtreeVerityParams params = { .alg = (VtreeDigestAlg) atomic_load (&enabled_alg),
                               .size = (uint64_t) st.st_size,
                               .merkle_fd = -1 };
  if (sealed && !read_name (fd, digest)
      && !vtree_verity_compute_fd (&params, fd, digest, error))
    return false;
  *enforced = sealed;
  return true;
}

bool
vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported, GError **error)
{
  (void) dirfd, (void) alg, (void) error;
  *supported = true;
  return true;
}

bool
vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error)
{
  atomic_store (&enabled_alg, (int) alg);
  return fchmod (fd, 0444) == 0
         || vtree_error_set_errno (error, errno, "enable verity");
}

bool
vtree_kernel_is_simulated (void)
{
  return true;
}
