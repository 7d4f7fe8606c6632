/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way from a directory down to where a walk stands, as descriptors: at most
 * VTREE_TRAIL_OPEN of them, however deep it is. The upper ones are closed on the way
 * down and opened again through ".." on the way back, and must then be the same
 * directories. No symlink is followed, and no path is ever looked up from the top.
 *
 *   trail = vtree_trail_new (fd, 0);                 the walk's own copy of FD
 *   vtree_trail_push (trail, "usr", &stat, &error);  into usr
 *   openat (vtree_trail_fd (trail), "x", O_NOFOLLOW)
 *   left = vtree_trail_pop (trail, &error);          back; LEFT is usr, still open
 *   vtree_handle_unref (left);
 *
 * Workers that do something in a directory after the walk has left it keep its handle.
 */
#pragma once

#include "core/fd.h"
#include <sys/stat.h>

/* Descriptors that a trail keeps open, whatever its depth. */
#define VTREE_TRAIL_OPEN 32

/* A shared directory descriptor, closed with its last reference. Thread-safe. */
typedef struct VtreeHandle VtreeHandle;

/* Takes FD. */
VtreeHandle *vtree_handle_new_take (int fd);
VtreeHandle *vtree_handle_ref (VtreeHandle *handle);
void vtree_handle_unref (VtreeHandle *handle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeHandle, vtree_handle_unref)
/* Borrowed; open as long as the handle is. */
int vtree_handle_fd (const VtreeHandle *handle);

typedef enum {
  VTREE_TRAIL_NO_ATIME = 1 << 0,  /* leave access times alone where that is permitted */
  VTREE_TRAIL_ONE_MOUNT = 1 << 1, /* a mount point, bind mounts too, is EXDEV */
} VtreeTrailFlags;

typedef struct VtreeTrail VtreeTrail; /* for one thread */

/* Starts at a duplicate of the directory FD. Errors: VTREE_ERRNO_ERROR. */
VtreeTrail *vtree_trail_new (int fd, VtreeTrailFlags flags, GError **error);
void vtree_trail_free (VtreeTrail *trail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeTrail, vtree_trail_free)

/* Goes into the directory NAME (one component). STAT (may be NULL) gets its attributes.
 * Errors: VTREE_ERRNO_ERROR, and the trail stays where it was. */
bool vtree_trail_push (VtreeTrail *trail, const char *name, struct stat *stat,
                       GError **error);

/* Goes back up, and returns the directory that was left (owned); NULL on an error:
 * VTREE_ERROR_FAILED where the parent is another one than before. Not at the top. */
VtreeHandle *vtree_trail_pop (VtreeTrail *trail, GError **error);

/* Where it stands; borrowed. */
VtreeHandle *vtree_trail_peek (const VtreeTrail *trail);
int vtree_trail_fd (const VtreeTrail *trail);

/* Components below the top. */
size_t vtree_trail_depth (const VtreeTrail *trail);

/* NAME's path from the top, raw bytes; NULL for the directory itself ("" at the
 * top). */
char *vtree_trail_path (const VtreeTrail *trail, const char *name);
