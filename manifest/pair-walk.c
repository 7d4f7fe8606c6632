/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the merge of two sorted trees; has no opinion of what differs. No recursion. */
#include "manifest/pair-walk.h"

#include <sys/stat.h>

/* A directory on the way down: one that at least one side has. */
typedef struct {
  VtreeDirectory directory[VTREE_PAIR_SIDES]; /* count 0 where it is none */
  uint32_t next[VTREE_PAIR_SIDES];            /* entry */
  size_t path_size;
} Frame;

typedef struct {
  VtreeView *const *views;
  GArray *frames;
  GString *path;
  VtreePair pair;
} Walk;

/* Takes the directories of the current pair as the next frame. */
static bool
push (Walk *walk, GError **error)
{
  Frame frame = { .path_size = walk->path->len };
  bool any = false;
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    const VtreeInode *inode = &walk->pair.inode[side];
    if (!walk->pair.has[side] || !S_ISDIR (inode->mode))
      continue;
    if (!vtree_view_directory (walk->views[side], inode, &frame.directory[side], error))
      return false;
    any = true;
  }
  if (any)
    g_array_append_val (walk->frames, frame);
  return true;
}

/* The next entry of each side, where there is one. */
static bool
peek (const Walk *walk, const Frame *frame, VtreeEntry entries[VTREE_PAIR_SIDES],
      bool has[VTREE_PAIR_SIDES], GError **error)
{
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    has[side] = frame->next[side] < frame->directory[side].count;
    if (has[side]
        && !vtree_view_entry (walk->views[side], &frame->directory[side],
                              frame->next[side], &entries[side], error))
      return false;
  }
  return true;
}

/* Of two names, the smaller one comes now, the other one later. */
static void
choose (const VtreeEntry entries[VTREE_PAIR_SIDES], bool has[VTREE_PAIR_SIDES])
{
  if (!has[VTREE_PAIR_FROM] || !has[VTREE_PAIR_TO])
    return;
  int order
    = vtree_span_compare (entries[VTREE_PAIR_FROM].name, entries[VTREE_PAIR_TO].name);
  if (order < 0)
    has[VTREE_PAIR_TO] = false;
  if (order > 0)
    has[VTREE_PAIR_FROM] = false;
}

static void
set_path (Walk *walk, const Frame *frame, VtreeSpan name)
{
  g_string_truncate (walk->path, frame->path_size);
  if (frame->path_size > 0)
    g_string_append_c (walk->path, '/');
  g_string_append_len (walk->path, (const char *) name.data, (gssize) name.size);
  walk->pair.path = walk->path->str;
}

/* Makes the pair the next path below the innermost frame; *MORE false: there is none.
 * */
static bool
step (Walk *walk, Frame *frame, bool *more, GError **error)
{
  VtreePair *pair = &walk->pair;
  VtreeEntry entries[VTREE_PAIR_SIDES] = { 0 };
  if (!peek (walk, frame, entries, pair->has, error))
    return false;
  choose (entries, pair->has);
  *more = pair->has[VTREE_PAIR_FROM] || pair->has[VTREE_PAIR_TO];
  if (!*more)
    return true;
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    if (!pair->has[side])
      continue;
    frame->next[side]++;
    if (!vtree_view_child (walk->views[side], &frame->directory[side],
                           entries[side].inode, &pair->inode[side], error))
      return false;
  }
  int side = pair->has[VTREE_PAIR_FROM] ? VTREE_PAIR_FROM : VTREE_PAIR_TO;
  set_path (walk, frame, entries[side].name);
  pair->sequence++;
  return true;
}

static bool
start (Walk *walk, GError **error)
{
  walk->pair.path = "";
  for (int side = 0; side < VTREE_PAIR_SIDES; side++) {
    walk->pair.has[side] = true;
    if (!vtree_view_inode (walk->views[side], 0, &walk->pair.inode[side], error))
      return false;
  }
  return true;
}

bool
vtree_pair_walk (VtreeView *const views[VTREE_PAIR_SIDES], VtreePairVisit visit,
                 void *context, GError **error)
{
  g_autoptr (GArray) frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_autoptr (GString) path = g_string_new (NULL);
  Walk walk = { .views = views, .frames = frames, .path = path };
  if (!start (&walk, error) || !visit (context, &walk.pair, error)
      || !push (&walk, error))
    return false;
  while (frames->len > 0) {
    bool more = false;
    Frame *frame = &g_array_index (frames, Frame, frames->len - 1);
    if (!step (&walk, frame, &more, error))
      return false;
    if (!more)
      g_array_set_size (frames, frames->len - 1);
    else if (!visit (context, &walk.pair, error) || !push (&walk, error))
      return false;
  }
  return true;
}
