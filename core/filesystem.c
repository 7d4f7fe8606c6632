/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the table of filesystem magics, with the list that the trust in a measurement
 * hangs on, and the one of those whose change times can be relied on. Magics:
 * linux/magic.h, and for xfs, zfs the filesystem's own source.
 */
#include "core/filesystem.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

typedef struct {
  uint32_t magic;
  bool enforces_verity;
  bool keeps_change_times;
  const char *name;
} Filesystem;

static const Filesystem filesystems[] = {
  { 0x0000ef53, true, true, "ext4" },       { 0xf2f52010, true, true, "f2fs" },
  { 0x9123683e, true, true, "btrfs" },      { 0x65735546, false, false, "fuse" },
  { 0x794c7630, false, false, "overlay" },  { 0x01021994, false, true, "tmpfs" },
  { 0x58465342, false, true, "xfs" },       { 0x00006969, false, false, "nfs" },
  { 0xfe534d42, false, false, "smb" },      { 0x01021997, false, false, "9p" },
  { 0x73717368, false, false, "squashfs" }, { 0xe0f5e1e2, false, false, "erofs" },
  { 0x00004d44, false, false, "vfat" },     { 0x2fc12fc1, false, true, "zfs" },
  { 0xca451a4e, false, true, "bcachefs" },  { 0x858458f6, false, true, "ramfs" },
};

/* The table's row for FS, or NULL. */
static const Filesystem *
find (const struct statfs *fs)
{
  for (size_t i = 0; i < G_N_ELEMENTS (filesystems); i++) {
    /* f_type is signed and 32 bits wide on some machines */
    if (filesystems[i].magic == (uint32_t) fs->f_type)
      return &filesystems[i];
  }
  return NULL;
}

bool
vtree_filesystem_enforces_verity (int fd, bool *enforces, GError **error)
{
  struct statfs fs;
  if (fstatfs (fd, &fs) < 0)
    return vtree_error_set_errno (error, errno, "fstatfs");
  const Filesystem *row = find (&fs);
  *enforces = row != NULL && row->enforces_verity;
  return true;
}

bool
vtree_filesystem_keeps_change_times (int fd, uint64_t *id, GError **error)
{
  struct statfs fs;
  uint64_t own;
  if (fstatfs (fd, &fs) < 0)
    return vtree_error_set_errno (error, errno, "fstatfs");
  const Filesystem *row = find (&fs);
  memcpy (&own, &fs.f_fsid, sizeof own);
  own ^= (uint64_t) (uint32_t) fs.f_type << 16;
  bool keeps = row != NULL && row->keeps_change_times && !(fs.f_flags & ST_RDONLY);
  *id = keeps ? MAX (own, 1) : 0;
  return true;
}

char *
vtree_filesystem_name (int fd)
{
  struct statfs fs;
  if (fstatfs (fd, &fs) < 0)
    return g_strdup ("unknown");
  const Filesystem *row = find (&fs);
  if (row != NULL)
    return g_strdup (row->name);
  return g_strdup_printf ("0x%x", (unsigned) fs.f_type);
}
