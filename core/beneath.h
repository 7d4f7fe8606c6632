/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening what lies beneath a directory that somebody else may write to: openat2(2)
 * with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, for root
 * RESOLVE_NO_XDEV too, always with O_NONBLOCK | O_NOCTTY | O_CLOEXEC.
 * Everything in a repository is opened through here and nowhere else.
 */
#pragma once

#include "core/fd.h"
#include <sys/stat.h>

/* openat2(2) beneath DIRFD. FLAGS and MODE as open(2). Returns a descriptor that the
 * caller owns, or -1 with VTREE_ERRNO_ERROR (EXDEV or ELOOP for an escape). */
int vtree_beneath_open (int dirfd, const char *path, int flags, mode_t mode,
                        GError **error);

/* Opens a regular file read-only. *FD is -1 and the result true where PATH does not
 * exist. STAT (may be NULL) gets its attributes. Anything that exists and is not a
 * regular file: VTREE_ERROR_CORRUPT. */
bool vtree_beneath_open_file (int dirfd, const char *path, VtreeFd *fd,
                              struct stat *stat, GError **error);

/* The same for a directory (O_RDONLY | O_DIRECTORY). */
bool vtree_beneath_open_directory (int dirfd, const char *path, VtreeFd *fd,
                                   GError **error);

/* Makes PATH and its missing parents (MODE, less umask) beneath DIRFD, one checked
 * component at a time, and opens it. Returns an owned descriptor or -1. */
int vtree_beneath_make_directory (int dirfd, const char *path, mode_t mode,
                                  GError **error);

/* Reads a whole regular file of at most LIMIT bytes. *BYTES is NULL and the result true
 * where it does not exist. */
bool vtree_beneath_load (int dirfd, const char *path, size_t limit, GBytes **bytes,
                         GError **error);
