/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What names a directory has, in an order that does not depend on the filesystem.
 */
#pragma once

#include <glib.h>

/* The names in the directory that FD is open on (char *, freed with the array), sorted
 * by bytes, without "." and "..". FD stays open, its offset untouched. NULL with
 * VTREE_ERRNO_ERROR. */
GPtrArray *vtree_directory_list (int fd, GError **error);
