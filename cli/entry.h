/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How one inode of a manifest is shown: as a line of "ls -l", and as members of
 * JSON. */
#pragma once

#include "cli/json.h"
#include "manifest/view.h"

/* "file", "directory", "symlink", "character-device", "block-device", "fifo",
 * "socket". */
const char *vtree_entry_type (uint32_t mode);

/* "-rwxr-xr-x", ten characters and a NUL. Returns TEXT. */
char *vtree_entry_mode (uint32_t mode, char text[11]);

/* Major and minor number of an rdev as manifests have it (12:20 bits). */
uint32_t vtree_entry_major (uint32_t rdev);
/* The minor one. */
uint32_t vtree_entry_minor (uint32_t rdev);

/* "2026-11-23 18:00:00", UTC, for any time a manifest can hold. To be freed. */
char *vtree_entry_time (int64_t seconds);

/* Prints INODE as "ls -l" does, without the name: mode, links, uid, gid, size or device
 * number, time; a space at the end. */
void vtree_entry_print_long (const VtreeInode *inode);

/* Prints " -> target" for a symlink, nothing for others. */
bool vtree_entry_print_target (VtreeView *view, const VtreeInode *inode,
                               GError **error);

/* The members that describe INODE: type, mode, uid, gid, nlink, size, mtime, nsec,
 * and by type digest, target, major and minor. */
bool vtree_entry_add_json (VtreeView *view, const VtreeInode *inode, VtreeJson *json,
                           GError **error);
