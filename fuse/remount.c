/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Remount. mount(8) adds what fstab and the mount itself say to what the person asked
 * for, so that all of it is compared with what is in force.
 */
#include "fuse/remount.h"

#include "core/fd.h"
#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

/* Some libc headers lack it; the kernel's ST_NOSYMFOLLOW. */
#define FLAG_NOSYMFOLLOW 0x2000ul

static bool
refuse (const char *dir, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "remount %s: not supported, unmount and mount again", dir);
}

bool
vtree_remount_check (const char *dir, const VtreeMountOptions *options, GError **error)
{
  struct vtree_status status;
  struct statvfs st;
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fstatvfs (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "remount %s", dir);
  if (ioctl (fd, VTREE_IOC_STATUS, &status) != 0 || status.node_id != 1)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "remount %s: no vtree mount",
                            dir);
  bool same = ((st.f_flag & ST_NOEXEC) != 0 || !options->noexec)
              && ((st.f_flag & FLAG_NOSYMFOLLOW) != 0 || !options->nosymfollow);
  return same && !vtree_mount_options_any_own (options) ? true : refuse (dir, error);
}
