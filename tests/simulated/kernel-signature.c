/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in the place of core/kernel-signature.c, in test binaries that are never
 * installed: the built-in signature of a file is its xattr user.simulated-signature,
 * where a test finds it. Owns that xattr. IT VERIFIES NOTHING.
 */
#include "core/kernel-signature.h"

#include "core/kernel.h"

#include <errno.h>
#include <sys/xattr.h>

#define NAME "user.simulated-signature"

bool
vtree_kernel_enable_signed (int fd, VtreeDigestAlg alg, GBytes *signature,
                            GError **error)
{
  gsize size;
  const void *data = g_bytes_get_data (signature, &size);
  if (fsetxattr (fd, NAME, data, size, 0) != 0)
    return vtree_error_set_errno (error, errno, "enable verity with a signature");
  return vtree_kernel_enable (fd, alg, error);
}

bool
vtree_kernel_signature (int fd, bool *known, GBytes **signature, GError **error)
{
  g_autofree uint8_t *data = g_malloc (VTREE_KERNEL_SIGNATURE_MAX);
  ssize_t got = fgetxattr (fd, NAME, data, VTREE_KERNEL_SIGNATURE_MAX);
  if (got < 0 && errno != ENODATA)
    return vtree_error_set_errno (error, errno, "read the built-in signature");
  *known = true;
  *signature = got < 0 ? NULL : g_bytes_new (data, (gsize) got);
  return true;
}

bool
vtree_kernel_knows_signatures (void)
{
  return true;
}

bool
vtree_kernel_requires_signatures (void)
{
  return false;
}
