/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's fs-verity: measure, probe, enable. Source of the facts:
 * Documentation/filesystems/fsverity.rst. A test build links another file in place of
 * kernel.c to simulate enforcement, so these functions are all that is in it.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"
#include "core/filesystem.h"
#include "core/policy.h"

/* Asks the kernel for FD's digest. *ENFORCED is true only if fstatfs() on FD shows a
 * filesystem of the list (filesystem.h) and the file has verity; then *DIGEST is set. A
 * filesystem that is not on the list is never asked, whatever it would answer. Errors:
 * VTREE_ERROR_CORRUPT for verity with an algorithm that no object has;
 * VTREE_ERRNO_ERROR for what is neither "no verity" nor an answer. */
bool vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error);

/* True in *SUPPORTED when files made in DIRFD can have verity with 4096-byte blocks and
 * ALG: tries it on a scratch file (EINVAL, EOPNOTSUPP, ENOTTY mean no, EPERM where the
 * kernel takes only signed ones), which goes away again. The caller asks once per
 * filesystem and process and keeps the answer itself. */
bool vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported,
                         GError **error);

/* Enables verity on FD (read-only; nobody may have it open for writing). Already
 * enabled is success: measure it. Errors: VTREE_ERRNO_ERROR (ETXTBSY, EOPNOTSUPP,
 * …). */
bool vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error);

/* True in such a test build (tests/simulated): nothing that it says of enforcement is
 * so. Status, log and messages tell it. */
bool vtree_kernel_is_simulated (void);
