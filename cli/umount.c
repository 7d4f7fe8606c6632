/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree umount`: only what is a mount of ours. */
#include "cli/mounts.h"
#include "cli/verbs.h"
#include "cli/writable.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two seconds in all. */
#define SETTLE_TRIES 100
#define SETTLE_USEC 20000

/* The target of the writable layer that MOUNT is the tree of, if it stands
 * somewhere. To be freed; NULL where it is none. */
static char *
find_target (const VtreeMount *mount)
{
  g_auto (VtreeWritable) layer = VTREE_WRITABLE_INIT;
  g_autofree char *dir = g_path_get_dirname (mount->dir);
  g_autofree char *name = g_path_get_basename (mount->dir);

  if (strcmp (name, "lower") != 0 || !vtree_writable_look (&layer, dir, NULL)
      || layer.target[0] == '\0')
    return NULL;
  return g_steal_pointer (&layer.target);
}

/* The tree that a writable layer has put on DIR, or NULL. */
static const VtreeMount *
find_layered (const GPtrArray *mounts, const char *dir)
{
  for (guint i = mounts->len; i > 0; i--) {
    g_autofree char *target = find_target (mounts->pdata[i - 1]);

    if (g_strcmp0 (target, dir) == 0)
      return mounts->pdata[i - 1];
  }
  return NULL;
}

/* Something is mounted on DIR. */
static bool
is_mount_point (const char *dir)
{
  g_autofree char *parent = g_path_get_dirname (dir);
  struct stat st, above;

  return stat (dir, &st) == 0 && stat (parent, &above) == 0
         && st.st_dev != above.st_dev;
}

/* What a layer stood on: fuse-overlayfs holds it a moment longer than its mount is
 * there. */
static bool
unmount_below (const VtreeMount *mount, GError **error)
{
  for (int i = 0; i < SETTLE_TRIES; i++) {
    g_autoptr (GError) failed = NULL;

    if (vtree_mounts_unmount (mount, false, &failed))
      return true;
    if (!g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY)) {
      g_propagate_error (error, g_steal_pointer (&failed));
      return false;
    }
    g_usleep (SETTLE_USEC);
  }
  return vtree_mounts_unmount (mount, false, error);
}

/* The writable layer that stands on it first. */
static bool
unmount_tree (const VtreeMount *mount, GError **error)
{
  VtreeMount layer = { .dir = find_target (mount), .user = mount->user };
  bool layered = layer.dir != NULL && is_mount_point (layer.dir);
  bool ok = !layered || vtree_mounts_unmount (&layer, false, error);

  g_free (layer.dir);
  return ok
         && (layered ? unmount_below (mount, error)
                     : vtree_mounts_unmount (mount, false, error));
}

static bool
unmount_dir (const char *dir, GError **error)
{
  g_autofree char *real = vtree_mounts_canonical (dir, error);
  g_autoptr (GPtrArray) mounts = real != NULL ? vtree_mounts_list (error) : NULL;
  const VtreeMount *mount;

  if (mounts == NULL)
    return false;
  mount = vtree_mounts_find (mounts, real);
  if (mount == NULL)
    mount = find_layered (mounts, real);
  if (mount == NULL) {
    g_autofree char *escaped = vtree_error_escape (dir, -1);

    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "unmount %s: no tree is mounted there; see `vtree status`",
                            escaped);
  }
  return unmount_tree (mount, error);
}

/* The newest first, for one may stand on another. A failure does not keep the rest. */
static bool
unmount_all (VtreeCli *cli, GError **error)
{
  g_autoptr (GPtrArray) mounts = vtree_mounts_list (error);
  g_autoptr (GError) first = NULL;

  if (mounts == NULL)
    return false;
  for (guint i = mounts->len; i > 0; i--) {
    const VtreeMount *mount = mounts->pdata[i - 1];
    g_autoptr (GError) local = NULL;

    if (mount->user != geteuid () || unmount_tree (mount, &local))
      continue;
    if (first == NULL)
      first = g_steal_pointer (&local);
    else
      vtree_cli_note (cli, "%s", local->message);
  }
  if (first == NULL)
    return true;
  g_propagate_error (error, g_steal_pointer (&first));
  return false;
}

bool
vtree_verb_umount (VtreeCli *cli, GError **error)
{
  gboolean all = FALSE;
  const GOptionEntry entries[]
    = { { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "Unmount all trees that you mounted",
          NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if ((cli->n_args == 0) == (all == FALSE)) {
    cli->misused = true;
    return vtree_error_set (error, VTREE_ERROR_INVALID, "either DIR or --all expected");
  }
  return all ? unmount_all (cli, error) : unmount_dir (cli->args[0], error);
}
