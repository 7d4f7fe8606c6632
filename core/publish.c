/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the sequence temporary file, fsync, rename, fsync of the directory. Opens only
 * beneath the directory that it is given.
 */
#include "core/publish.h"

#include "core/beneath.h"
#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_NAME_MAX (sizeof VTREE_PUBLISH_TEMP_PREFIX + 16)

typedef struct {
  int dirfd;        /* the directory itself, not an ancestor */
  const char *name; /* one component */
  VtreePublishFlags flags;
} Target;

static bool
set_error (GError **error, int errnum, const char *what, const char *name)
{
  g_autofree char *escaped = vtree_error_escape (name, -1);
  return vtree_error_set_errno (error, errnum, "%s %s", what, escaped);
}

/* Writes the whole temporary file. */
static bool
fill (int fd, const Target *target, GBytes *bytes, mode_t mode, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (bytes, &size);
  if (fchmod (fd, mode) < 0)
    return set_error (error, errno, "set the mode of", target->name);
  if (!vtree_fd_pwrite (fd, data, size, 0, error)) {
    g_autofree char *escaped = vtree_error_escape (target->name, -1);
    g_prefix_error (error, "publish %s: ", escaped);
    return false;
  }
  if (!(target->flags & VTREE_PUBLISH_NO_SYNC) && fsync (fd) < 0)
    return set_error (error, errno, "sync", target->name);
  return true;
}

/* Gives the temporary file its name; 0 or an errno. */
static int
rename_into_place (const Target *target, const char *temp)
{
  if (!(target->flags & VTREE_PUBLISH_EXCLUSIVE))
    return renameat (target->dirfd, temp, target->dirfd, target->name) < 0 ? errno : 0;
  if (renameat2 (target->dirfd, temp, target->dirfd, target->name, RENAME_NOREPLACE)
      == 0)
    return 0;
  if (errno != EINVAL)
    return errno;
  /* A filesystem that does not know the flag (NFS). */
  if (linkat (target->dirfd, temp, target->dirfd, target->name, 0) < 0)
    return errno;
  return unlinkat (target->dirfd, temp, 0) < 0 ? errno : 0;
}

static bool
write_and_rename (const Target *target, const char *temp, GBytes *bytes, mode_t mode,
                  GError **error)
{
  g_auto (VtreeFd) fd = vtree_beneath_open (target->dirfd, temp,
                                            O_WRONLY | O_CREAT | O_EXCL, 0600, error);
  if (fd < 0)
    return false;
  bool ok = fill (fd, target, bytes, mode, error);
  int errnum = ok ? rename_into_place (target, temp) : 0;
  if (errnum != 0)
    ok = set_error (error, errnum, "publish", target->name);
  if (!ok)
    unlinkat (target->dirfd, temp, 0);
  return ok;
}

static bool
publish_in (const Target *target, GBytes *bytes, mode_t mode, GError **error)
{
  char temp[TEMP_NAME_MAX];
  g_snprintf (temp, sizeof temp, VTREE_PUBLISH_TEMP_PREFIX "%08x%08x", g_random_int (),
              g_random_int ());
  if (!write_and_rename (target, temp, bytes, mode, error))
    return false;
  if (!(target->flags & VTREE_PUBLISH_NO_SYNC) && fsync (target->dirfd) < 0)
    return set_error (error, errno, "sync the directory of", target->name);
  return true;
}

bool
vtree_publish (int dirfd, const char *name, const void *data, size_t size, mode_t mode,
               VtreePublishFlags flags, GError **error)
{
  const char *slash = strrchr (name, '/');
  g_autofree char *parent
    = slash != NULL ? g_strndup (name, (gsize) (slash - name)) : g_strdup (".");
  g_auto (VtreeFd) parent_fd
    = vtree_beneath_open (dirfd, parent, O_RDONLY | O_DIRECTORY, 0, error);
  if (parent_fd < 0) {
    g_prefix_error (error, "publish: ");
    return false;
  }
  Target target = { parent_fd, slash != NULL ? slash + 1 : name, flags };
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  return publish_in (&target, bytes, mode, error);
}
