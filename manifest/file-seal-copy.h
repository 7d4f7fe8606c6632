/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy without verity in a file's place: the only way to write to it again.
 */
#pragma once

#include "manifest/file-seal-target.h"

/* Puts a copy of the open file TARGET in its place, atomically and synced, reflinked
 * where the filesystem can: the same contents, owner, mode, times, xattrs and ACL; no
 * seal. Nothing is changed on an error. The contents are read whole, so that what the
 * kernel finds corrupt is not copied. Errors are the cause alone: VTREE_ERROR_FAILED
 * (the file is another user's), VTREE_ERROR_BUSY (something else has taken its place
 * meanwhile), VTREE_ERROR_CORRUPT, VTREE_ERRNO_ERROR. */
bool vtree_file_seal_copy_replace (const VtreeFileSealTarget *target, GError **error);
