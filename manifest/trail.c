/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns a walk's directory descriptors: going down and up, and keeping few of them.
 * Reads no directory and changes nothing.
 */
#include "manifest/trail.h"

#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* openat2() says EAGAIN when something was renamed just then. */
#define ATTEMPTS 64

struct VtreeHandle {
  atomic_uint references;
  VtreeFd fd;
};

VtreeHandle *
vtree_handle_new_take (int fd)
{
  VtreeHandle *handle = g_new (VtreeHandle, 1);
  atomic_init (&handle->references, 1);
  handle->fd = fd;
  return handle;
}

VtreeHandle *
vtree_handle_ref (VtreeHandle *handle)
{
  atomic_fetch_add (&handle->references, 1);
  return handle;
}

void
vtree_handle_unref (VtreeHandle *handle)
{
  if (handle == NULL || atomic_fetch_sub (&handle->references, 1) > 1)
    return;
  vtree_fd_close (handle->fd);
  g_free (handle);
}

int
vtree_handle_fd (const VtreeHandle *handle)
{
  return handle->fd;
}

typedef struct {
  VtreeHandle *handle; /* NULL while it is closed */
  dev_t dev;
  ino_t ino;
  size_t path_length; /* of its path within VtreeTrail.path */
} Step;

struct VtreeTrail {
  VtreeTrailFlags flags;
  GArray *steps; /* Step; the top first */
  guint closed;  /* steps from the top on whose handles are closed */
  GString *path;
};

static void
clear_step (gpointer data)
{
  vtree_handle_unref (((Step *) data)->handle);
}

static Step *
last_step (const VtreeTrail *trail)
{
  return &g_array_index (trail->steps, Step, trail->steps->len - 1);
}

static void
add_step_take (VtreeTrail *trail, int fd, const struct stat *st)
{
  Step step = { .handle = vtree_handle_new_take (fd),
                .dev = st->st_dev,
                .ino = st->st_ino,
                .path_length = trail->path->len };
  g_array_append_val (trail->steps, step);
  if (trail->steps->len - trail->closed <= VTREE_TRAIL_OPEN)
    return;
  Step *highest = &g_array_index (trail->steps, Step, trail->closed++);
  g_clear_pointer (&highest->handle, vtree_handle_unref);
}

VtreeTrail *
vtree_trail_new (int fd, VtreeTrailFlags flags, GError **error)
{
  g_auto (VtreeFd) copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  struct stat st;
  if (copy < 0 || fstat (copy, &st) != 0) {
    vtree_error_set_errno (error, errno, "look at a directory");
    return NULL;
  }
  VtreeTrail *trail = g_new0 (VtreeTrail, 1);
  trail->flags = flags;
  trail->steps = g_array_new (FALSE, FALSE, sizeof (Step));
  g_array_set_clear_func (trail->steps, clear_step);
  trail->path = g_string_new (NULL);
  add_step_take (trail, vtree_fd_steal (&copy), &st);
  return trail;
}

void
vtree_trail_free (VtreeTrail *trail)
{
  if (trail == NULL)
    return;
  g_array_unref (trail->steps);
  g_string_free (trail->path, TRUE);
  g_free (trail);
}

/* A descriptor or a negative errno. */
static int
open_in_mount (int dirfd, const char *name, int flags)
{
  struct open_how how = {
    .flags = (uint64_t) (unsigned) flags,
    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
  };
  for (int attempt = 1;; attempt++) {
    long fd = syscall (SYS_openat2, dirfd, name, &how, sizeof how);
    if (fd >= 0)
      return (int) fd;
    if (errno != EINTR && (errno != EAGAIN || attempt >= ATTEMPTS))
      return -errno;
  }
}

static int
open_directory (const VtreeTrail *trail, int dirfd, const char *name, int flags)
{
  if (trail->flags & VTREE_TRAIL_ONE_MOUNT)
    return open_in_mount (dirfd, name, flags);
  int fd = openat (dirfd, name, flags);
  return fd >= 0 ? fd : -errno;
}

bool
vtree_trail_push (VtreeTrail *trail, const char *name, struct stat *stat,
                  GError **error)
{
  int dirfd = vtree_trail_fd (trail);
  int got = -EPERM;
  if (trail->flags & VTREE_TRAIL_NO_ATIME)
    got = open_directory (trail, dirfd, name, DIRECTORY_FLAGS | O_NOATIME);
  if (got == -EPERM) /* O_NOATIME is for the owner alone */
    got = open_directory (trail, dirfd, name, DIRECTORY_FLAGS);
  g_auto (VtreeFd) fd = got;
  struct stat st;
  int errnum = got < 0 ? -got : fstat (fd, &st) != 0 ? errno : 0;
  if (errnum != 0) {
    g_autofree char *path = vtree_trail_path (trail, name);
    g_autofree char *shown = vtree_error_escape (path, -1);
    return vtree_error_set_errno (error, errnum, "open the directory %s", shown);
  }
  if (trail->path->len > 0)
    g_string_append_c (trail->path, '/');
  g_string_append (trail->path, name);
  add_step_take (trail, vtree_fd_steal (&fd), &st);
  if (stat != NULL)
    *stat = st;
  return true;
}

/* Opens the last step but one through the last, if it is closed. */
static bool
reopen_parent (VtreeTrail *trail, GError **error)
{
  Step *parent = &g_array_index (trail->steps, Step, trail->steps->len - 2);
  if (parent->handle != NULL)
    return true;
  g_auto (VtreeFd) fd = openat (vtree_trail_fd (trail), "..", DIRECTORY_FLAGS);
  struct stat st;
  g_autofree char *shown = vtree_error_escape (trail->path->str, -1);
  if (fd < 0 || fstat (fd, &st) != 0)
    return vtree_error_set_errno (error, errno, "return from the directory %s", shown);
  if (st.st_dev != parent->dev || st.st_ino != parent->ino)
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "return from the directory %s: it was moved meanwhile",
                            shown);
  parent->handle = vtree_handle_new_take (vtree_fd_steal (&fd));
  trail->closed--;
  return true;
}

VtreeHandle *
vtree_trail_pop (VtreeTrail *trail, GError **error)
{
  g_assert (trail->steps->len > 1);
  if (!reopen_parent (trail, error))
    return NULL;
  VtreeHandle *left = g_steal_pointer (&last_step (trail)->handle);
  g_array_set_size (trail->steps, trail->steps->len - 1);
  g_string_truncate (trail->path, last_step (trail)->path_length);
  return left;
}

VtreeHandle *
vtree_trail_peek (const VtreeTrail *trail)
{
  return last_step (trail)->handle;
}

int
vtree_trail_fd (const VtreeTrail *trail)
{
  return vtree_handle_fd (last_step (trail)->handle);
}

size_t
vtree_trail_depth (const VtreeTrail *trail)
{
  return trail->steps->len - 1;
}

char *
vtree_trail_path (const VtreeTrail *trail, const char *name)
{
  if (name == NULL)
    return g_strdup (trail->path->str);
  const char *slash = trail->path->len > 0 ? "/" : "";
  return g_strconcat (trail->path->str, slash, name, NULL);
}
