/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the answer to "which files are lost": every name, in every version, of an object
 * that is bad. Walks manifests that passed the full check, in one pass and without
 * recursion: a directory's parent comes before it.
 */
#include "manifest/fsck-private.h"
#include "manifest/reach.h"

#include <sys/stat.h>

typedef struct {
  VtreeFsck *fsck;
  const VtreeFsckVersion *version;
  VtreeView *view;
  GArray *bad;      /* bool for each object of the manifest */
  GPtrArray *paths; /* of the directories, by inode; NULL for what is none */
} Walk;

static void
walk_clear (Walk *walk)
{
  g_clear_pointer (&walk->view, vtree_view_unref);
  g_clear_pointer (&walk->bad, g_array_unref);
  g_clear_pointer (&walk->paths, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_clear)

/* VtreeStoreEach, in the order of the objects' indices. */
static bool
note_object (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  Walk *walk = context;
  (void) error;
  const VtreeFsckObject *object = vtree_fsck_object (walk->fsck, digest, size);
  bool bad = vtree_fsck_is_bad (object) && object->verdict != VTREE_STORE_BAD_MERKLE;
  g_array_append_val (walk->bad, bad);
  return true;
}

static bool
has_bad (const Walk *walk)
{
  for (guint i = 0; i < walk->bad->len; i++) {
    if (g_array_index (walk->bad, bool, i))
      return true;
  }
  return false;
}

static bool
report_path (Walk *walk, uint32_t index, const char *path, GError **error)
{
  VtreeDigest digest;
  uint64_t size;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!vtree_view_object (walk->view, index, &digest, &size, error))
    return false;
  const VtreeFsckObject *object = vtree_fsck_object (walk->fsck, &digest, size);
  g_autofree char *escaped = vtree_error_escape (path, -1);
  VtreeFsckProblem problem = {
    .kind
    = object->verdict == VTREE_STORE_MISSING ? VTREE_FSCK_MISSING : VTREE_FSCK_CORRUPT,
    .ref = walk->version->label,
    .object = vtree_digest_format (&digest, text),
    .path = escaped,
    .message = object->message,
  };
  vtree_fsck_report (walk->fsck, &problem);
  return true;
}

static bool
walk_entry (Walk *walk, const char *parent, const VtreeEntry *entry, GError **error)
{
  VtreeInode inode;
  if (!vtree_view_inode (walk->view, entry->inode, &inode, error))
    return false;
  bool harmed = inode.object != VTREE_VIEW_NO_OBJECT
                && g_array_index (walk->bad, bool, inode.object);
  if (!harmed && !S_ISDIR (inode.mode))
    return true;
  char *path = g_strdup_printf ("%s/%.*s", parent, (int) entry->name.size,
                                (const char *) entry->name.data);
  if (S_ISDIR (inode.mode))
    g_ptr_array_index (walk->paths, entry->inode) = path;
  else {
    g_autofree char *owned = path;
    return report_path (walk, inode.object, path, error);
  }
  return true;
}

static bool
walk_directory (Walk *walk, const VtreeInode *inode, GError **error)
{
  VtreeDirectory directory;
  const char *path = g_ptr_array_index (walk->paths, inode->index);
  if (!vtree_view_directory (walk->view, inode, &directory, error))
    return false;
  for (uint32_t n = 0; n < directory.count; n++) {
    VtreeEntry entry;
    if (!vtree_view_entry (walk->view, &directory, n, &entry, error)
        || !walk_entry (walk, path, &entry, error))
      return false;
  }
  return true;
}

static bool
walk_all (Walk *walk, GError **error)
{
  uint32_t count = vtree_view_totals (walk->view)->inodes;
  walk->paths = g_ptr_array_new_full (count, g_free);
  g_ptr_array_set_size (walk->paths, (gint) count);
  g_ptr_array_index (walk->paths, 0) = g_strdup ("");
  for (uint32_t i = 0; i < count; i++) {
    VtreeInode inode;
    if (!vtree_view_inode (walk->view, i, &inode, error))
      return false;
    if (S_ISDIR (inode.mode) && !walk_directory (walk, &inode, error))
      return false;
    g_clear_pointer (&g_ptr_array_index (walk->paths, i), g_free);
  }
  return true;
}

bool
vtree_fsck_report_harm (VtreeFsck *fsck, const VtreeFsckVersion *version,
                        GError **error)
{
  g_auto (Walk) walk = { .fsck = fsck, .version = version };
  walk.bad = g_array_new (FALSE, FALSE, sizeof (bool));
  walk.view = vtree_reach_open (fsck->store, &version->manifest, version->size, error);
  if (walk.view == NULL || !vtree_reach_foreach (walk.view, note_object, &walk, error))
    return false;
  return !has_bad (&walk) || walk_all (&walk, error);
}
