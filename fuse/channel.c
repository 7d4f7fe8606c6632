/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount. Owns: the kernel's mount options of a FUSE file system and the protocol of
 * fusermount3. Knows nothing of the tree.
 */
#include "fuse/channel.h"

#include "core/error.h"
#include "core/mounts.h"
#include "fuse/fusermount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE "/dev/fuse"
#define TYPE "fuse.vtree"
/* linux/mount.h, which can't stand beside sys/mount.h everywhere. */
#define FLAG_NOSYMFOLLOW 256ul

bool
vtree_channel_is_direct (void)
{
  cap_flag_value_t value = CAP_CLEAR;
  cap_t caps = cap_get_proc ();
  if (caps == NULL)
    return false;
  if (cap_get_flag (caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &value) != 0)
    value = CAP_CLEAR;
  cap_free (caps);
  return value == CAP_SET;
}

static int
open_device (GError **error)
{
  int fd = open (DEVICE, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "open " DEVICE);
  return fd;
}

bool
vtree_channel_check (GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_channel_is_direct ())
    return vtree_fusermount_check (error);
  fd = open_device (error);
  return fd >= 0;
}

static int
mount_direct (const VtreeChannelOptions *options, GError **error)
{
  g_auto (VtreeFd) fd = open_device (error);
  if (fd < 0)
    return -1;
  g_autofree char *data = g_strdup_printf (
    "fd=%d,rootmode=%o,user_id=%u,group_id=%u,default_permissions%s", fd,
    (unsigned) S_IFDIR, (unsigned) geteuid (), (unsigned) getegid (),
    options->allow_other ? ",allow_other" : "");
  unsigned long flags = MS_RDONLY;
  flags |= options->allow_suid ? 0 : MS_NOSUID;
  flags |= options->allow_dev ? 0 : MS_NODEV;
  flags |= options->noexec ? MS_NOEXEC : 0;
  flags |= options->nosymfollow ? FLAG_NOSYMFOLLOW : 0;
  if (mount (options->source, options->dir, TYPE, flags, data) != 0) {
    vtree_error_set_errno (error, errno, "mount on %s", options->dir);
    return -1;
  }
  return vtree_fd_steal (&fd);
}

/* VALUE as fusermount3 wants it: commas and backslashes escaped. */
static void
append_escaped (GString *text, const char *value)
{
  for (; *value != '\0'; value++) {
    if (*value == ',' || *value == '\\')
      g_string_append_c (text, '\\');
    g_string_append_c (text, *value);
  }
}

static int
mount_by_program (const VtreeChannelOptions *options, GError **error)
{
  g_autoptr (GString) text
    = g_string_new ("ro,nosuid,nodev,default_permissions,subtype=vtree");
  if (options->noexec)
    g_string_append (text, ",noexec");
  if (options->nosymfollow)
    g_string_append (text, ",nosymfollow");
  if (options->allow_other)
    g_string_append (text, ",allow_other");
  g_string_append (text, ",fsname=");
  append_escaped (text, options->source);
  return vtree_fusermount_mount (options->dir, text->str, error);
}

int
vtree_channel_mount (const VtreeChannelOptions *options, GError **error)
{
  return vtree_channel_is_direct () ? mount_direct (options, error)
                                    : mount_by_program (options, error);
}

void
vtree_channel_unmount (const char *dir)
{
  /* What can't be unmounted is left as a dead mount, which whoever uses it sees. */
  if (!vtree_channel_is_direct ())
    vtree_fusermount_unmount (dir);
  else if (umount2 (dir, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
    return;
}

void
vtree_channel_unmount_dead (const char *dir)
{
  if (vtree_mounts_is_dead (dir))
    vtree_channel_unmount (dir);
}
