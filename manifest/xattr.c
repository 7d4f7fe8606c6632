/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the xattr system calls and the choice of names. Judges no value.
 */
#include "manifest/xattr.h"

#include "core/fd.h"
#include "manifest/acl.h"
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* The kernel's XATTR_LIST_MAX and XATTR_SIZE_MAX (linux/limits.h). */
#define LIST_MAX 65536
#define VALUE_MAX 65536
/* Most files have none, and few have many. */
#define LIST_USUAL 512

#define PROC_PATH_MAX 32

const char *const vtree_xattr_default_patterns[]
  = { "user.*", "security.capability", VTREE_ACL_ACCESS, VTREE_ACL_DEFAULT, NULL };

struct VtreeXattrFilter {
  const char *const *patterns;
};

void
vtree_xattr_value_free (VtreeXattrValue *value)
{
  if (value == NULL)
    return;
  g_free (value->name);
  g_free (value->data);
  g_free (value);
}

static void
free_value (gpointer data)
{
  vtree_xattr_value_free (data);
}

VtreeXattrFilter *
vtree_xattr_filter_new (const char *const *patterns)
{
  VtreeXattrFilter *filter = g_new (VtreeXattrFilter, 1);
  filter->patterns = patterns != NULL ? patterns : vtree_xattr_default_patterns;
  return filter;
}

void
vtree_xattr_filter_free (VtreeXattrFilter *filter)
{
  g_free (filter);
}

bool
vtree_xattr_filter_takes (const VtreeXattrFilter *filter, const char *name)
{
  bool takes = false;
  for (const char *const *p = filter->patterns; *p != NULL; p++) {
    bool removes = (*p)[0] == '-';
    if (takes == removes && fnmatch (*p + removes, name, 0) == 0)
      takes = !removes;
  }
  return takes;
}

bool
vtree_xattr_filter_suits_symlinks (const VtreeXattrFilter *filter)
{
  for (const char *const *p = filter->patterns; *p != NULL; p++) {
    if ((*p)[0] != '-' && !g_str_has_prefix (*p, "user.")
        && !g_strv_contains (vtree_xattr_default_patterns, *p))
      return true;
  }
  return false;
}

/* Where the xattr calls find what FD, opened with O_PATH, is open on. */
static const char *
proc_path (int fd, char path[PROC_PATH_MAX])
{
  snprintf (path, PROC_PATH_MAX, "/proc/self/fd/%d", fd);
  return path;
}

static ssize_t
list_names (int fd, char *names, size_t size)
{
  ssize_t got = flistxattr (fd, names, size);
  if (got >= 0 || errno != EBADF)
    return got;
  char path[PROC_PATH_MAX];
  return listxattr (proc_path (fd, path), names, size);
}

static ssize_t
get_value (int fd, const char *name, void *value, size_t size)
{
  ssize_t got = fgetxattr (fd, name, value, size);
  if (got >= 0 || errno != EBADF)
    return got;
  char path[PROC_PATH_MAX];
  return getxattr (proc_path (fd, path), name, value, size);
}

/* NULL with no error where NAME has gone meanwhile. */
static VtreeXattrValue *
read_value (int fd, const char *name, GError **error)
{
  g_autoptr (VtreeXattrValue) value = g_new0 (VtreeXattrValue, 1);
  value->name = g_strdup (name);
  ssize_t size = get_value (fd, name, NULL, 0);
  while (size >= 0) {
    value->data = g_realloc (value->data, (size_t) size + 1);
    ssize_t got = get_value (fd, name, value->data, (size_t) size + 1);
    if (got >= 0) {
      value->size = (size_t) got;
      return g_steal_pointer (&value);
    }
    size = errno == ERANGE && size < VALUE_MAX ? VALUE_MAX : -1;
  }
  int errnum = errno;
  g_autofree char *shown = vtree_error_escape (name, -1);
  if (errnum != ENODATA)
    vtree_error_set_errno (error, errnum, "read the attribute %s", shown);
  return NULL;
}

static int
compare_values (gconstpointer a, gconstpointer b)
{
  const VtreeXattrValue *left = *(const VtreeXattrValue *const *) a;
  const VtreeXattrValue *right = *(const VtreeXattrValue *const *) b;
  return strcmp (left->name, right->name);
}

/* Reads those of the SIZE bytes of NAMES that FILTER takes. */
static bool
read_values (int fd, const char *names, size_t size, const VtreeXattrFilter *filter,
             GPtrArray **xattrs, GError **error)
{
  g_autoptr (GPtrArray) values = NULL;
  for (const char *name = names; name < names + size; name += strlen (name) + 1) {
    if (!vtree_xattr_filter_takes (filter, name))
      continue;
    g_autoptr (GError) failure = NULL;
    VtreeXattrValue *value = read_value (fd, name, &failure);
    if (failure != NULL) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return false;
    }
    if (values == NULL)
      values = g_ptr_array_new_with_free_func (free_value);
    if (value != NULL)
      g_ptr_array_add (values, value);
  }
  if (values != NULL)
    g_ptr_array_sort (values, compare_values);
  *xattrs = g_steal_pointer (&values);
  return true;
}

bool
vtree_xattrs_read (int fd, const VtreeXattrFilter *filter, GPtrArray **xattrs,
                   GError **error)
{
  char usual[LIST_USUAL];
  g_autofree char *large = NULL;
  char *names = usual;
  ssize_t size = list_names (fd, usual, sizeof usual);
  if (size < 0 && errno == ERANGE) {
    names = large = g_malloc (LIST_MAX);
    size = list_names (fd, large, LIST_MAX);
  }
  if (size < 0 && errno == ENOENT) /* the way of what is opened with O_PATH */
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "list the extended attributes: /proc is not mounted");
  if (size < 0 && errno != EOPNOTSUPP)
    return vtree_error_set_errno (error, errno, "list the extended attributes");
  return read_values (fd, names, (size_t) MAX (size, 0), filter, xattrs, error);
}

bool
vtree_xattr_set (int fd, const char *name, VtreeSpan value, GError **error)
{
  int result = fsetxattr (fd, name, value.data, value.size, 0);
  if (result != 0 && errno == EBADF) {
    char path[PROC_PATH_MAX];
    result = setxattr (proc_path (fd, path), name, value.data, value.size, 0);
  }
  if (result == 0)
    return true;
  int errnum = errno;
  g_autofree char *shown = vtree_error_escape (name, -1);
  return vtree_error_set_errno (error, errnum, "set the attribute %s", shown);
}

bool
vtree_xattr_remove (int fd, const char *name, GError **error)
{
  int result = fremovexattr (fd, name);
  if (result != 0 && errno == EBADF) {
    char path[PROC_PATH_MAX];
    result = removexattr (proc_path (fd, path), name);
  }
  if (result == 0 || errno == ENODATA || errno == EOPNOTSUPP)
    return true;
  int errnum = errno;
  g_autofree char *shown = vtree_error_escape (name, -1);
  return vtree_error_set_errno (error, errnum, "remove the attribute %s", shown);
}
