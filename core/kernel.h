/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's fs-verity: who enforces it, probe, enable, measure. The one list of
 * filesystems whose kernel code enforces fs-verity is in kernel.c (ext4, f2fs, btrfs).
 * A test build links another file in place of kernel.c to simulate enforcement.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"

/* The same words at commit, mount and checkout. */
typedef enum {
  VTREE_VERITY_AUTO = 0, /* the kernel where it can, else the daemon */
  VTREE_VERITY_REQUIRE,  /* the kernel or an error */
  VTREE_VERITY_OFF,      /* nobody verifies */
} VtreeVerityPolicy;

/* "auto", "require", "off". */
bool vtree_verity_policy_parse (const char *text, VtreeVerityPolicy *policy);
const char *vtree_verity_policy_name (VtreeVerityPolicy policy);

/* Asks the kernel for FD's digest. *ENFORCED is true only if fstatfs() on FD shows a
 * filesystem of the list and the file has verity; then *DIGEST is set. A filesystem
 * that is not on the list is never asked, whatever it would answer. Errors:
 * VTREE_ERRNO_ERROR for what is neither "no verity" nor an answer. */
bool vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error);

/* True in *SUPPORTED when files made in DIRFD can have verity with 4096-byte blocks and
 * ALG: tries it on a scratch file (EINVAL, EOPNOTSUPP, ENOTTY mean no). The caller asks
 * once per filesystem and process and keeps the answer itself. */
bool vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported,
                         GError **error);

/* Enables verity on FD (read-only; nobody may have it open for writing). Already
 * enabled is success. Errors: VTREE_ERRNO_ERROR (ETXTBSY, EOPNOTSUPP, …). */
bool vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error);

/* The filesystem's name for messages ("ext4", "fuse", "0x…"). */
char *vtree_kernel_filesystem_name (int fd);
