/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes of real files: which ones count, reading and writing them.
 *
 * A filter is a list of fnmatch(3) patterns over whole names ("user.*"). A pattern with
 * a leading '-' takes names out again; the last pattern that matches decides. What no
 * pattern takes is not looked at: it is as if the file did not have it.
 */
#pragma once

#include "core/bytes.h"
#include "core/error.h"

/* user.*, security.capability, system.posix_acl_access, system.posix_acl_default. */
extern const char *const vtree_xattr_default_patterns[];

typedef struct {
  char *name;
  size_t size; /* bytes */
  uint8_t *data;
} VtreeXattrValue;

void vtree_xattr_value_free (VtreeXattrValue *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeXattrValue, vtree_xattr_value_free)

typedef struct VtreeXattrFilter VtreeXattrFilter; /* immutable */

/* PATTERNS is NULL-terminated and lives as long as the filter; NULL: the default
 * ones. */
VtreeXattrFilter *vtree_xattr_filter_new (const char *const *patterns);
void vtree_xattr_filter_free (VtreeXattrFilter *filter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeXattrFilter, vtree_xattr_filter_free)
bool vtree_xattr_filter_takes (const VtreeXattrFilter *filter, const char *name);
/* Whether it can take anything that a symlink can have: no user.*, capability or
 * ACL. */
bool vtree_xattr_filter_suits_symlinks (const VtreeXattrFilter *filter);

/* The xattrs of FD (also opened with O_PATH, through /proc then) that FILTER takes,
 * sorted by name: a GPtrArray of VtreeXattrValue *, or NULL in *XATTRS where there is
 * none. Errors: VTREE_ERRNO_ERROR. */
bool vtree_xattrs_read (int fd, const VtreeXattrFilter *filter, GPtrArray **xattrs,
                        GError **error);

/* Sets NAME (NUL-terminated) of FD, as above. Errors: VTREE_ERRNO_ERROR. */
bool vtree_xattr_set (int fd, const char *name, VtreeSpan value, GError **error);

/* Removes NAME of FD; absence, and a filesystem without xattrs, is no error. */
bool vtree_xattr_remove (int fd, const char *name, GError **error);
