/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place of a mount. Owns: what makes a mount a dead one of ours.
 */
#include "fuse/place.h"

#include "core/error.h"
#include "core/mounts.h"
#include "fuse/channel.h"

#include <errno.h>
#include <sys/stat.h>

static bool
find_dead (VtreePlace *place, GError **error)
{
  g_autoptr (GPtrArray) mounts = vtree_mounts_list (error);
  if (mounts == NULL)
    return false;
  const VtreeMount *mount = vtree_mounts_find (mounts, place->dir);
  if (mount == NULL)
    return vtree_error_set_errno (error, ENOTCONN,
                                  "mount point %s: a mount that is not vtree's is "
                                  "broken there",
                                  place->dir);
  place->dead = g_strdup (mount->source);
  return true;
}

bool
vtree_place_find (VtreePlace *place, const char *dir, GError **error)
{
  struct stat st;
  g_autoptr (GError) local = NULL;
  place->dir = vtree_mounts_canonical (dir, &local);
  if (place->dir == NULL)
    return vtree_error_set_errno (error, local->code, "mount point %s", dir);
  if (vtree_mounts_is_dead (place->dir))
    return find_dead (place, error);
  if (stat (place->dir, &st) != 0)
    return vtree_error_set_errno (error, errno, "mount point %s", place->dir);
  if (!S_ISDIR (st.st_mode))
    return vtree_error_set_errno (error, ENOTDIR, "mount point %s", place->dir);
  return true;
}

bool
vtree_place_free_dead (const VtreePlace *place, GError **error)
{
  vtree_channel_unmount_dead (place->dir);
  return !vtree_mounts_is_dead (place->dir)
         || vtree_error_set (
           error, VTREE_ERROR_FAILED,
           "mount point %s: the daemon of %s has ended, and its mount "
           "can't be detached; `umount %s` as who mounted it",
           place->dir, place->dead, place->dir);
}

void
vtree_place_clear (VtreePlace *place)
{
  g_clear_pointer (&place->dir, g_free);
  g_clear_pointer (&place->dead, g_free);
}
