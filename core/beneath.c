/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns openat2(2): the only file that opens what lies in a directory which an attacker
 * may write to. glibc 2.36 has no wrapper for it.
 */
#include "core/beneath.h"

#include "core/builtin.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2() says EAGAIN when something beneath was renamed just then. */
#define ATTEMPTS 64

static uint64_t
open_flags (int flags)
{
  uint64_t all = (uint64_t) (unsigned) flags | O_CLOEXEC;
  /* O_PATH opens nothing, so it can't block, and openat2() refuses the two beside it.
   */
  return flags & O_PATH ? all : all | O_NONBLOCK | O_NOCTTY;
}

/* The descriptor, or a negative errno. */
static int
open_beneath (int dirfd, const char *path, int flags, mode_t mode)
{
  struct open_how how = {
    .flags = open_flags (flags),
    .mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode : 0,
    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  if (geteuid () == 0)
    how.resolve |= RESOLVE_NO_XDEV;
  for (int attempt = 1;; attempt++) {
    long fd = syscall (SYS_openat2, dirfd, path, &how, sizeof how);
    if (fd >= 0)
      return (int) fd;
    if (errno != EINTR && (errno != EAGAIN || attempt >= ATTEMPTS))
      return -errno;
  }
}

static bool
set_open_error (GError **error, int errnum, const char *path)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  if (errnum == ENOSYS)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "open %s: this kernel has no openat2 (Linux 5.6)", name);
  return vtree_error_set_errno (error, errnum, "open %s", name);
}

int
vtree_beneath_open (int dirfd, const char *path, int flags, mode_t mode, GError **error)
{
  int fd = open_beneath (dirfd, path, flags, mode);
  if (fd >= 0)
    return fd;
  set_open_error (error, -fd, path);
  return -1;
}

static bool
set_kind_error (GError **error, const char *path, const char *kind)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "open %s: not a %s", name, kind);
}

/* What open says of a symlink, of what leads outside, of a socket or a device without a
 * driver, and of a file in a directory's place. */
static bool
is_wrong_kind (int errnum)
{
  return errnum == ELOOP || errnum == EXDEV || errnum == ENXIO || errnum == ENODEV
         || errnum == ENOTDIR;
}

/* A file that the kernel refuses for its signature is not just "Operation not
 * permitted". */
static bool
set_refusal (GError **error, int errnum, const char *path)
{
  set_open_error (error, errnum, path);
  vtree_builtin_explain (error);
  return false;
}

/* Opens PATH, which must be of TYPE; *FD is -1 where it is missing. */
static bool
open_kind (int dirfd, const char *path, int flags, VtreeFd *fd, struct stat *st,
           GError **error)
{
  mode_t type = flags & O_DIRECTORY ? S_IFDIR : S_IFREG;
  const char *kind = type == S_IFDIR ? "directory" : "regular file";
  int opened = open_beneath (dirfd, path, flags, 0);
  if (opened == -ENOENT) {
    *fd = -1;
    return true;
  }
  if (opened < 0)
    return is_wrong_kind (-opened) ? set_kind_error (error, path, kind)
                                   : set_refusal (error, -opened, path);
  g_auto (VtreeFd) owned = opened;
  if (fstat (owned, st) < 0)
    return set_open_error (error, errno, path);
  if ((st->st_mode & S_IFMT) != type)
    return set_kind_error (error, path, kind);
  *fd = vtree_fd_steal (&owned);
  return true;
}

bool
vtree_beneath_open_file (int dirfd, const char *path, VtreeFd *fd, struct stat *stat,
                         GError **error)
{
  struct stat own;
  return open_kind (dirfd, path, O_RDONLY, fd, stat != NULL ? stat : &own, error);
}

bool
vtree_beneath_open_directory (int dirfd, const char *path, VtreeFd *fd, GError **error)
{
  struct stat st;
  return open_kind (dirfd, path, O_RDONLY | O_DIRECTORY, fd, &st, error);
}

/* Opens the directory NAME (one component) of DIRFD, made if missing; -1 on error. */
static int
make_component (int dirfd, const char *name, mode_t mode, GError **error)
{
  VtreeFd fd;
  if (!vtree_beneath_open_directory (dirfd, name, &fd, error))
    return -1;
  if (fd >= 0)
    return fd;
  if (mkdirat (dirfd, name, mode) < 0 && errno != EEXIST) {
    g_autofree char *escaped = vtree_error_escape (name, -1);
    vtree_error_set_errno (error, errno, "make directory %s", escaped);
    return -1;
  }
  return vtree_beneath_open (dirfd, name, O_RDONLY | O_DIRECTORY, 0, error);
}

static bool
is_plain_component (const char *name)
{
  return *name != '\0' && strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

int
vtree_beneath_make_directory (int dirfd, const char *path, mode_t mode, GError **error)
{
  g_auto (GStrv) names = g_strsplit (path, "/", -1);
  g_auto (VtreeFd) current = -1;
  for (char **name = names; *name != NULL; name++) {
    if (!is_plain_component (*name)) {
      vtree_error_set (error, VTREE_ERROR_INVALID,
                       "make directory %s: not a plain path", path);
      return -1;
    }
    int next = make_component (current >= 0 ? current : dirfd, *name, mode, error);
    if (next < 0)
      return -1;
    vtree_fd_replace_take (&current, next);
  }
  if (current < 0)
    vtree_error_set (error, VTREE_ERROR_INVALID, "make directory: empty path");
  return vtree_fd_steal (&current);
}

bool
vtree_beneath_load (int dirfd, const char *path, size_t limit, GBytes **bytes,
                    GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_beneath_open_file (dirfd, path, &fd, NULL, error))
    return false;
  if (fd < 0) {
    *bytes = NULL;
    return true;
  }
  GBytes *loaded = vtree_fd_load (fd, limit, error);
  if (loaded == NULL) {
    g_autofree char *name = vtree_error_escape (path, -1);
    g_prefix_error (error, "%s: ", name);
    return false;
  }
  *bytes = loaded;
  return true;
}
