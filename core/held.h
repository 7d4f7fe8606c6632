/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to core: objects that are replaced while somebody has them locked. A mount
 * locks its manifest's file, not its name; whoever puts another file in its place links
 * the old one to tmp/held-<digits of the digest>-<16 digits> first, so that gc still
 * finds the lock. vtree_staging_clean() removes the link when the lock has gone.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"

/* Before NAME of DIRFD, which stands for DIGEST, is replaced: if nobody has its file
 * locked, LOCK (owned, to be closed after the replacement) keeps it so, and whoever
 * wants it meanwhile finds out that it has no name any more; otherwise it is linked
 * into TMP_FD, and *LOCK is -1. It is -1 too where nothing stands there that can be
 * opened and is a regular file: no mount has that. Only one process at a time may
 * replace NAME. Errors: VTREE_ERRNO_ERROR. */
bool vtree_held_keep (int dirfd, const char *name, const VtreeDigest *digest,
                      int tmp_fd, VtreeFd *lock, GError **error);

/* Whether NAME is that of such a link, and for what. */
bool vtree_held_parse (const char *name, VtreeDigestAlg alg, VtreeDigest *digest);
