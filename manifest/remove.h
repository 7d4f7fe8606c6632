/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing whole trees beneath a descriptor: no symlink is followed, no mount point is
 * entered, and no depth is too large.
 */
#pragma once

#include "core/error.h"

/* Removes NAME, whatever it is, with all that is in it. Absence is no error. Errors:
 * VTREE_ERRNO_ERROR (EXDEV or EBUSY for a mount point). */
bool vtree_remove (int dirfd, const char *name, GError **error);

/* Removes all that is in the directory FD. */
bool vtree_remove_contents (int fd, GError **error);
