/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the two walks of a checkout: the first makes every name, with workers writing
 * the regular files; the second gives the directories their attributes, children first.
 * Keeps a directory of its own in the top one, for files that shall appear whole and
 * for inodes with several names.
 */
#include "manifest/checkout-tree.h"

#include "manifest/acl.h"
#include "manifest/jobs.h"
#include "manifest/listing.h"
#include "manifest/remove.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAGING_NAME_MAX 48
#define TEMPORARY_NAME_MAX 32
#define PROGRESS_EVERY 256

/* A directory that a walk is in. */
typedef struct {
  VtreeInode inode;
  VtreeDirectory directory;
  uint32_t next; /* entry */
} Frame;

typedef struct {
  VtreeCheckoutState *state;
  VtreeJobs *jobs; /* NULL in the second walk */
  VtreeTrail *trail;
  GArray *frames; /* Frame */
  char staging_name[STAGING_NAME_MAX];
  VtreeHandle *staging;
  GHashTable *linked; /* set of indexes of inodes that are in the staging directory */
  atomic_uint_fast64_t temporaries;
  uint64_t entries;
} Walk;

/* What a worker makes. */
typedef struct {
  VtreeInode inode;
  bool reserved; /* it is in the staging directory already, empty */
} Work;

bool
vtree_checkout_forget_parent (int fd, GError **error)
{
  if (fchmod (fd, 0700) != 0)
    return vtree_error_set_errno (error, errno, "set the mode of a new directory");
  return vtree_xattr_remove (fd, VTREE_ACL_DEFAULT, error)
         && vtree_xattr_remove (fd, VTREE_ACL_ACCESS, error);
}

static bool
prefix_path (const char *path, GError **error)
{
  g_autofree char *shown = vtree_error_escape (path[0] != '\0' ? path : ".", -1);
  g_prefix_error (error, "%s: ", shown);
  return false;
}

static Frame *
last_frame (const Walk *walk)
{
  return &g_array_index (walk->frames, Frame, walk->frames->len - 1);
}

static VtreePlace
place_in (const Walk *walk, const char *name)
{
  return (VtreePlace){ .dirfd = vtree_trail_fd (walk->trail), .name = name };
}

static VtreePlace
new_temporary (Walk *walk, char name[TEMPORARY_NAME_MAX])
{
  snprintf (name, TEMPORARY_NAME_MAX, "t%" G_GUINT64_FORMAT,
            (uint64_t) atomic_fetch_add (&walk->temporaries, 1));
  return (VtreePlace){ .dirfd = vtree_handle_fd (walk->staging), .name = name };
}

/* Moves FROM over whatever is at TO. */
static bool
replace (VtreePlace from, VtreePlace to, GError **error)
{
  if (renameat (from.dirfd, from.name, to.dirfd, to.name) == 0)
    return true;
  if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "rename it into its place");
  if (!vtree_remove (to.dirfd, to.name, error))
    return false;
  if (renameat (from.dirfd, from.name, to.dirfd, to.name) != 0)
    return vtree_error_set_errno (error, errno, "rename it into its place");
  return true;
}

/* True in *KEEP where INODE is at PLACE already, and no other name outside can see
 * it. */
static bool
is_there (Walk *walk, VtreePlace place, const VtreeInode *inode, bool *keep,
          GError **error)
{
  struct stat st;
  *keep = false;
  if (fstatat (place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || vtree_error_set_errno (error, errno, "look at it");
  if (st.st_nlink != inode->nlink)
    return true;
  return vtree_checkout_is_equal (walk->state, place, &st, inode, keep, error);
}

/* Makes INODE, with one name, at PLACE. */
static bool
make_single (Walk *walk, VtreePlace place, const VtreeInode *inode, GError **error)
{
  if (!walk->state->options->update)
    return vtree_checkout_make (walk->state, place, inode, error);
  bool keep;
  if (!is_there (walk, place, inode, &keep, error))
    return false;
  if (keep) {
    atomic_fetch_add (&walk->state->kept, 1);
    return true;
  }
  char name[TEMPORARY_NAME_MAX];
  VtreePlace temporary = new_temporary (walk, name);
  return vtree_checkout_make (walk->state, temporary, inode, error)
         && replace (temporary, place, error);
}

static bool
do_work (void *context, const VtreeJob *job, GError **error)
{
  Walk *walk = context;
  const Work *work = job->data;
  VtreePlace place = { .dirfd = vtree_handle_fd (job->dir), .name = job->name };
  if (work->reserved) {
    char name[TEMPORARY_NAME_MAX];
    snprintf (name, sizeof name, "l%u", work->inode.index);
    place = (VtreePlace){ .dirfd = vtree_handle_fd (walk->staging), .name = name };
    return vtree_checkout_fill (walk->state, place, &work->inode, error)
           || prefix_path (job->path, error);
  }
  return make_single (walk, place, &work->inode, error)
         || prefix_path (job->path, error);
}

/* False with no error once a worker has failed. */
static bool
hand_over (Walk *walk, const char *path, const VtreeInode *inode, bool reserved)
{
  Work *work = g_new (Work, 1);
  *work = (Work){ .inode = *inode, .reserved = reserved };
  return vtree_jobs_add (walk->jobs, vtree_trail_peek (walk->trail), path, work,
                         inode->size);
}

/* Puts the inode that PATH is the first name of into the staging directory: what is at
 * PLACE if that is it, else a new one. */
static bool
stage_linked (Walk *walk, const char *path, VtreePlace place, VtreePlace staged,
              const VtreeInode *inode, GError **error)
{
  bool keep = false;
  if (walk->state->options->update && !is_there (walk, place, inode, &keep, error))
    return false;
  if (keep) {
    if (linkat (place.dirfd, place.name, staged.dirfd, staged.name, 0) != 0)
      return vtree_error_set_errno (error, errno, "link it");
    return true;
  }
  /* In an update its names are seen at once, so it has to be whole before it gets
   * them. */
  if (!S_ISREG (inode->mode) || walk->state->options->update)
    return vtree_checkout_make (walk->state, staged, inode, error);
  return vtree_checkout_reserve (staged, error) && hand_over (walk, path, inode, true);
}

/* Gives the inode at STAGED the further name PLACE. */
static bool
link_staged (Walk *walk, VtreePlace place, VtreePlace staged, GError **error)
{
  struct stat st;
  struct stat old;
  if (fstatat (staged.dirfd, staged.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return vtree_error_set_errno (error, errno, "look at it");
  if (walk->state->options->update
      && fstatat (place.dirfd, place.name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
    if (old.st_ino == st.st_ino && old.st_dev == st.st_dev) {
      atomic_fetch_add (&walk->state->kept, 1);
      return true;
    }
    char name[TEMPORARY_NAME_MAX];
    VtreePlace temporary = new_temporary (walk, name);
    if (linkat (staged.dirfd, staged.name, temporary.dirfd, temporary.name, 0) != 0)
      return vtree_error_set_errno (error, errno, "link it");
    return replace (temporary, place, error);
  }
  if (linkat (staged.dirfd, staged.name, place.dirfd, place.name, 0) != 0)
    return vtree_error_set_errno (error, errno, "link it");
  return true;
}

static bool
make_linked (Walk *walk, const char *path, VtreePlace place, const VtreeInode *inode,
             GError **error)
{
  char name[TEMPORARY_NAME_MAX];
  snprintf (name, sizeof name, "l%u", inode->index);
  VtreePlace staged = { .dirfd = vtree_handle_fd (walk->staging), .name = name };
  if (g_hash_table_add (walk->linked, GUINT_TO_POINTER (inode->index))
      && !stage_linked (walk, path, place, staged, inode, error))
    return false;
  return link_staged (walk, place, staged, error);
}

static void
tell_progress (Walk *walk)
{
  const VtreeCheckoutState *state = walk->state;
  if (state->options->progress != NULL && walk->entries++ % PROGRESS_EVERY == 0)
    state->options->progress (state->options->progress_context,
                              atomic_load (&state->files), atomic_load (&state->bytes));
}

/* Makes one name that is no directory. False with no error once a worker has failed. */
static bool
make_entry (Walk *walk, const char *name, const VtreeInode *inode, GError **error)
{
  tell_progress (walk);
  g_autofree char *path = vtree_trail_path (walk->trail, name);
  VtreePlace place = place_in (walk, name);
  g_autoptr (GError) failure = NULL;
  bool ok;
  if (inode->nlink > 1)
    ok = make_linked (walk, path, place, inode, &failure);
  else if (S_ISREG (inode->mode))
    ok = hand_over (walk, path, inode, false);
  else
    ok = make_single (walk, place, inode, &failure);
  if (failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&failure));
    prefix_path (path, error);
  }
  return ok;
}

static char *
read_entry (const Walk *walk, uint32_t n, VtreeInode *inode, GError **error)
{
  VtreeView *view = walk->state->view;
  VtreeEntry entry;
  if (!vtree_view_entry (view, &last_frame (walk)->directory, n, &entry, error)
      || !vtree_view_child (view, &last_frame (walk)->directory, entry.inode, inode,
                            error))
    return NULL;
  return g_strndup ((const char *) entry.name.data, entry.name.size);
}

/* Removes what is in the real directory but not in the manifest's. */
static bool
remove_others (Walk *walk, GError **error)
{
  int fd = vtree_trail_fd (walk->trail);
  const Frame *frame = last_frame (walk);
  g_autoptr (VtreeListing) listing = vtree_listing_read (fd, error);
  if (listing == NULL)
    return false;
  for (size_t i = 0; i < vtree_listing_count (listing); i++) {
    const char *name = vtree_listing_peek (listing, i)->name;
    bool found;
    uint32_t inode;
    VtreeSpan span = { (const uint8_t *) name, strlen (name) };
    if (!vtree_view_lookup (walk->state->view, &frame->directory, span, &found, &inode,
                            error))
      return false;
    bool ours = walk->frames->len == 1 && g_str_equal (name, walk->staging_name);
    if (found || ours)
      continue;
    if (!vtree_remove (fd, name, error))
      return false;
    atomic_fetch_add (&walk->state->removed, 1);
  }
  return true;
}

/* Makes all names but the directories of where the walk has just gone. */
static bool
make_entries (Walk *walk, GError **error)
{
  if (walk->state->options->update && !remove_others (walk, error)) {
    g_autofree char *path = vtree_trail_path (walk->trail, NULL);
    return prefix_path (path, error);
  }
  for (uint32_t n = 0; n < last_frame (walk)->directory.count; n++) {
    VtreeInode inode;
    g_autofree char *name = read_entry (walk, n, &inode, error);
    if (name == NULL)
      return false;
    if (!S_ISDIR (inode.mode) && !make_entry (walk, name, &inode, error))
      return false;
  }
  return true;
}

/* A new directory: by way of the staging one in an update, where a parent's default ACL
 * would be handed down. */
static bool
make_new_directory (Walk *walk, VtreePlace place, GError **error)
{
  bool update = walk->state->options->update;
  char temporary_name[TEMPORARY_NAME_MAX];
  VtreePlace made = update ? new_temporary (walk, temporary_name) : place;
  if (mkdirat (made.dirfd, made.name, 0700) != 0)
    return vtree_error_set_errno (error, errno, "make the directory");
  atomic_fetch_add (&walk->state->files, 1);
  return !update || replace (made, place, error);
}

/* In an update: the directory that is there, its owner's to write in. */
static bool
use_directory (Walk *walk, VtreePlace place, bool *there, GError **error)
{
  struct stat st;
  *there = false;
  if (!walk->state->options->update)
    return true;
  if (fstatat (place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || vtree_error_set_errno (error, errno, "look at it");
  if (!S_ISDIR (st.st_mode))
    return vtree_remove (place.dirfd, place.name, error);
  *there = true;
  if (walk->state->euid != 0 && (st.st_mode & S_IRWXU) != S_IRWXU
      && fchmodat (place.dirfd, place.name, (st.st_mode & 07777) | S_IRWXU,
                   AT_SYMLINK_NOFOLLOW)
           != 0)
    return vtree_error_set_errno (error, errno, "make it writable");
  return true;
}

static bool
make_directory (Walk *walk, const char *name, GError **error)
{
  VtreePlace place = place_in (walk, name);
  bool there;
  if (use_directory (walk, place, &there, error)
      && (there || make_new_directory (walk, place, error)))
    return true;
  g_autofree char *path = vtree_trail_path (walk->trail, name);
  return prefix_path (path, error);
}

static bool
add_frame (Walk *walk, const VtreeInode *inode, GError **error)
{
  Frame frame = { .inode = *inode };
  if (!vtree_view_directory (walk->state->view, inode, &frame.directory, error))
    return false;
  g_array_append_val (walk->frames, frame);
  return true;
}

/* Goes into the next directory of the last frame. *FOUND false where there is none. */
static bool
go_down (Walk *walk, bool *found, GError **error)
{
  Frame *frame = last_frame (walk);
  *found = false;
  while (frame->next < frame->directory.count) {
    VtreeInode inode;
    g_autofree char *name = read_entry (walk, frame->next++, &inode, error);
    if (name == NULL)
      return false;
    if (!S_ISDIR (inode.mode))
      continue;
    *found = true;
    if (walk->jobs != NULL && !make_directory (walk, name, error))
      return false;
    return vtree_trail_push (walk->trail, name, NULL, error)
           && add_frame (walk, &inode, error)
           && (walk->jobs == NULL || make_entries (walk, error));
  }
  return true;
}

/* Leaves the last frame; in the second walk its directory gets its attributes. */
static bool
go_up (Walk *walk, GError **error)
{
  VtreeInode inode = last_frame (walk)->inode;
  g_autofree char *path = vtree_trail_path (walk->trail, NULL);
  g_array_set_size (walk->frames, walk->frames->len - 1);
  g_autoptr (VtreeHandle) left = walk->frames->len > 0
                                   ? vtree_trail_pop (walk->trail, error)
                                   : vtree_handle_ref (vtree_trail_peek (walk->trail));
  if (left == NULL)
    return false;
  if (walk->jobs != NULL)
    return true;
  return vtree_checkout_finish_directory (walk->state, vtree_handle_fd (left), &inode,
                                          error)
         || prefix_path (path, error);
}

static bool
walk_tree (Walk *walk, const VtreeInode *top, GError **error)
{
  g_array_set_size (walk->frames, 0);
  if (!add_frame (walk, top, error)
      || (walk->jobs != NULL && !make_entries (walk, error)))
    return false;
  while (walk->frames->len > 0) {
    bool found;
    if (!go_down (walk, &found, error))
      return false;
    if (!found && !go_up (walk, error))
      return false;
  }
  return true;
}

/* Makes the staging directory, by a name that the tree's top directory has not. */
static bool
make_staging (Walk *walk, const VtreeInode *top, GError **error)
{
  int dirfd = vtree_trail_fd (walk->trail);
  VtreeDirectory directory;
  if (!vtree_view_directory (walk->state->view, top, &directory, error))
    return false;
  bool found = true;
  while (found) {
    snprintf (walk->staging_name, sizeof walk->staging_name, ".vtree-checkout.%08x",
              g_random_int ());
    VtreeSpan span
      = { (const uint8_t *) walk->staging_name, strlen (walk->staging_name) };
    uint32_t inode;
    if (!vtree_view_lookup (walk->state->view, &directory, span, &found, &inode, error))
      return false;
    if (!found && mkdirat (dirfd, walk->staging_name, 0700) != 0) {
      if (errno != EEXIST)
        return vtree_error_set_errno (error, errno, "make a directory for new files");
      found = true;
    }
  }
  g_auto (VtreeFd) fd = openat (dirfd, walk->staging_name,
                                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open the directory for new files");
  walk->staging = vtree_handle_new_take (vtree_fd_steal (&fd));
  return vtree_checkout_forget_parent (vtree_handle_fd (walk->staging), error);
}

/* The first walk, with its workers. */
static bool
make_names (Walk *walk, const VtreeInode *top, GError **error)
{
  walk->jobs = vtree_jobs_new (walk->state->options->threads, do_work, g_free, walk);
  g_autoptr (GError) failure = NULL;
  bool walked = walk_tree (walk, top, &failure);
  g_autoptr (GError) work_failure = NULL;
  bool worked = vtree_jobs_finish (&walk->jobs, &work_failure);
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (work_failure != NULL)
    g_propagate_error (error, g_steal_pointer (&work_failure));
  return walked && worked;
}

static bool
run (Walk *walk, int fd, const VtreeInode *top, GError **error)
{
  bool ok = make_staging (walk, top, error) && make_names (walk, top, error);
  /* The error that stopped the walk is worth more than one of the tidying. */
  if (walk->staging != NULL
      && !vtree_remove (fd, walk->staging_name, ok ? error : NULL))
    return false;
  if (!ok)
    return false;
  g_clear_pointer (&walk->trail, vtree_trail_free);
  walk->trail = vtree_trail_new (fd, VTREE_TRAIL_ONE_MOUNT, error);
  return walk->trail != NULL && walk_tree (walk, top, error);
}

bool
vtree_checkout_tree (VtreeCheckoutState *state, int fd, const VtreeInode *top,
                     GError **error)
{
  Walk walk
    = { .state = state, .trail = vtree_trail_new (fd, VTREE_TRAIL_ONE_MOUNT, error) };
  if (walk.trail == NULL)
    return false;
  walk.frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  walk.linked = g_hash_table_new (g_direct_hash, g_direct_equal);
  bool ok = run (&walk, fd, top, error);
  vtree_handle_unref (walk.staging);
  g_hash_table_unref (walk.linked);
  g_array_unref (walk.frames);
  g_clear_pointer (&walk.trail, vtree_trail_free);
  return ok;
}
