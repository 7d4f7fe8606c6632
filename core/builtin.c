/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what is said of the kernel's refusals. Asks the kernel nothing but its sysctl.
 */
#include "core/builtin.h"

#include "core/kernel-signature.h"
#include <errno.h>

const char *
vtree_builtin_refusal (int errnum)
{
  switch (errnum) {
  case ENOKEY:
    return "its fs-verity signature is by a certificate that is not in the kernel's "
           "keyring .fs-verity";
  case EKEYREJECTED:
    return "its fs-verity signature is not over its contents, or not by a key of the "
           "kernel's keyring .fs-verity";
  case EBADMSG:
    return "its fs-verity signature is malformed, or the file system is damaged";
  case EPERM:
    if (vtree_kernel_requires_signatures ())
      return "it has no fs-verity signature, and fs.verity.require_signatures=1";
    return NULL;
  default:
    return NULL;
  }
}

void
vtree_builtin_explain (GError **error)
{
  if (error == NULL || *error == NULL || (*error)->domain != VTREE_ERRNO_ERROR)
    return;
  const char *reason = vtree_builtin_refusal ((*error)->code);
  if (reason == NULL)
    return;
  g_autofree char *old = (*error)->message;
  (*error)->message = g_strdup_printf ("%s (%s)", old, reason);
}

bool
vtree_builtin_check (GError **error)
{
  return vtree_kernel_knows_signatures ()
         || vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                             "this kernel has no built-in fs-verity signatures "
                             "(CONFIG_FS_VERITY_BUILTIN_SIGNATURES), or /proc is not "
                             "mounted");
}
