/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree umount`: only what is a mount of ours. */
#include "cli/mounts.h"
#include "cli/verbs.h"

#include <unistd.h>

static bool
unmount_dir (const char *dir, GError **error)
{
  g_autofree char *real = vtree_mounts_canonical (dir, error);
  g_autoptr (GPtrArray) mounts = real != NULL ? vtree_mounts_list (error) : NULL;
  const VtreeMount *mount;

  if (mounts == NULL)
    return false;
  mount = vtree_mounts_find (mounts, real);
  if (mount == NULL) {
    g_autofree char *escaped = vtree_error_escape (dir, -1);

    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "unmount %s: no tree is mounted there; see `vtree status`",
                            escaped);
  }
  return vtree_mounts_unmount (mount, false, error);
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

    if (mount->user != geteuid () || vtree_mounts_unmount (mount, false, &local))
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
  if ((cli->n_args == 0) == (all == FALSE))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "either DIR or --all expected");
  return all ? unmount_all (cli, error) : unmount_dir (cli->args[0], error);
}
