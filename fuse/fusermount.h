/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fusermount3(1), the set-uid program that mounts for plain users. It is given one end
 * of a socket in _FUSE_COMMFD and sends the open /dev/fuse through it (libfuse,
 * util/fusermount.c).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* It is installed: VTREE_ERROR_UNSUPPORTED if not. */
bool vtree_fusermount_check (GError **error);

/* Mounts on DIR with OPTIONS; an owned descriptor, or -1 with what the program said. */
int vtree_fusermount_mount (const char *dir, const char *options, GError **error);

/* Unmounts DIR lazily. */
void vtree_fusermount_unmount (const char *dir);
