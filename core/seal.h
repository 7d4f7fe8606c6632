/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing: a file gets the kernel's fs-verity for good. Enabled, perhaps with a
 * built-in signature, and then measured: what the kernel hashed has to be what was
 * meant. Nothing is read or hashed here.
 */
#pragma once

#include "core/kernel.h"
#include "core/object-signer.h"

/* How the files of a repository that are no objects are sealed. */
typedef struct {
  VtreeVerityPolicy policy; /* off: not at all; else where the filesystem can */
  VtreeDigestAlg alg;
  const VtreeObjectSigner *signer; /* borrowed; NULL: unsigned */
} VtreeSeal;

/* Whether files made in DIRFD can be sealed, signed by SIGNER (NULL: unsigned), tried
 * on a scratch file. Once per filesystem and process is enough. That SIGNER's
 * certificate is none of the kernel's is an error, as is a kernel without built-in
 * signatures. Errors: VTREE_ERRNO_ERROR, VTREE_ERROR_UNSUPPORTED. */
bool vtree_seal_probe (int dirfd, VtreeDigestAlg alg, const VtreeObjectSigner *signer,
                       bool *supported, GError **error);

/* *SUPPORTED: whether files made in DIRFD will be sealed as SEAL says, tried as
 * vtree_seal_probe() does. It is an error where they have to be and can't: with policy
 * require, and with a signer. WHAT says for the message what they are, in the plural.
 * Errors: VTREE_ERROR_INVALID (signed, and the policy is off), VTREE_ERROR_UNSUPPORTED,
 * VTREE_ERRNO_ERROR. */
bool vtree_seal_decide (int dirfd, const VtreeSeal *seal, const char *what,
                        bool *supported, GError **error);

/* Why they can't, in words for a message; owned. */
char *vtree_seal_why_not (int dirfd, VtreeDigestAlg alg);

/* Seals FD (read-only; write permission on the inode; nobody has it open for writing:
 * somebody who has for a moment is waited for). Its contents must be DIGEST's. Verity
 * that was enabled already is measured all the same. Errors: VTREE_ERROR_CORRUPT (the
 * contents have another digest, and are sealed now), VTREE_ERRNO_ERROR (ETXTBSY,
 * EOPNOTSUPP, ENOSPC, EACCES, EPERM, ENOKEY, …). */
bool vtree_seal_file (int fd, const VtreeDigest *digest,
                      const VtreeObjectSigner *signer, GError **error);

/* The same for a file that has its place, without giving it another inode: the owner's
 * write permission is lent to it meanwhile. Its mode is MODE afterwards, also after an
 * error; one that is killed leaves it writable for its owner, until the next try. */
bool vtree_seal_in_place (int fd, mode_t mode, const VtreeDigest *digest,
                          const VtreeObjectSigner *signer, GError **error);

/* Verity alone, unsigned, with the same waiting, for contents that nobody has hashed
 * yet: measure it afterwards. Errors: VTREE_ERRNO_ERROR as above. */
bool vtree_seal_enable (int fd, VtreeDigestAlg alg, GError **error);

/* True where ERROR says that this file, on this system, can't be sealed, and not that
 * something is wrong with it. */
bool vtree_seal_is_inability (const GError *error);

/* *LACKS: FD, which has verity, has no built-in signature. Where the filesystem can't
 * say, a kernel that demands signatures has seen one; otherwise it is taken to lack
 * it. */
bool vtree_seal_lacks_signature (int fd, bool *lacks, GError **error);
