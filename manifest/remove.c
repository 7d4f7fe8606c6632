/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the removal of trees. Removes what it is told to and changes nothing but the
 * modes of its own user's directories on the way in.
 */
#include "manifest/remove.h"

#include "manifest/listing.h"
#include "manifest/trail.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A directory that is being emptied. */
typedef struct {
  GPtrArray *directories; /* char *: names that are still in it */
} Frame;

static void
clear_frame (gpointer data)
{
  g_ptr_array_unref (((Frame *) data)->directories);
}

static bool
set_error (const VtreeTrail *trail, const char *name, int errnum, GError **error)
{
  g_autofree char *path = vtree_trail_path (trail, name);
  g_autofree char *shown = vtree_error_escape (path, -1);
  return vtree_error_set_errno (error, errnum, "remove %s", shown);
}

/* Unlinks NAME; true in *DIRECTORY where it is one, which stays. */
static bool
unlink_name (const VtreeTrail *trail, const char *name, bool *directory, GError **error)
{
  int dirfd = vtree_trail_fd (trail);
  *directory = false;
  if (unlinkat (dirfd, name, 0) == 0 || errno == ENOENT)
    return true;
  int errnum = errno;
  struct stat st;
  *directory
    = fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
  return *directory || set_error (trail, name, errnum, error);
}

/* Unlinks all but the directories of where the trail stands. */
static bool
unlink_all (const VtreeTrail *trail, GPtrArray *directories, GError **error)
{
  g_autoptr (VtreeListing) listing = vtree_listing_read (vtree_trail_fd (trail), error);
  if (listing == NULL)
    return false;
  for (size_t i = 0; i < vtree_listing_count (listing); i++) {
    const char *name = vtree_listing_peek (listing, i)->name;
    bool directory;
    if (!unlink_name (trail, name, &directory, error))
      return false;
    if (directory)
      g_ptr_array_add (directories, g_strdup (name));
  }
  return true;
}

/* A user's own directories may forbid even him to empty them. */
static bool
permit (const VtreeTrail *trail, const char *name, GError **error)
{
  struct stat st;
  int dirfd = vtree_trail_fd (trail);
  if (geteuid () == 0 || fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0
      || (st.st_mode & S_IRWXU) == S_IRWXU)
    return true;
  mode_t mode = (st.st_mode & 07777) | S_IRWXU;
  return fchmodat (dirfd, name, mode, AT_SYMLINK_NOFOLLOW) == 0
         || set_error (trail, name, errno, error);
}

static bool
add_frame (GArray *frames, const VtreeTrail *trail, GError **error)
{
  Frame frame = { .directories = g_ptr_array_new_with_free_func (g_free) };
  g_array_append_val (frames, frame);
  return unlink_all (trail, frame.directories, error);
}

/* Removes the last directory of FRAME, which is empty by now. */
static bool
remove_empty (const VtreeTrail *trail, Frame *frame, GError **error)
{
  guint last = frame->directories->len - 1;
  const char *name = frame->directories->pdata[last];
  if (unlinkat (vtree_trail_fd (trail), name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return set_error (trail, name, errno, error);
  g_ptr_array_set_size (frame->directories, (int) last);
  return true;
}

/* Empties where the trail stands, depth first. */
static bool
empty (VtreeTrail *trail, GArray *frames, GError **error)
{
  if (!add_frame (frames, trail, error))
    return false;
  while (true) {
    Frame *frame = &g_array_index (frames, Frame, frames->len - 1);
    if (frame->directories->len > 0) {
      const char *name = frame->directories->pdata[frame->directories->len - 1];
      if (!permit (trail, name, error) || !vtree_trail_push (trail, name, NULL, error)
          || !add_frame (frames, trail, error))
        return false;
      continue;
    }
    g_array_set_size (frames, frames->len - 1);
    if (frames->len == 0)
      return true;
    g_autoptr (VtreeHandle) left = vtree_trail_pop (trail, error);
    if (left == NULL
        || !remove_empty (trail, &g_array_index (frames, Frame, frames->len - 1),
                          error))
      return false;
  }
}

static bool
empty_trail (VtreeTrail *trail, GError **error)
{
  g_autoptr (GArray) frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_array_set_clear_func (frames, clear_frame);
  return empty (trail, frames, error);
}

bool
vtree_remove_contents (int fd, GError **error)
{
  g_autoptr (VtreeTrail) trail = vtree_trail_new (fd, VTREE_TRAIL_ONE_MOUNT, error);
  return trail != NULL && empty_trail (trail, error);
}

bool
vtree_remove (int dirfd, const char *name, GError **error)
{
  g_autoptr (VtreeTrail) trail = vtree_trail_new (dirfd, VTREE_TRAIL_ONE_MOUNT, error);
  bool directory;
  if (trail == NULL || !unlink_name (trail, name, &directory, error))
    return false;
  if (!directory)
    return true;
  if (!permit (trail, name, error) || !vtree_trail_push (trail, name, NULL, error)
      || !empty_trail (trail, error))
    return false;
  g_autoptr (VtreeHandle) left = vtree_trail_pop (trail, error);
  if (left == NULL)
    return false;
  if (unlinkat (dirfd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return set_error (trail, name, errno, error);
  return true;
}
