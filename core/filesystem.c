/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the table of filesystem magics, with the list that the trust in a measurement
 * hangs on. Magics: linux/magic.h, and for xfs, zfs the filesystem's own source.
 */
#include "core/filesystem.h"

#include <errno.h>
#include <stdint.h>
#include <sys/vfs.h>

typedef struct {
  uint32_t magic;
  bool enforces_verity;
  const char *name;
} Filesystem;

static const Filesystem filesystems[] = {
  { 0x0000ef53, true, "ext4" },      { 0xf2f52010, true, "f2fs" },
  { 0x9123683e, true, "btrfs" },     { 0x65735546, false, "fuse" },
  { 0x794c7630, false, "overlay" },  { 0x01021994, false, "tmpfs" },
  { 0x58465342, false, "xfs" },      { 0x00006969, false, "nfs" },
  { 0xfe534d42, false, "smb" },      { 0x01021997, false, "9p" },
  { 0x73717368, false, "squashfs" }, { 0xe0f5e1e2, false, "erofs" },
  { 0x00004d44, false, "vfat" },     { 0x2fc12fc1, false, "zfs" },
  { 0xca451a4e, false, "bcachefs" }, { 0x858458f6, false, "ramfs" },
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
