/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a user (or the administrator, for all) has said of a deployment's context for
 * good: a key file /etc/vtree/overrides/NAME, and a user's own in
 * $XDG_CONFIG_HOME/vtree/overrides, which wins.
 */
#pragma once

#include "cli/context.h"
#include "core/paths.h"

/* The file of this user's (or root's) own overrides of NAME. To be freed. */
char *vtree_overrides_path (const VtreePaths *paths, const char *name);

/* This user's (or root's) own; empty where there are none. Errors:
 * VTREE_ERROR_UNTRUSTED (others can write to it), VTREE_ERROR_INVALID. */
GKeyFile *vtree_overrides_read (const VtreePaths *paths, const char *name,
                                GError **error);

/* Replaces the file; FILE is NULL: removes it. */
bool vtree_overrides_write (const VtreePaths *paths, const char *name, GKeyFile *file,
                            GError **error);

/* Adds to CONTEXT what the administrator says of NAME, and then the user. */
bool vtree_overrides_load (const VtreePaths *paths, const char *name,
                           VtreeContext *context, GError **error);
