/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the ioctls and the sysctl of built-in signatures. Makes no signature: see
 * object-signer.c.
 */
#include "core/kernel-signature.h"

#include "core/verity.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SYSCTL "/proc/sys/fs/verity/require_signatures"

bool
vtree_kernel_enable_signed (int fd, VtreeDigestAlg alg, GBytes *signature,
                            GError **error)
{
  gsize size;
  const void *data = g_bytes_get_data (signature, &size);
  struct fsverity_enable_arg arg = {
    .version = 1,
    .hash_algorithm = (uint32_t) alg,
    .block_size = VTREE_BLOCK_SIZE,
    .sig_size = (uint32_t) size,
    .sig_ptr = (uintptr_t) data,
  };
  if (size > VTREE_KERNEL_SIGNATURE_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "enable verity: a signature of %" G_GSIZE_FORMAT
                            " bytes; the kernel takes %d",
                            size, VTREE_KERNEL_SIGNATURE_MAX);
  if (ioctl (fd, FS_IOC_ENABLE_VERITY, &arg) == 0 || errno == EEXIST)
    return true;
  return vtree_error_set_errno (error, errno, "enable verity with a signature");
}

bool
vtree_kernel_signature (int fd, bool *known, GBytes **signature, GError **error)
{
  g_autofree uint8_t *data = g_malloc (VTREE_KERNEL_SIGNATURE_MAX);
  struct fsverity_read_metadata_arg arg = {
    .metadata_type = FS_VERITY_METADATA_TYPE_SIGNATURE,
    .length = VTREE_KERNEL_SIGNATURE_MAX,
    .buf_ptr = (uintptr_t) data,
  };
  int got = ioctl (fd, FS_IOC_READ_VERITY_METADATA, &arg);
  *known = got >= 0 || (errno != ENOTTY && errno != EOPNOTSUPP);
  if (got < 0 && *known && errno != ENODATA)
    return vtree_error_set_errno (error, errno, "read the built-in signature");
  if (*known)
    *signature = got < 0 ? NULL : g_bytes_new (data, (gsize) got);
  return true;
}

bool
vtree_kernel_knows_signatures (void)
{
  return access (SYSCTL, F_OK) == 0;
}

bool
vtree_kernel_requires_signatures (void)
{
  char value = '0';
  int fd = open (SYSCTL, O_RDONLY | O_CLOEXEC);
  bool required = fd >= 0 && read (fd, &value, 1) == 1 && value != '0';
  if (fd >= 0)
    close (fd);
  return required;
}
