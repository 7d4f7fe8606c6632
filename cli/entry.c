/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rendering of inodes; reads nothing but the view that it is given. */
#include "cli/entry.h"
#include "cli/output.h"

#include <sys/stat.h>

#define MINOR_LOW_BITS 0xffu
#define MINOR_HIGH_SHIFT 12
#define MAJOR_SHIFT 8
#define MAJOR_MASK 0xfffu

const char *
vtree_entry_type (uint32_t mode)
{
  switch (mode & S_IFMT) {
  case S_IFREG:
    return "file";
  case S_IFDIR:
    return "directory";
  case S_IFLNK:
    return "symlink";
  case S_IFCHR:
    return "character-device";
  case S_IFBLK:
    return "block-device";
  case S_IFIFO:
    return "fifo";
  default:
    return "socket";
  }
}

static char
type_letter (uint32_t mode)
{
  switch (mode & S_IFMT) {
  case S_IFREG:
    return '-';
  case S_IFDIR:
    return 'd';
  case S_IFLNK:
    return 'l';
  case S_IFCHR:
    return 'c';
  case S_IFBLK:
    return 'b';
  case S_IFIFO:
    return 'p';
  default:
    return 's';
  }
}

/* Three letters for the permission bits 4, 2, 1 in BITS; SPECIAL is 's' or 't' where
 * that bit is set, else 0. */
static void
put_triple (char *text, uint32_t bits, char special)
{
  text[0] = (bits & 4) != 0 ? 'r' : '-';
  text[1] = (bits & 2) != 0 ? 'w' : '-';
  text[2] = (bits & 1) != 0 ? 'x' : '-';
  if (special != 0)
    text[2] = (bits & 1) != 0 ? special : g_ascii_toupper (special);
}

char *
vtree_entry_mode (uint32_t mode, char text[11])
{
  text[0] = type_letter (mode);
  put_triple (text + 1, mode >> 6, (mode & S_ISUID) != 0 ? 's' : 0);
  put_triple (text + 4, mode >> 3, (mode & S_ISGID) != 0 ? 's' : 0);
  put_triple (text + 7, mode, (mode & S_ISVTX) != 0 ? 't' : 0);
  text[10] = '\0';
  return text;
}

uint32_t
vtree_entry_major (uint32_t rdev)
{
  return (rdev >> MAJOR_SHIFT) & MAJOR_MASK;
}

uint32_t
vtree_entry_minor (uint32_t rdev)
{
  return (rdev & MINOR_LOW_BITS) | ((rdev >> MINOR_HIGH_SHIFT) & ~MINOR_LOW_BITS);
}

char *
vtree_entry_time (int64_t seconds)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);

  if (time == NULL)
    return g_strdup_printf ("@%" G_GINT64_FORMAT, seconds);
  return g_date_time_format (time, "%Y-%m-%d %H:%M:%S");
}

static bool
is_device (const VtreeInode *inode)
{
  return S_ISCHR (inode->mode) || S_ISBLK (inode->mode);
}

void
vtree_entry_print_long (const VtreeInode *inode)
{
  g_autofree char *time = vtree_entry_time (inode->mtime);
  g_autofree char *size = NULL;
  char mode[11];

  size = is_device (inode) ? g_strdup_printf ("%u, %u", vtree_entry_major (inode->rdev),
                                              vtree_entry_minor (inode->rdev))
                           : g_strdup_printf ("%" G_GUINT64_FORMAT, inode->size);
  vtree_out_print ("%s %3u %5u %5u %11s %s ", vtree_entry_mode (inode->mode, mode),
                   inode->nlink, inode->uid, inode->gid, size, time);
}

bool
vtree_entry_print_target (VtreeView *view, const VtreeInode *inode, GError **error)
{
  VtreeSpan target;

  if (!S_ISLNK (inode->mode))
    return true;
  if (!vtree_view_target (view, inode, &target, error))
    return false;
  vtree_out_text (" -> ");
  vtree_out_name ((const char *) target.data, (gssize) target.size);
  return true;
}

/* What only some types have. */
static bool
add_special_json (VtreeView *view, const VtreeInode *inode, VtreeJson *json,
                  GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeDigest digest;
  VtreeSpan target;
  uint64_t size;

  if (S_ISREG (inode->mode) && inode->object != VTREE_VIEW_NO_OBJECT) {
    if (!vtree_view_object (view, inode->object, &digest, &size, error))
      return false;
    vtree_json_add_string (json, "digest", vtree_digest_format (&digest, text));
  }
  if (S_ISLNK (inode->mode)) {
    if (!vtree_view_target (view, inode, &target, error))
      return false;
    vtree_json_add_bytes (json, "target", (const char *) target.data, target.size);
  }
  if (is_device (inode)) {
    vtree_json_add_uint (json, "major", vtree_entry_major (inode->rdev));
    vtree_json_add_uint (json, "minor", vtree_entry_minor (inode->rdev));
  }
  return true;
}

bool
vtree_entry_add_json (VtreeView *view, const VtreeInode *inode, VtreeJson *json,
                      GError **error)
{
  char permissions[8];

  g_snprintf (permissions, sizeof permissions, "%04o", inode->mode & 07777);
  vtree_json_add_string (json, "type", vtree_entry_type (inode->mode));
  vtree_json_add_string (json, "mode", permissions);
  vtree_json_add_uint (json, "uid", inode->uid);
  vtree_json_add_uint (json, "gid", inode->gid);
  vtree_json_add_uint (json, "nlink", inode->nlink);
  vtree_json_add_uint (json, "size", inode->size);
  vtree_json_add_int (json, "mtime", inode->mtime);
  vtree_json_add_uint (json, "nsec", inode->nsec);
  return add_special_json (view, inode, json, error);
}
