/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system's semantics: extended attributes, the signed ones and our own.
 * "user.vtree." is ours alone: what a signer puts there is never shown, so that whoever
 * reads such a name can rely on it. Ours are not listed, so that no copy of the tree
 * takes them along.
 */
#include "fuse/fs-private.h"

#include <errno.h>
#include <string.h>

#define MAGIC_PREFIX "user.vtree."

bool
vtree_fs_is_reserved (VtreeSpan name)
{
  return name.size >= strlen (MAGIC_PREFIX)
         && memcmp (name.data, MAGIC_PREFIX, strlen (MAGIC_PREFIX)) == 0;
}

/* Copies out as getxattr(2) does. */
static ssize_t
answer (VtreeSpan value, void *data, size_t size)
{
  if (size == 0)
    return (ssize_t) value.size;
  if (size < value.size)
    return -ERANGE;
  if (value.size > 0)
    memcpy (data, value.data, value.size);
  return (ssize_t) value.size;
}

/* The digest of a regular file's contents; for the root, of the manifest. */
static char *
magic_digest (VtreeFs *fs, const VtreeInode *inode, int *result)
{
  VtreeDigest digest;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (inode->index == 0)
    return g_strdup (fs->status.manifest);
  if (!S_ISREG (inode->mode)) {
    *result = -ENODATA;
    return NULL;
  }
  *result = vtree_fs_digest (fs, inode, &digest);
  return *result == 0 ? g_strdup (vtree_digest_format (&digest, text)) : NULL;
}

/* Who enforces the contents of a file, or of the manifest for what has none. */
static char *
magic_verity (VtreeFs *fs, const VtreeInode *inode, int *result)
{
  static const char *const names[] = { "off", "kernel", "daemon" };
  VtreeEnforcer enforcer = VTREE_ENFORCER_DAEMON;
  g_autoptr (VtreeObject) object = NULL;
  if ((fs->status.flags & VTREE_STATUS_MANIFEST_KERNEL) != 0)
    enforcer = VTREE_ENFORCER_KERNEL;
  if (fs->options.verity == VTREE_VERITY_OFF)
    enforcer = VTREE_ENFORCER_NONE;
  if (S_ISREG (inode->mode) && inode->object != VTREE_VIEW_NO_OBJECT)
    *result = vtree_fs_object (fs, inode, &object);
  if (object != NULL)
    enforcer = vtree_object_enforcer (object);
  /* That is never so of what the kernel enforces. */
  if (*result == VTREE_FS_LATER) {
    enforcer = VTREE_ENFORCER_DAEMON;
    *result = 0;
  }
  return *result == 0 ? g_strdup (names[enforcer]) : NULL;
}

/* A new copy of TEXT, or NULL and -ENODATA where there is none. */
static char *
magic_text (const char *text, int *result)
{
  *result = text[0] != '\0' ? 0 : -ENODATA;
  return text[0] != '\0' ? g_strdup (text) : NULL;
}

char *
vtree_fs_magic (VtreeFs *fs, const VtreeInode *inode, const char *name, int *result)
{
  const char *what = name + strlen (MAGIC_PREFIX);
  *result = 0;
  if (g_str_equal (what, "digest"))
    return magic_digest (fs, inode, result);
  if (g_str_equal (what, "verity"))
    return magic_verity (fs, inode, result);
  if (g_str_equal (what, "ref"))
    return magic_text (fs->status.ref, result);
  if (g_str_equal (what, "key"))
    return magic_text (fs->status.key, result);
  if (g_str_equal (what, "version") && fs->status.version > 0)
    return g_strdup_printf ("%" G_GUINT64_FORMAT, (guint64) fs->status.version);
  *result = -ENODATA;
  return NULL;
}

static ssize_t
get_reserved (VtreeFs *fs, const VtreeInode *inode, const char *name, void *data,
              size_t size)
{
  int result = -ENODATA;
  if (!fs->options.magic)
    return result;
  g_autofree char *text = vtree_fs_magic (fs, inode, name, &result);
  if (text == NULL)
    return result;
  return answer ((VtreeSpan){ (const uint8_t *) text, strlen (text) }, data, size);
}

ssize_t
vtree_fs_getxattr (VtreeFs *fs, uint64_t node, const char *name, void *value,
                   size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeSpan key = { (const uint8_t *) name, strlen (name) };
  VtreeSpan found_value = { NULL, 0 };
  VtreeInode inode;
  bool found = false;
  int result = vtree_fs_inode (fs, node, &inode);
  if (result != 0)
    return result;
  if (vtree_fs_is_reserved (key))
    return get_reserved (fs, &inode, name, value, size);
  if (!vtree_view_xattr (fs->view, &inode, key, &found, &found_value, &error))
    return vtree_fs_fail (fs, inode.index, VTREE_VIEW_NO_OBJECT, error);
  return found ? answer (found_value, value, size) : -ENODATA;
}

/* The names that are shown, each with its NUL. */
static GByteArray *
list_names (const GArray *xattrs)
{
  GByteArray *names = g_byte_array_new ();
  for (guint i = 0; i < xattrs->len; i++) {
    VtreeSpan name = g_array_index (xattrs, VtreeXattr, i).name;
    if (vtree_fs_is_reserved (name))
      continue;
    g_byte_array_append (names, name.data, (guint) name.size);
    g_byte_array_append (names, (const guint8 *) "", 1);
  }
  return names;
}

ssize_t
vtree_fs_listxattr (VtreeFs *fs, uint64_t node, char *list, size_t size)
{
  g_autoptr (GError) error = NULL;
  VtreeInode inode;
  int result = vtree_fs_inode (fs, node, &inode);
  if (result != 0)
    return result;
  g_autoptr (GArray) xattrs = vtree_view_xattrs (fs->view, &inode, &error);
  if (xattrs == NULL)
    return vtree_fs_fail (fs, inode.index, VTREE_VIEW_NO_OBJECT, error);
  g_autoptr (GByteArray) names = list_names (xattrs);
  return answer ((VtreeSpan){ names->data, names->len }, list, size);
}
