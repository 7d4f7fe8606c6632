/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order in which a checkout goes through a tree, and the paths in its errors.
 * Makes and changes nothing: that is for the steps.
 */
#include "manifest/checkout-walk.h"

#include "manifest/listing.h"

/* A directory that the walk is in. */
typedef struct {
  VtreeInode inode;
  VtreeDirectory directory;
  uint32_t next;     /* entry */
  GHashTable *names; /* of the real directory; NULL: they need not be compared */
} Frame;

static void
clear_frame (gpointer data)
{
  g_clear_pointer (&((Frame *) data)->names, g_hash_table_unref);
}

static Frame *
last_frame (const VtreeCheckoutWalk *walk)
{
  return &g_array_index (walk->frames, Frame, walk->frames->len - 1);
}

const VtreeDirectory *
vtree_checkout_walk_directory (const VtreeCheckoutWalk *walk)
{
  return &last_frame (walk)->directory;
}

size_t
vtree_checkout_walk_depth (const VtreeCheckoutWalk *walk)
{
  return walk->frames->len - 1;
}

bool
vtree_checkout_list_names (const VtreeCheckoutState *state, int fd, GHashTable **names,
                           GError **error)
{
  if (state->ability.names)
    return true;
  g_autoptr (VtreeListing) listing = vtree_listing_read (fd, error);
  if (listing == NULL)
    return false;
  *names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (size_t i = 0; i < vtree_listing_count (listing); i++)
    g_hash_table_add (*names, g_strdup (vtree_listing_peek (listing, i)->name));
  return true;
}

bool
vtree_checkout_has_name (GHashTable *names, const char *name)
{
  return names == NULL || g_hash_table_contains (names, name);
}

/* NAME's path, or that of the directory where the walk is. */
static char *
full_path (const VtreeCheckoutWalk *walk, const char *name)
{
  char *path = vtree_trail_path (walk->trail, name);
  if (walk->prefix[0] == '\0')
    return path;
  char *full = g_strconcat (
    walk->prefix, path[0] != '\0' && walk->prefix[0] != '\0' ? "/" : "", path, NULL);
  g_free (path);
  return full;
}

/* Hands FAILURE, which may be NULL, on with PATH before it. */
static bool
fail (const char *path, GError *failure, GError **error)
{
  if (failure == NULL)
    return false;
  g_autofree char *shown = vtree_error_escape (path[0] != '\0' ? path : ".", -1);
  g_prefix_error (&failure, "%s: ", shown);
  g_propagate_error (error, failure);
  return false;
}

/* The next name of the last frame, which is freed with g_free(); NULL with NAME->entry
 * UINT32_MAX at its end. */
static char *
read_name (VtreeCheckoutWalk *walk, VtreeCheckoutName *name, GError **error)
{
  Frame *frame = last_frame (walk);
  VtreeView *view = walk->state->view;
  name->entry = UINT32_MAX;
  while (frame->next < frame->directory.count) {
    VtreeEntry entry;
    uint32_t n = frame->next++;
    name->entry = frame->directory.first + n;
    if (!vtree_view_entry (view, &frame->directory, n, &entry, error)
        || !vtree_view_child (view, &frame->directory, entry.inode, &name->inode,
                              error))
      return NULL;
    if (!vtree_checkout_leaves_out (walk->state, &name->inode))
      return g_strndup ((const char *) entry.name.data, entry.name.size);
    name->entry = UINT32_MAX;
  }
  return NULL;
}

/* Fills NAME in for where the walk is; TEXT and PATH are borrowed. */
static void
set_place (const VtreeCheckoutWalk *walk, const char *text, const char *path,
           VtreeCheckoutName *name)
{
  name->place = (VtreePlace){ .dirfd = vtree_trail_fd (walk->trail), .name = text };
  name->path = path;
  name->exact = vtree_checkout_has_name (last_frame (walk)->names, text);
}

static bool
do_file (VtreeCheckoutWalk *walk, const char *text, VtreeCheckoutName *name,
         GError **error)
{
  g_autofree char *path = full_path (walk, text);
  g_autoptr (GError) failure = NULL;
  set_place (walk, text, path, name);
  return walk->steps->file (walk, name, &failure)
         || fail (path, g_steal_pointer (&failure), error);
}

/* All names but the directories. */
static bool
do_files (VtreeCheckoutWalk *walk, GError **error)
{
  VtreeCheckoutName name;
  while (true) {
    g_autofree char *text = read_name (walk, &name, error);
    if (text == NULL)
      break;
    if (!S_ISDIR (name.inode.mode) && !do_file (walk, text, &name, error))
      return false;
  }
  last_frame (walk)->next = 0;
  return name.entry == UINT32_MAX;
}

/* Comes into the directory INODE, where the trail is already. */
static bool
enter (VtreeCheckoutWalk *walk, const VtreeInode *inode, GError **error)
{
  Frame frame = { .inode = *inode };
  if (!vtree_view_directory (walk->state->view, inode, &frame.directory, error))
    return false;
  if (walk->compare
      && !vtree_checkout_list_names (walk->state, vtree_trail_fd (walk->trail),
                                     &frame.names, error))
    return false;
  g_array_append_val (walk->frames, frame);
  g_autoptr (GError) failure = NULL;
  if (walk->steps->enter != NULL && !walk->steps->enter (walk, &failure)) {
    g_autofree char *path = full_path (walk, NULL);
    return fail (path, g_steal_pointer (&failure), error);
  }
  return walk->steps->file == NULL || do_files (walk, error);
}

static bool
do_directory (VtreeCheckoutWalk *walk, const char *text, VtreeCheckoutName *name,
              bool *into, GError **error)
{
  *into = true;
  if (walk->steps->directory == NULL)
    return true;
  g_autofree char *path = full_path (walk, text);
  g_autoptr (GError) failure = NULL;
  set_place (walk, text, path, name);
  return walk->steps->directory (walk, name, into, &failure)
         || fail (path, g_steal_pointer (&failure), error);
}

/* Goes into the next directory of the last frame. *FOUND false where there is none. */
static bool
go_down (VtreeCheckoutWalk *walk, bool *found, GError **error)
{
  VtreeCheckoutName name;
  *found = false;
  while (true) {
    g_autofree char *text = read_name (walk, &name, error);
    if (text == NULL)
      return name.entry == UINT32_MAX;
    if (!S_ISDIR (name.inode.mode))
      continue;
    bool into;
    if (!do_directory (walk, text, &name, &into, error))
      return false;
    if (!into)
      continue;
    *found = true;
    return vtree_trail_push (walk->trail, text, NULL, error)
           && enter (walk, &name.inode, error);
  }
}

/* Leaves the last frame. */
static bool
go_up (VtreeCheckoutWalk *walk, GError **error)
{
  VtreeInode inode = last_frame (walk)->inode;
  g_autofree char *path = full_path (walk, NULL);
  g_array_set_size (walk->frames, walk->frames->len - 1);
  g_autoptr (VtreeHandle) left = walk->frames->len > 0
                                   ? vtree_trail_pop (walk->trail, error)
                                   : vtree_handle_ref (vtree_trail_peek (walk->trail));
  if (left == NULL)
    return false;
  g_autoptr (GError) failure = NULL;
  return walk->steps->leave == NULL
         || walk->steps->leave (walk, vtree_handle_fd (left), &inode, &failure)
         || fail (path, g_steal_pointer (&failure), error);
}

static bool
go_through (VtreeCheckoutWalk *walk, const VtreeInode *top, GError **error)
{
  if (!enter (walk, top, error))
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

bool
vtree_checkout_walk (VtreeCheckoutWalk *walk, int fd, const VtreeInode *top,
                     const char *path, GError **error)
{
  g_autoptr (VtreeTrail) trail = vtree_trail_new (fd, VTREE_TRAIL_ONE_MOUNT, error);
  if (trail == NULL)
    return false;
  walk->trail = trail;
  walk->prefix = path;
  walk->frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_array_set_clear_func (walk->frames, clear_frame);
  bool ok = go_through (walk, top, error);
  g_array_unref (walk->frames);
  walk->frames = NULL;
  walk->trail = NULL;
  return ok;
}
