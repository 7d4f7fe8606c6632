/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mount policy of the administrator and the user: [mount] of vtree.conf (GKeyFile).
 * Keys: verity, open, io, xattr, min_version…: the mount options' own names and words.
 * An option without a value (allow_dev) is written "allow_dev=true", or "=false" so
 * that a later file can't set it.
 */
#pragma once

#include "core/paths.h"

/* The mount defaults as "name=value" strings ("name" alone for a true one, nothing for
 * a false one), NULL-terminated (g_strfreev), each key from the first file that has it.
 * A file that does not exist is skipped; one that is malformed (VTREE_ERROR_INVALID) or
 * writable by others (VTREE_ERROR_UNTRUSTED) is an error. Whether a name or a value
 * makes sense is for the reader of options to say. */
char **vtree_settings_mount_options (const VtreePaths *paths, GError **error);
