/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mount policy of the administrator and the user: [mount] of vtree.conf (GKeyFile).
 * Keys: verity, open, io, xattr, min_version…: the mount options' own names and words.
 */
#pragma once

#include "core/paths.h"

/* The mount defaults as "name=value" strings, NULL-terminated (g_strfreev), from the
 * first file that has the key. A file that does not exist is skipped; one that is
 * malformed or writable by others is an error. */
char **vtree_settings_mount_options (const VtreePaths *paths, GError **error);
