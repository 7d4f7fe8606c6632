/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the fs-verity ioctls. May not decide what an answer means for an object: that
 * is object.c's.
 */
#include "core/kernel.h"

#include "core/kernel-signature.h"
#include "core/scratch.h"
#include "core/verity.h"
#include <errno.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>

G_STATIC_ASSERT (VTREE_DIGEST_SHA256 == FS_VERITY_HASH_ALG_SHA256);
G_STATIC_ASSERT (VTREE_DIGEST_SHA512 == FS_VERITY_HASH_ALG_SHA512);

/* "no such thing here": not built in, not in this filesystem, not with this block size.
 */
static bool
means_unsupported (int errnum)
{
  return errnum == ENOTTY || errnum == EOPNOTSUPP || errnum == EINVAL;
}

static bool
convert_digest (const struct fsverity_digest *measured, VtreeDigest *digest,
                GError **error)
{
  VtreeDigestAlg alg = (VtreeDigestAlg) measured->digest_algorithm;
  bool known = alg == VTREE_DIGEST_SHA256 || alg == VTREE_DIGEST_SHA512;
  if (!known || measured->digest_size != vtree_digest_alg_size (alg))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "measure verity: algorithm %u with %u bytes is not ours",
                            measured->digest_algorithm, measured->digest_size);
  vtree_digest_init (digest, alg, measured->digest);
  return true;
}

bool
vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error)
{
  bool enforces;
  if (!vtree_filesystem_enforces_verity (fd, &enforces, error))
    return false;
  union {
    struct fsverity_digest digest;
    uint8_t room[sizeof (struct fsverity_digest) + VTREE_DIGEST_MAX_SIZE];
  } arg = { .digest = { .digest_size = VTREE_DIGEST_MAX_SIZE } };
  if (!enforces || ioctl (fd, FS_IOC_MEASURE_VERITY, &arg) < 0) {
    if (enforces && errno != ENODATA && !means_unsupported (errno))
      return vtree_error_set_errno (error, errno, "measure verity");
    *enforced = false;
    return true;
  }
  if (!convert_digest (&arg.digest, digest, error))
    return false;
  *enforced = true;
  return true;
}

bool
vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error)
{
  struct fsverity_enable_arg arg = {
    .version = 1,
    .hash_algorithm = (uint32_t) alg,
    .block_size = VTREE_BLOCK_SIZE,
  };
  if (ioctl (fd, FS_IOC_ENABLE_VERITY, &arg) == 0 || errno == EEXIST)
    return true;
  return vtree_error_set_errno (error, errno, "enable verity");
}

/* A kernel that takes only signed files has no verity for unsigned ones. */
static bool
refuses_unsigned (const GError *failed)
{
  return failed->code == EPERM && vtree_kernel_requires_signatures ();
}

static bool
try_scratch (int dirfd, VtreeDigestAlg alg, bool *supported, GError **error)
{
  g_auto (VtreeScratch) scratch = VTREE_SCRATCH_INIT;
  g_autoptr (GError) failed = NULL;
  if (!vtree_scratch_make (&scratch, dirfd, error))
    return false;
  bool enabled = vtree_kernel_enable (scratch.fd, alg, &failed);
  if (!enabled && !refuses_unsigned (failed) && !means_unsupported (failed->code)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  *supported = enabled;
  return true;
}

bool
vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported, GError **error)
{
  bool enforces;
  if (!vtree_filesystem_enforces_verity (dirfd, &enforces, error))
    return false;
  if (!enforces) {
    *supported = false;
    return true;
  }
  if (try_scratch (dirfd, alg, supported, error))
    return true;
  g_prefix_error (error, "probe for fs-verity: ");
  return false;
}

bool
vtree_kernel_is_simulated (void)
{
  return false;
}
