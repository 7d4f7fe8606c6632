/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the rules for names and modes; touches nothing. */
#include "manifest/name.h"

#include "manifest/format.h"
#include <string.h>
#include <sys/stat.h>

static bool
equals (VtreeSpan span, const char *text)
{
  return span.size == strlen (text) && memcmp (span.data, text, span.size) == 0;
}

bool
vtree_name_is_valid (VtreeSpan name)
{
  if (name.size == 0 || name.size > VTREE_VTM_NAME_MAX)
    return false;
  if (memchr (name.data, '/', name.size) != NULL
      || memchr (name.data, '\0', name.size) != NULL)
    return false;
  return name.data[0] != '.' || !(equals (name, ".") || equals (name, ".."));
}

bool
vtree_mode_is_valid (uint32_t mode)
{
  if ((mode & ~(uint32_t) (S_IFMT | 07777)) != 0)
    return false;
  switch (mode & S_IFMT) {
  case S_IFREG:
  case S_IFDIR:
  case S_IFCHR:
  case S_IFBLK:
  case S_IFIFO:
  case S_IFSOCK:
    return true;
  case S_IFLNK:
    return (mode & 07777) == 0777;
  default:
    return false;
  }
}

bool
vtree_xattr_is_acl (VtreeSpan name)
{
  return equals (name, "system.posix_acl_access")
         || equals (name, "system.posix_acl_default");
}
