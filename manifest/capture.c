/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the walk of a capture: one thread, depth first without recursion, beneath
 * descriptors. Regular files go to capture-file.c; nothing that is walked is changed.
 */
#include "manifest/capture-file.h"

#include "core/filesystem.h"
#include "manifest/exclude.h"
#include "manifest/format.h"
#include "manifest/listing.h"
#include "manifest/lookahead.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Entries between two calls of the progress function. */
#define PROGRESS_EVERY 256
#define AHEAD_THREADS 4

/* A directory that the walk is in. */
typedef struct {
  VtreeNode *node;
  struct stat before;
  GPtrArray *directories; /* char *: names of those in it */
  VtreeLooks *looks;      /* at each of them, or NULL */
  guint next;             /* the one to enter next */
  bool open_to_all;       /* o+x, and so on all the way up */
  uint64_t filesystem;    /* see vtree_stat_cache_find() */
} Frame;

typedef struct {
  dev_t dev;
  ino_t ino;
  VtreeNode *node;
} Link;

typedef struct {
  VtreeCaptureState *state;
  const VtreeExclude *exclude;
  VtreeCaptureReader *reader;
  VtreeLookahead *ahead; /* NULL: nobody looks ahead */
  VtreeTrail *trail;
  GArray *frames;    /* Frame */
  GHashTable *links; /* set of Link: inodes with several names */
  dev_t top_dev;
  uint64_t entries;
} Walk;

static void
clear_frame (gpointer data)
{
  Frame *frame = data;
  g_ptr_array_unref (frame->directories);
  vtree_looks_free (frame->looks);
}

static guint
hash_link (gconstpointer data)
{
  const Link *link = data;
  uint64_t mixed = (uint64_t) link->ino * UINT64_C (0x9e3779b97f4a7c15) + link->dev;
  return (guint) (mixed >> 32);
}

static gboolean
equal_links (gconstpointer a, gconstpointer b)
{
  const Link *left = a;
  const Link *right = b;
  return left->dev == right->dev && left->ino == right->ino;
}

static Frame *
last_frame (const Walk *walk)
{
  return &g_array_index (walk->frames, Frame, walk->frames->len - 1);
}

/* Adds an inode to the directory that the walk is in, and remembers it if it has more
 * names. NULL is PATH's problem, and has been noted. */
static VtreeNode *
add_node (Walk *walk, const char *path, const char *name, const struct stat *st,
          const VtreeNodeAttributes *attributes)
{
  VtreeCaptureState *state = walk->state;
  g_autoptr (GError) failure = NULL;
  g_mutex_lock (&state->lock);
  VtreeNode *node = vtree_builder_add (state->builder, last_frame (walk)->node, name,
                                       attributes, &failure);
  g_mutex_unlock (&state->lock);
  if (node == NULL) {
    vtree_capture_note (state, path, failure);
    return NULL;
  }
  if (st->st_nlink > 1 && !S_ISDIR (st->st_mode)) {
    Link *link = g_new (Link, 1);
    *link = (Link){ .dev = st->st_dev, .ino = st->st_ino, .node = node };
    g_hash_table_add (walk->links, link);
  }
  return node;
}

/* True if the inode has been met by another name, and has this one now too. */
static bool
add_link (Walk *walk, const char *path, const char *name, const struct stat *st)
{
  Link key = { .dev = st->st_dev, .ino = st->st_ino };
  const Link *link = NULL;
  if (st->st_nlink > 1 && !S_ISDIR (st->st_mode))
    link = g_hash_table_lookup (walk->links, &key);
  if (link == NULL)
    return false;
  VtreeCaptureState *state = walk->state;
  g_autoptr (GError) failure = NULL;
  g_mutex_lock (&state->lock);
  bool ok = vtree_builder_link (state->builder, last_frame (walk)->node, name,
                                link->node, &failure);
  g_mutex_unlock (&state->lock);
  if (!ok)
    vtree_capture_note (state, path, failure);
  return true;
}

static bool
read_target (Walk *walk, const char *name, VtreeNode *node, GError **error)
{
  VtreeCaptureState *state = walk->state;
  char target[VTREE_VTM_TARGET_MAX + 2];
  ssize_t length
    = readlinkat (vtree_trail_fd (walk->trail), name, target, sizeof target - 1);
  if (length < 0)
    return vtree_error_set_errno (error, errno, "read its target");
  if (length > VTREE_VTM_TARGET_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "its target is longer than %d bytes", VTREE_VTM_TARGET_MAX);
  target[length] = '\0';
  /* The readers of files allocate from the same builder. */
  g_mutex_lock (&state->lock);
  bool ok = vtree_node_set_target (node, target, error);
  g_mutex_unlock (&state->lock);
  return ok;
}

/* Reads the xattrs of what can't be opened: neither a regular file nor a directory that
 * the walk enters. */
static bool
read_unopened_xattrs (Walk *walk, const char *name, VtreeNodeAttributes *attributes,
                      GPtrArray **xattrs, GError **error)
{
  VtreeCaptureState *state = walk->state;
  if (S_ISLNK (attributes->mode) && !vtree_xattr_filter_suits_symlinks (state->filter))
    return true;
  g_auto (VtreeFd) fd
    = openat (vtree_trail_fd (walk->trail), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  return vtree_attributes_read_xattrs (state->options, state->filter, fd, attributes,
                                       xattrs, error);
}

/* Takes in what is not opened: symlinks, devices, fifos, sockets, and mount points that
 * are not entered. A failure is the file's problem. */
static void
add_unopened (Walk *walk, const char *path, const char *name, const struct stat *st)
{
  VtreeCaptureState *state = walk->state;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) xattrs = NULL;
  VtreeNodeAttributes attributes;
  if (!vtree_attributes_from_stat (state->options, st, &attributes, &failure)
      || !read_unopened_xattrs (walk, name, &attributes, &xattrs, &failure)) {
    vtree_capture_note (state, path, failure);
    return;
  }
  VtreeNode *node = add_node (walk, path, name, st, &attributes);
  if (node == NULL)
    return;
  bool ok = vtree_capture_add_xattrs (state, node, xattrs, &failure);
  if (ok && S_ISLNK (st->st_mode))
    ok = read_target (walk, name, node, &failure);
  if (!ok)
    vtree_capture_note (state, path, failure);
  atomic_fetch_add (&state->files, 1);
}

/* Whether a file with contents may go into a repository that everybody reads. */
static bool
is_secret (const Walk *walk, const struct stat *st)
{
  return walk->state->options->require_world_readable && st->st_size > 0
         && !((st->st_mode & S_IROTH) && last_frame (walk)->open_to_all);
}

/* The directory that the walk is in. */
static VtreePlace
place_of (const Walk *walk)
{
  const Frame *frame = last_frame (walk);
  return (VtreePlace){ .fd = vtree_trail_fd (walk->trail),
                       .dev = frame->before.st_dev,
                       .filesystem = frame->filesystem,
                       .cache = walk->state->options->cache };
}

/* Takes NODE's contents as they were when the user's cache saw them, if the file's
 * state says that they are. True: there is nothing to be read of it at all. */
static bool
use_cache (Walk *walk, VtreeNode *node, const VtreeSeen *seen, VtreeCaptureFile *file)
{
  VtreeCaptureState *state = walk->state;
  if (!seen->known)
    return false;
  uint64_t size = (uint64_t) seen->stat.st_size;
  vtree_stat_cache_use (state->options->cache, &seen->what);
  vtree_node_set_content (node, &seen->what.digest, size);
  file->known = true;
  file->digest = seen->what.digest;
  if (!seen->what.plain)
    return false;
  vtree_stat_cache_note (state->options->cache, &seen->stat, file->filesystem,
                         &seen->what);
  atomic_fetch_add (&state->files, 1);
  atomic_fetch_add (&state->bytes, size);
  return true;
}

/* False once the workers have failed. */
static bool
add_regular (Walk *walk, const char *path, const char *name, const VtreeSeen *seen)
{
  VtreeCaptureState *state = walk->state;
  const struct stat *st = &seen->stat;
  if (is_secret (walk, st))
    vtree_problems_add (state->problems, path,
                        "not readable by everybody, but the repository is "
                        "(--allow-secret takes it all the same)");
  g_autoptr (GError) failure = NULL;
  VtreeNodeAttributes attributes;
  if (!vtree_attributes_from_stat (state->options, st, &attributes, &failure)) {
    vtree_capture_note (state, path, failure);
    return true;
  }
  VtreeNode *node = add_node (walk, path, name, st, &attributes);
  if (node == NULL)
    return true;
  VtreePlace place = place_of (walk);
  VtreeCaptureFile file = { .dir = vtree_trail_peek (walk->trail),
                            .path = path,
                            .node = node,
                            .stat = st,
                            .filesystem = vtree_place_filesystem (&place, st) };
  return use_cache (walk, node, seen, &file)
         || vtree_capture_reader_add (walk->reader, &file);
}

/* Takes in NAME, of which SEEN is known; false with an error or once the workers have
 * failed. */
static bool
visit_seen (Walk *walk, const char *path, const char *name, const VtreeSeen *seen,
            GError **error)
{
  const struct stat *st = &seen->stat;
  if (seen->errnum != 0)
    return vtree_capture_note_errno (walk->state, path, seen->errnum, error);
  if (vtree_exclude_matches (walk->exclude, path, S_ISDIR (st->st_mode)))
    return true;
  if (S_ISDIR (st->st_mode)) {
    g_ptr_array_add (last_frame (walk)->directories, g_strdup (name));
    return true;
  }
  if (add_link (walk, path, name, st))
    return true;
  if (S_ISREG (st->st_mode))
    return add_regular (walk, path, name, seen);
  add_unopened (walk, path, name, st);
  return true;
}

static void
tell_progress (Walk *walk)
{
  const VtreeCaptureState *state = walk->state;
  if (state->options->progress != NULL && walk->entries++ % PROGRESS_EVERY == 0)
    state->options->progress (state->options->progress_context,
                              atomic_load (&state->files), atomic_load (&state->bytes));
}

/* SEEN: what was seen ahead of it; may be NULL. */
static bool
visit_entry (Walk *walk, const VtreeListingEntry *entry, const VtreeSeen *seen,
             GError **error)
{
  tell_progress (walk);
  g_autofree char *path = vtree_trail_path (walk->trail, entry->name);
  /* What is left out need not even be looked at. */
  if (entry->type != DT_UNKNOWN
      && vtree_exclude_matches (walk->exclude, path, entry->type == DT_DIR))
    return true;
  if (entry->type == DT_DIR) {
    g_ptr_array_add (last_frame (walk)->directories, g_strdup (entry->name));
    return true;
  }
  VtreeSeen own;
  if (seen == NULL) {
    VtreePlace place = place_of (walk);
    vtree_see (&place, entry->name, &own);
  }
  return visit_seen (walk, path, entry->name, seen != NULL ? seen : &own, error);
}

/* Whether what was seen ahead (may be NULL) is still to be believed. */
static bool
is_recent (const VtreeLooked *looked)
{
  return looked != NULL && vtree_looked_is_recent (looked, g_get_monotonic_time ());
}

/* Visits all that is in the directory the walk has just entered, as far as possible by
 * what was seen ahead (may be NULL). */
static bool
visit_entries (Walk *walk, const VtreeLooked *looked, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VtreeListing) own = NULL;
  if (!is_recent (looked)
      || !vtree_capture_same_state (&looked->before, &last_frame (walk)->before))
    looked = NULL;
  if (looked == NULL) {
    own = vtree_listing_read (vtree_trail_fd (walk->trail), &failure);
    if (own == NULL) {
      g_autofree char *path = vtree_trail_path (walk->trail, NULL);
      vtree_capture_note (walk->state, path, failure);
      return true;
    }
  }
  const VtreeListing *listing = looked != NULL ? looked->listing : own;
  for (size_t i = 0; i < vtree_listing_count (listing); i++) {
    /* Each time: to hand a file to the readers can take long too. */
    const VtreeSeen *seen
      = looked != NULL && is_recent (looked) ? &looked->seen[i] : NULL;
    if (!visit_entry (walk, vtree_listing_peek (listing, i), seen, error))
      return false;
  }
  Frame *frame = last_frame (walk);
  if (walk->ahead != NULL)
    frame->looks = vtree_lookahead_want (walk->ahead, vtree_trail_peek (walk->trail),
                                         frame->directories);
  return true;
}

static bool
check_forbidden (const Walk *walk, const struct stat *st, GError **error)
{
  const VtreeCaptureOptions *options = walk->state->options;
  if (options->forbidden_ino == 0 || st->st_ino != options->forbidden_ino
      || st->st_dev != options->forbidden_dev)
    return true;
  g_autofree char *path = vtree_trail_path (walk->trail, NULL);
  g_autofree char *shown = vtree_error_escape (path, -1);
  if (path[0] == '\0')
    return vtree_error_set (error, VTREE_ERROR_INVALID, "it is the repository itself");
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "it contains the repository: leave that out with "
                          "--exclude=/%s",
                          shown);
}

/* Makes the node of the directory that the trail has just entered: the root of the tree
 * where NAME is NULL. NULL is PATH's problem, and has been noted. */
static VtreeNode *
add_directory (Walk *walk, const char *path, const char *name, const struct stat *st)
{
  VtreeCaptureState *state = walk->state;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) xattrs = NULL;
  VtreeNodeAttributes attributes;
  if (!vtree_attributes_from_stat (state->options, st, &attributes, &failure)
      || !vtree_attributes_read_xattrs (state->options, state->filter,
                                        vtree_trail_fd (walk->trail), &attributes,
                                        &xattrs, &failure)) {
    vtree_capture_note (state, path, failure);
    return NULL;
  }
  VtreeNode *node = NULL;
  if (name != NULL)
    node = add_node (walk, path, name, st, &attributes);
  else if (vtree_node_set_attributes (vtree_builder_root (state->builder), &attributes,
                                      &failure))
    node = vtree_builder_root (state->builder);
  if (node != NULL && !vtree_capture_add_xattrs (state, node, xattrs, &failure))
    node = NULL;
  if (failure != NULL)
    vtree_capture_note (state, path, failure);
  return node;
}

static void
add_frame (Walk *walk, VtreeNode *node, const struct stat *st)
{
  bool above = walk->frames->len == 0 || last_frame (walk)->open_to_all;
  Frame frame = { .node = node,
                  .before = *st,
                  .directories = g_ptr_array_new_with_free_func (g_free),
                  .open_to_all = above && (st->st_mode & S_IXOTH) };
  if (walk->state->options->cache != NULL)
    vtree_filesystem_keeps_change_times (vtree_trail_fd (walk->trail),
                                         &frame.filesystem, NULL);
  g_array_append_val (walk->frames, frame);
}

/* True in *FOREIGN if the directory NAME was taken in as a mount point that is not to
 * be entered. */
static bool
add_mount_point (Walk *walk, const char *path, const char *name, bool *foreign,
                 GError **error)
{
  *foreign = false;
  if (!walk->state->options->one_file_system)
    return true;
  struct stat st;
  if (fstatat (vtree_trail_fd (walk->trail), name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    *foreign = true; /* a problem, and not to be entered */
    return vtree_capture_note_errno (walk->state, path, errno, error);
  }
  *foreign = S_ISDIR (st.st_mode) && st.st_dev != walk->top_dev;
  if (*foreign)
    add_unopened (walk, path, name, &st);
  return true;
}

/* Enters the directory NAME of the one that the walk is in. LOOKED: see
 * visit_entries(). */
static bool
enter (Walk *walk, const char *name, const VtreeLooked *looked, GError **error)
{
  tell_progress (walk);
  g_autofree char *path = vtree_trail_path (walk->trail, name);
  bool foreign;
  if (!add_mount_point (walk, path, name, &foreign, error))
    return false;
  if (foreign)
    return true;
  struct stat st;
  g_autoptr (GError) failure = NULL;
  if (!vtree_trail_push (walk->trail, name, &st, &failure))
    return vtree_capture_note_errno (walk->state, path, failure->code, error);
  if (!check_forbidden (walk, &st, error))
    return false;
  VtreeNode *node = add_directory (walk, path, name, &st);
  if (node == NULL) {
    VtreeHandle *left = vtree_trail_pop (walk->trail, error);
    vtree_handle_unref (left);
    return left != NULL;
  }
  add_frame (walk, node, &st);
  return visit_entries (walk, looked, error);
}

/* Enters the next directory of the one that the walk is in. */
static bool
enter_next (Walk *walk, GError **error)
{
  Frame *frame = last_frame (walk);
  guint next = frame->next++;
  const char *name = frame->directories->pdata[next];
  g_autoptr (VtreeLooked) looked
    = vtree_lookahead_take (walk->ahead, &frame->looks, next);
  return enter (walk, name, looked, error);
}

/* Leaves a directory whose all has been visited, and sees whether it has changed. */
static bool
leave (Walk *walk, GError **error)
{
  struct stat after;
  const struct stat *before = &last_frame (walk)->before;
  if (fstat (vtree_trail_fd (walk->trail), &after) != 0
      || !vtree_capture_same_state (before, &after)) {
    g_autofree char *path = vtree_trail_path (walk->trail, NULL);
    vtree_problems_add (walk->state->problems, path, "it changed while it was read");
  }
  atomic_fetch_add (&walk->state->files, 1);
  g_array_set_size (walk->frames, walk->frames->len - 1);
  if (walk->frames->len == 0)
    return true;
  g_autoptr (VtreeHandle) left = vtree_trail_pop (walk->trail, error);
  return left != NULL;
}

/* Walks all of it; false with an error or once the workers have failed. */
static bool
walk_tree (Walk *walk, GError **error)
{
  struct stat st;
  if (fstat (vtree_trail_fd (walk->trail), &st) != 0)
    return vtree_error_set_errno (error, errno, "look at it");
  walk->top_dev = st.st_dev;
  if (!check_forbidden (walk, &st, error))
    return false;
  VtreeNode *root = add_directory (walk, "", NULL, &st);
  if (root == NULL)
    return true;
  add_frame (walk, root, &st);
  if (!visit_entries (walk, NULL, error))
    return false;
  while (walk->frames->len > 0) {
    const Frame *frame = last_frame (walk);
    bool ok = frame->next < frame->directories->len ? enter_next (walk, error)
                                                    : leave (walk, error);
    if (!ok)
      return false;
  }
  return true;
}

/* What has its cache reads few files: the workers' processors are free. With one file
 * system nobody but the walk says what may be entered. */
static VtreeLookahead *
new_ahead (const VtreeCaptureOptions *options)
{
  unsigned threads = options->threads != 0 ? options->threads : g_get_num_processors ();
  if (options->cache == NULL || options->one_file_system || threads < 2)
    return NULL;
  return vtree_lookahead_new (MIN (threads - 1, AHEAD_THREADS), options->cache);
}

/* Walks with workers beside it, and waits for them. */
static bool
run (VtreeCaptureState *state, const VtreeExclude *exclude, int dirfd, GError **error)
{
  g_autoptr (VtreeTrail) trail = vtree_trail_new (dirfd, VTREE_TRAIL_NO_ATIME, error);
  if (trail == NULL)
    return false;
  g_autoptr (GArray) frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_array_set_clear_func (frames, clear_frame);
  g_autoptr (GHashTable) links
    = g_hash_table_new_full (hash_link, equal_links, g_free, NULL);
  g_autoptr (VtreeLookahead) ahead = new_ahead (state->options);
  Walk walk = { .state = state,
                .exclude = exclude,
                .reader = vtree_capture_reader_new (state),
                .ahead = ahead,
                .trail = trail,
                .frames = frames,
                .links = links };
  g_autoptr (GError) failure = NULL;
  bool walked = walk_tree (&walk, &failure);
  g_autoptr (GError) worker_failure = NULL;
  bool read = vtree_capture_reader_finish (&walk.reader, &worker_failure);
  walk.entries = 0;
  tell_progress (&walk);
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (worker_failure != NULL)
    g_propagate_error (error, g_steal_pointer (&worker_failure));
  return walked && read;
}

VtreeBuilder *
vtree_capture (int dirfd, const char *name, const VtreeCaptureOptions *options,
               VtreeIngest *ingest, GError **error)
{
  g_autofree char *shown = vtree_error_escape (name, -1);
  g_autofree char *prefix = g_strdup_printf ("capture %s", shown);
  g_autoptr (VtreeExclude) exclude = vtree_exclude_new (options->exclude, error);
  if (exclude == NULL)
    return NULL;
  g_autoptr (VtreeXattrFilter) filter = vtree_xattr_filter_new (options->xattrs);
  g_autoptr (VtreeProblems) problems = vtree_problems_new ();
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (options->alg);
  VtreeCaptureState state = { .options = options,
                              .filter = filter,
                              .ingest = ingest,
                              .builder = builder,
                              .problems = problems };
  g_mutex_init (&state.lock);
  bool ok = run (&state, exclude, dirfd, error);
  g_mutex_clear (&state.lock);
  if (!ok) {
    g_prefix_error (error, "%s: ", prefix);
    return NULL;
  }
  if (!vtree_problems_report (problems, prefix, error))
    return NULL;
  return g_steal_pointer (&builder);
}
