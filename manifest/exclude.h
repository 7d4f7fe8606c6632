/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which names a capture leaves out: --exclude=GLOB.
 *
 *   *        any bytes but '/'             ?       one byte but '/'
 *   [a-z]    one byte of a set but '/'; [!…] or [^…] one that is not in it
 *   **       any bytes, '/' too; as a whole component also no directory at all, so that
 *            "**" "/x" matches "x" as well as "a/b/x"
 *   \c       the byte c itself
 *
 * A pattern without '/' (a last one aside) matches a name at any depth. One with a
 * leading or inner '/' matches the whole path from the root of the tree. One that ends
 * in '/' matches directories only. Bytes are compared, whatever the locale. What
 * matches is left out with everything beneath it; there is no way to take a part of it
 * in again.
 */
#pragma once

#include "core/error.h"

typedef struct VtreeExclude VtreeExclude;

/* PATTERNS is NULL-terminated, or NULL for none. Errors: VTREE_ERROR_INVALID (an empty
 * pattern, "/" alone, a set or an escape without an end). */
VtreeExclude *vtree_exclude_new (const char *const *patterns, GError **error);
void vtree_exclude_free (VtreeExclude *exclude);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeExclude, vtree_exclude_free)

/* True when there is no pattern at all. */
bool vtree_exclude_is_empty (const VtreeExclude *exclude);

/* PATH: from the root of the tree, without a leading '/' ("usr/lib/x"). Thread-safe. */
bool vtree_exclude_matches (const VtreeExclude *exclude, const char *path,
                            bool directory);
