/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the policy of a capture for attributes. Walks nothing; reads xattrs of
 * descriptors that it is given, and changes no file.
 */
#include "manifest/attributes.h"

#include "manifest/acl.h"
#include "manifest/device.h"
#include <linux/capability.h>
#include <string.h>

#define RESERVED_PREFIX "user.vtree."
#define CAPABILITY "security.capability"

static void
map_time (const VtreeCaptureOptions *options, VtreeNodeAttributes *attributes)
{
  int64_t limit = options->mtime == VTREE_MTIME_EPOCH ? 0 : options->mtime_clamp;
  bool later
    = attributes->mtime > limit || (attributes->mtime == limit && attributes->nsec > 0);
  if (options->mtime == VTREE_MTIME_EPOCH
      || (options->mtime == VTREE_MTIME_CLAMP && later)) {
    attributes->mtime = limit;
    attributes->nsec = 0;
  }
}

bool
vtree_attributes_from_stat (const VtreeCaptureOptions *options, const struct stat *stat,
                            VtreeNodeAttributes *attributes, GError **error)
{
  VtreeNodeAttributes result = { .mode = stat->st_mode,
                                 .uid = stat->st_uid,
                                 .gid = stat->st_gid,
                                 .mtime = stat->st_mtim.tv_sec,
                                 .nsec = (uint32_t) stat->st_mtim.tv_nsec };
  if (S_ISLNK (stat->st_mode))
    result.mode = S_IFLNK | 0777; /* some filesystems say otherwise; nobody asks */
  bool device = S_ISCHR (stat->st_mode) || S_ISBLK (stat->st_mode);
  if (device && !vtree_device_encode (stat->st_rdev, &result.rdev))
    return vtree_error_set (
      error, VTREE_ERROR_LIMIT,
      "its device number exceeds 12 bits of major or 20 of minor");
  if (options->owner == VTREE_OWNER_FIXED) {
    result.uid = options->uid;
    result.gid = options->gid;
  }
  map_time (options, &result);
  *attributes = result;
  return true;
}

static bool
check_capability (const VtreeXattrValue *value, GError **error)
{
  VtreeSpan span = { value->data, value->size };
  uint32_t revision = 0;
  if (span.size >= sizeof (uint32_t))
    revision = vtree_span_u32 (span, 0) & VFS_CAP_REVISION_MASK;
  if (revision == VFS_CAP_REVISION_2 && span.size == XATTR_CAPS_SZ_2)
    return true;
  if (revision == VFS_CAP_REVISION_3)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "its capability belongs to a user namespace (revision 3); "
                            "set it again with setcap outside of one, or leave it out "
                            "with --xattrs=default,-" CAPABILITY);
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "its " CAPABILITY " is not of revision 2");
}

/* Maps the ACL in VALUE; false where all of it went into the mode. */
static bool
map_acl (const VtreeCaptureOptions *options, VtreeXattrValue *value,
         VtreeNodeAttributes *attributes)
{
  VtreeSpan acl = { value->data, value->size };
  if (g_str_equal (value->name, VTREE_ACL_ACCESS)) {
    attributes->mode = (attributes->mode & ~0777u) | vtree_acl_map_access (acl);
    return false;
  }
  GByteArray *mapped = vtree_acl_map_default (acl, options->uid, options->gid);
  g_free (value->data);
  value->size = mapped->len;
  value->data = g_byte_array_free (mapped, FALSE);
  return true;
}

/* Checks one xattr and maps it; *REMAINS false where it goes into the mode as a
 * whole. */
static bool
take_xattr (const VtreeCaptureOptions *options, VtreeXattrValue *value,
            VtreeNodeAttributes *attributes, bool *remains, GError **error)
{
  *remains = true;
  if (g_str_has_prefix (value->name, RESERVED_PREFIX)) {
    g_autofree char *shown = vtree_error_escape (value->name, -1);
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "its attribute %s is reserved for mounts; remove it, or "
                            "leave it out with --xattrs=default,-" RESERVED_PREFIX "*",
                            shown);
  }
  if (g_str_equal (value->name, CAPABILITY))
    return check_capability (value, error);
  if (!vtree_acl_is_name (value->name))
    return true;
  if (!vtree_acl_check ((VtreeSpan){ value->data, value->size }, error))
    return false;
  if (options->owner == VTREE_OWNER_FIXED)
    *remains = map_acl (options, value, attributes);
  return true;
}

bool
vtree_attributes_read_xattrs (const VtreeCaptureOptions *options,
                              const VtreeXattrFilter *filter, int fd,
                              VtreeNodeAttributes *attributes, GPtrArray **xattrs,
                              GError **error)
{
  g_autoptr (GPtrArray) values = NULL;
  if (!vtree_xattrs_read (fd, filter, &values, error))
    return false;
  for (guint i = 0; values != NULL && i < values->len;) {
    bool remains;
    if (!take_xattr (options, values->pdata[i], attributes, &remains, error))
      return false;
    if (remains)
      i++;
    else
      g_ptr_array_remove_index (values, i);
  }
  *xattrs = g_steal_pointer (&values);
  return true;
}
