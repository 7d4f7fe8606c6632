/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's built-in fs-verity signatures (Documentation/filesystems/fsverity.rst,
 * "Built-in signature verification"): a PKCS#7 message, DER, without the signed data,
 * over a file's digest. It is given when verity is enabled, belongs to the inode from
 * then on, and is checked against the keyring .fs-verity whenever the inode is read in.
 * A test links another file in place of kernel-signature.c, so these functions are all
 * that is in it.
 */
#pragma once

#include "core/digest.h"
#include "core/error.h"

/* Longer ones are refused by the kernel (FS_VERITY_MAX_SIGNATURE_SIZE), bytes. */
#define VTREE_KERNEL_SIGNATURE_MAX 16128

/* As vtree_kernel_enable(), with SIGNATURE. Errors: also ENOKEY, EKEYREJECTED,
 * EBADMSG: see builtin.h. */
bool vtree_kernel_enable_signed (int fd, VtreeDigestAlg alg, GBytes *signature,
                                 GError **error);

/* FD is a file with verity. *SIGNATURE (owned) is its own, NULL where it has none.
 * *KNOWN is false, and nothing else is set, where the filesystem can't say (btrfs as of
 * Linux 6.12). Nothing is verified: the kernel did that when the inode was read in.
 * Errors: VTREE_ERRNO_ERROR. */
bool vtree_kernel_signature (int fd, bool *known, GBytes **signature, GError **error);

/* Whether this kernel was built with such signatures; and whether it refuses every
 * verity file that has none (sysctl fs.verity.require_signatures). */
bool vtree_kernel_knows_signatures (void);
bool vtree_kernel_requires_signatures (void);
