/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree mount`: prepares the mount point and runs the helper. What can be mounted, and
 * how, the helper decides.
 */
#include "cli/mounter.h"
#include "cli/mounts.h"
#include "cli/verbs.h"
#include "cli/writable.h"
#include "manifest/ref.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What the helper is to mount: a SOURCE as it stands, or a ref of our repository. */
static char *
make_source (const VtreeCli *cli, GError **error)
{
  const char *text = cli->args[0];
  g_auto (VtreeRefSpec) spec = { .name = NULL };
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;

  if (text[0] == '/' || text[0] == '.')
    return g_strdup (text);
  if (!vtree_ref_spec_parse (text, false, &spec, error))
    return NULL;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL)
    return NULL;
  return g_strconcat (vtree_repo_path (repo), ":", text, NULL);
}

/* For a user fusermount3 would only say that it can't be accessed. Root may mount over
 * what is there. */
static bool
check_free (const char *dir, const char *escaped, GError **error)
{
  g_autoptr (GPtrArray) mounts = vtree_mounts_list (error);

  for (guint i = 0; mounts != NULL && geteuid () != 0 && i < mounts->len; i++) {
    const VtreeMount *mount = mounts->pdata[i];
    g_autofree char *inside = g_strconcat (mount->dir, "/", NULL);

    if (strcmp (mount->dir, dir) == 0)
      return vtree_error_set (error, VTREE_ERROR_BUSY,
                              "%s is mounted on %s already; `vtree umount` it first",
                              mount->source, escaped);
    if (g_str_has_prefix (dir, inside))
      return vtree_error_set (error, VTREE_ERROR_BUSY,
                              "%s is in the tree that is mounted on %s", escaped,
                              mount->dir);
  }
  return mounts != NULL;
}

/* Makes DIR ready; *MADE says that it was missing, and is to be removed on a
 * failure. */
static bool
prepare_dir (const VtreeCli *cli, const char *dir, bool *made, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (dir, -1);
  struct statfs figures;

  /* Attributes may still be cached where the daemon has died; these never are. What
   * else is wrong with DIR the helper tells. */
  *made = false;
  int errnum = statfs (dir, &figures) == 0 ? 0 : errno;
  if (errnum == 0)
    return check_free (dir, escaped, error);
  if (vtree_mounts_is_dead (dir))
    return vtree_mounter_remove_stale (cli, dir, error);
  if (errnum != ENOENT)
    return true;
  if (mkdir (dir, 0755) != 0)
    return vtree_error_set_errno (error, errno, "make the mount point %s", escaped);
  *made = true;
  return true;
}

/* All -o together, and --force. */
static char *
join_options (char **options, bool force)
{
  g_autofree char *joined = options != NULL ? g_strjoinv (",", options) : g_strdup ("");

  if (!force)
    return g_steal_pointer (&joined);
  return g_strconcat (joined, joined[0] != '\0' ? "," : "", "force", NULL);
}

/* --- a writable layer ------------------------------------------------------------- */

typedef struct {
  const VtreeCli *cli;
  const char *source;
  const char *options;
  const char *upper;
  bool rebase;
} Layered;

/* The repository in a SOURCE of the form REPO:REF; the last colon may be a digest's. */
static char *
repository_of (const char *source)
{
  const char *colon = strrchr (source, ':');
  g_autofree char *before
    = colon != NULL ? g_strndup (source, (gsize) (colon - source)) : NULL;
  char *digest = before != NULL ? strrchr (before, ':') : NULL;

  if (before == NULL)
    return g_strdup ("/");
  if (digest != NULL && vtree_digest_looks_like (source + (digest + 1 - before)))
    *digest = '\0';
  return g_canonicalize_filename (before, NULL);
}

/* The tree is on LOWER: the layer goes on it, and both on DIR. */
static bool
mount_layer (const Layered *mount, VtreeWritable *layer, const char *lower,
             const char *dir, GError **error)
{
  g_autofree char *repository = repository_of (mount->source);
  VtreeDigest manifest;

  return vtree_mounter_ask (lower, &manifest, error)
         && vtree_writable_claim (layer, repository, &manifest, mount->rebase, error)
         && vtree_writable_mount (layer, lower, dir, false, error);
}

static bool
mount_layered (const Layered *mount, const char *dir, GError **error)
{
  g_auto (VtreeWritable) layer = VTREE_WRITABLE_INIT;
  g_autofree char *lower = NULL;
  VtreeMount mounted = { .user = geteuid () };

  if (!vtree_writable_open (&layer, mount->upper, error))
    return false;
  lower = vtree_writable_lower (&layer);
  if (mkdir (lower, 0700) != 0 && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "make %s", lower);
  if (!vtree_mounter_mount (mount->cli, mount->source, lower, mount->options, error))
    return false;
  if (mount_layer (mount, &layer, lower, dir, error))
    return true;
  mounted.dir = lower;
  vtree_mounts_unmount (&mounted, true, NULL);
  return false;
}

/* --- the verb --------------------------------------------------------------------- */

static bool
check_words (VtreeCli *cli, bool foreground, bool upper, bool rebase, GError **error)
{
  cli->misused = (foreground && upper) || (rebase && !upper);
  if (foreground && upper)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--foreground serves a tree alone, without --upper");
  return !cli->misused
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "--rebase is for the changes of --upper=DIR");
}

bool
vtree_verb_mount (VtreeCli *cli, GError **error)
{
  g_auto (GStrv) words = NULL;
  gboolean force = FALSE;
  gboolean foreground = FALSE;
  gboolean rebase = FALSE;
  g_autofree char *upper = NULL;
  const GOptionEntry entries[]
    = { { "options", 'o', 0, G_OPTION_ARG_FILENAME_ARRAY, &words,
          "Mount options, see mount.fuse.vtree(8) (may be repeated)", "OPTIONS" },
        { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Accept a version that is expired or older than one accepted before", NULL },
        { "foreground", 0, 0, G_OPTION_ARG_NONE, &foreground,
          "Serve until the tree is unmounted; for service managers", NULL },
        { "upper", 0, 0, G_OPTION_ARG_FILENAME, &upper,
          "Let the tree be changed; the changes go to this directory", "DIR" },
        { "rebase", 0, 0, G_OPTION_ARG_NONE, &rebase,
          "Put the changes on this tree, although they were made to another", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_autofree char *source = NULL;
  g_autofree char *dir = NULL;
  g_autofree char *options = NULL;
  bool made;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (!check_words (cli, foreground != FALSE, upper != NULL, rebase != FALSE, error))
    return false;
  source = make_source (cli, error);
  dir = source != NULL ? vtree_mounts_canonical (cli->args[1], error) : NULL;
  if (dir == NULL && source != NULL)
    g_prefix_error (error, "mount point: ");
  if (dir == NULL || !prepare_dir (cli, dir, &made, error))
    return false;
  options = join_options (words, force != FALSE);
  if (foreground)
    return vtree_mounter_become (cli, source, dir, options, error);
  if (upper != NULL ? mount_layered (
        &(Layered){ cli, source, options, upper, rebase != FALSE }, dir, error)
                    : vtree_mounter_mount (cli, source, dir, options, error))
    return true;
  if (made)
    rmdir (dir);
  return false;
}
