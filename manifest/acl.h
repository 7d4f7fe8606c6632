/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POSIX ACLs as xattr values (linux/posix_acl_xattr.h): checking them, and mapping the
 * ids in them when a capture gives every file one owner (--owner=UID:GID).
 *
 * Mapping: each named user becomes UID, each named group GID. Entries that fall
 * together are merged into the intersection of what they grant, so that a mapped ACL
 * never grants anybody more than the original did:
 *
 * - In an access ACL, UID is the file's owner and GID its group: what a named entry
 *   grants under the mask is intersected into the owner's and the group's class. No
 *   named entry remains, so the ACL as a whole becomes the file's mode.
 * - In a default ACL the owner of what is made later is not known: one named user and
 *   one named group remain.
 */
#pragma once

#include "core/bytes.h"
#include "core/error.h"

#define VTREE_ACL_ACCESS "system.posix_acl_access"
#define VTREE_ACL_DEFAULT "system.posix_acl_default"

/* True for one of the two names. */
bool vtree_acl_is_name (const char *name);

/* True for a well-formed ACL: version 2, known tags and permissions, in the order of
 * the tags with each single one there once, an id with the named ones and none with the
 * others, a mask wherever there is a named one. Errors: VTREE_ERROR_INVALID. */
bool vtree_acl_check (VtreeSpan acl, GError **error);

/* The permission bits (0777) that a file with the access ACL ACL, mapped, has. ACL must
 * have passed the check. */
uint32_t vtree_acl_map_access (VtreeSpan acl);

/* The default ACL with all its named ids mapped to UID and GID. ACL must have passed
 * the check. */
GByteArray *vtree_acl_map_default (VtreeSpan acl, uint32_t uid, uint32_t gid);
