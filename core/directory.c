/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns reading a directory whole. Opens nothing but the directory itself again.
 */
#include "core/directory.h"

#include "core/error.h"
#include "core/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Adds the names to NAMES; 0 or an errno. */
static int
read_names (DIR *dir, GPtrArray *names)
{
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir (dir);
    if (entry == NULL)
      return errno;
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      g_ptr_array_add (names, g_strdup (entry->d_name));
  }
}

GPtrArray *
vtree_directory_list (int fd, GError **error)
{
  g_auto (VtreeFd) own = openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = own >= 0 ? fdopendir (own) : NULL;
  if (dir == NULL) {
    vtree_error_set_errno (error, errno, "list directory");
    return NULL;
  }
  vtree_fd_steal (&own);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  int errnum = read_names (dir, names);
  closedir (dir);
  if (errnum != 0) {
    vtree_error_set_errno (error, errnum, "list directory");
    return NULL;
  }
  g_ptr_array_sort (names, compare_names);
  return g_steal_pointer (&names);
}
