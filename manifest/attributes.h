/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a real file's attributes goes into a manifest: times, owners, modes and
 * xattrs, as the capture options want them. Errors are the cause alone, for one file's
 * line in a list of problems.
 */
#pragma once

#include "manifest/capture.h"
#include "manifest/xattr.h"
#include <sys/stat.h>

/* Errors: VTREE_ERROR_LIMIT for a device number that the format can't hold. */
bool vtree_attributes_from_stat (const VtreeCaptureOptions *options,
                                 const struct stat *stat,
                                 VtreeNodeAttributes *attributes, GError **error);

/* Reads FD's xattrs into *XATTRS (GPtrArray of VtreeXattrValue *; NULL for none),
 * checked and mapped; a mapped ACL can change attributes->mode. Errors:
 * VTREE_ERROR_INVALID (a reserved name, a malformed ACL), VTREE_ERROR_UNSUPPORTED (a
 * capability of another revision than 2), VTREE_ERRNO_ERROR. */
bool vtree_attributes_read_xattrs (const VtreeCaptureOptions *options,
                                   const VtreeXattrFilter *filter, int fd,
                                   VtreeNodeAttributes *attributes, GPtrArray **xattrs,
                                   GError **error);
