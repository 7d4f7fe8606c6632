/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owned file descriptors, and whole reads and writes on them.
 * GLib 2.74 has no owned descriptor type: this is ours.
 *
 *   g_auto (VtreeFd) fd = open (...);      closed at the end of the scope, errno kept
 *   return vtree_fd_steal (&fd);           ownership moves to the caller
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef int VtreeFd;

/* Closes FD unless it is negative; keeps errno. */
void vtree_fd_close (VtreeFd fd);
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (VtreeFd, vtree_fd_close, -1)

/* Returns *FD and leaves -1 there. */
int vtree_fd_steal (VtreeFd *fd);

/* Closes *FD and puts NEW_FD there. */
void vtree_fd_replace_take (VtreeFd *fd, int new_fd);

/* Reads up to SIZE bytes at OFFSET, going on after short reads and EINTR; *GOT < SIZE
 * only at the end of the file. Errors: VTREE_ERRNO_ERROR. */
bool vtree_fd_pread (int fd, void *data, size_t size, uint64_t offset, size_t *got,
                     GError **error);

/* Writes all SIZE bytes at OFFSET. Errors: VTREE_ERRNO_ERROR (ENOSPC, EIO, …). */
bool vtree_fd_pwrite (int fd, const void *data, size_t size, uint64_t offset,
                      GError **error);

/* Reads the whole file from offset 0, at most LIMIT bytes. Errors: VTREE_ERROR_LIMIT if
 * it is longer, VTREE_ERRNO_ERROR. */
GBytes *vtree_fd_load (int fd, size_t limit, GError **error);
