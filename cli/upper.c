/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree upper diff`, `reset`: what a writable layer has changed of its signed tree.
 * The layer itself is read, so it costs what was changed; nothing is mounted.
 */
#include "cli/changes.h"
#include "cli/tree.h"
#include "cli/verbs.h"
#include "cli/writable.h"
#include "core/directory.h"
#include "core/verity.h"
#include "manifest/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* How fuse-overlayfs writes what is deleted where it can't make a device node. */
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

typedef struct {
  VtreeView *view;
  VtreeWritableKind kind;
  VtreeJson *json; /* NULL: text */
  uint64_t count;
} Walk;

/* A directory of the layer, and what of the tree is below it. */
typedef struct {
  int fd;
  const char *path; /* "" for the root */
  bool has_lower;
  VtreeDirectory lower;
} Place;

static void
report (Walk *walk, VtreeDiffKind kind, unsigned properties, const char *path)
{
  const VtreeDiffItem item
    = { .kind = kind, .properties = (VtreeDiffProperties) properties, .path = path };

  walk->count++;
  if (walk->json == NULL) {
    vtree_changes_print (&item);
    return;
  }
  vtree_json_begin_object (walk->json, NULL);
  vtree_changes_add_json (&item, walk->json);
  vtree_json_end_object (walk->json);
}

static bool
set_read_error (const char *path, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (path, -1);

  return vtree_error_set_errno (error, errno, "read upper/%s", escaped);
}

/* --- one entry -------------------------------------------------------------------- */

static bool
compare_file (const Walk *walk, const Place *place, const char *name,
              const VtreeInode *lower, const struct stat *st, bool *same,
              GError **error)
{
  g_auto (VtreeFd) fd = -1;
  VtreeDigest ours, theirs;
  uint64_t size;
  const VtreeVerityParams params = { .alg = vtree_view_totals (walk->view)->alg,
                                     .size = (uint64_t) st->st_size,
                                     .merkle_fd = -1 };

  *same = (uint64_t) st->st_size == lower->size;
  if (!*same || lower->object == VTREE_VIEW_NO_OBJECT)
    return true;
  fd = openat (place->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return set_read_error (name, error);
  if (!vtree_verity_compute_fd (&params, fd, &ours, error)
      || !vtree_view_object (walk->view, lower->object, &theirs, &size, error))
    return false;
  *same = vtree_digest_equal (&ours, &theirs);
  return true;
}

static bool
compare_target (const Walk *walk, const Place *place, const char *name,
                const VtreeInode *lower, bool *same, GError **error)
{
  char target[4096];
  VtreeSpan signed_target;
  ssize_t length = readlinkat (place->fd, name, target, sizeof target);

  if (length < 0)
    return set_read_error (name, error);
  if (!vtree_view_target (walk->view, lower, &signed_target, error))
    return false;
  *same = signed_target.size == (size_t) length
          && memcmp (signed_target.data, target, (size_t) length) == 0;
  return true;
}

static bool
compare_content (const Walk *walk, const Place *place, const char *name,
                 const VtreeInode *lower, const struct stat *st, bool *same,
                 GError **error)
{
  *same = true;
  if (S_ISREG (st->st_mode))
    return compare_file (walk, place, name, lower, st, same, error);
  return !S_ISLNK (st->st_mode)
         || compare_target (walk, place, name, lower, same, error);
}

/* Owners only root keeps: what a user mounts is shown as the user's. */
static bool
compare (const Walk *walk, const Place *place, const char *name,
         const VtreeInode *lower, const struct stat *st, unsigned *properties,
         GError **error)
{
  bool same;

  *properties = 0;
  if ((lower->mode & S_IFMT) != (st->st_mode & S_IFMT)) {
    *properties = VTREE_DIFF_TYPE;
    return true;
  }
  if (!compare_content (walk, place, name, lower, st, &same, error))
    return false;
  *properties = same ? 0 : VTREE_DIFF_CONTENT;
  if ((lower->mode & 07777) != (st->st_mode & 07777))
    *properties |= VTREE_DIFF_MODE;
  if (geteuid () == 0 && (lower->uid != st->st_uid || lower->gid != st->st_gid))
    *properties |= VTREE_DIFF_OWNER;
  if (!S_ISDIR (st->st_mode)
      && (lower->mtime != st->st_mtim.tv_sec || lower->nsec != st->st_mtim.tv_nsec))
    *properties |= VTREE_DIFF_MTIME;
  return true;
}

/* --- directories ------------------------------------------------------------------ */

/* A directory that hides what the tree has in its place. */
static bool
is_opaque (const Walk *walk, int fd)
{
  static const char *const names[]
    = { [VTREE_WRITABLE_NEW] = "",
        [VTREE_WRITABLE_TRUSTED] = "trusted.overlay.opaque",
        [VTREE_WRITABLE_USER] = "user.overlay.opaque",
        [VTREE_WRITABLE_FUSE] = "user.fuseoverlayfs.opaque" };
  const char *name = names[walk->kind];
  char value;
  struct stat st;

  if (name[0] != '\0' && fgetxattr (fd, name, &value, 1) == 1 && value == 'y')
    return true;
  return walk->kind == VTREE_WRITABLE_FUSE
         && ((fgetxattr (fd, names[VTREE_WRITABLE_USER], &value, 1) == 1
              && value == 'y')
             || fstatat (fd, OPAQUE, &st, AT_SYMLINK_NOFOLLOW) == 0);
}

static bool
find_lower (const Walk *walk, const Place *place, const char *name, bool *found,
            VtreeInode *inode, GError **error)
{
  const VtreeSpan span = { .data = (const uint8_t *) name, .size = strlen (name) };
  uint32_t index;

  *found = false;
  if (!place->has_lower)
    return true;
  return vtree_view_lookup (walk->view, &place->lower, span, found, &index, error)
         && (!*found
             || vtree_view_child (walk->view, &place->lower, index, inode, error));
}

static char *
join (const Place *place, const char *name)
{
  return place->path[0] == '\0' ? g_strdup (name)
                                : g_build_filename (place->path, name, NULL);
}

/* What the tree has there and an opaque directory has not. */
static bool
report_hidden (Walk *walk, const Place *place, const VtreeDirectory *lower,
               GError **error)
{
  for (uint32_t i = 0; i < lower->count; i++) {
    VtreeEntry entry;
    g_autofree char *name = NULL;
    g_autofree char *path = NULL;
    struct stat st;

    if (!vtree_view_entry (walk->view, lower, i, &entry, error))
      return false;
    name = g_strndup ((const char *) entry.name.data, entry.name.size);
    path = join (place, name);
    if (fstatat (place->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
      report (walk, VTREE_DIFF_REMOVED, 0, path);
  }
  return true;
}

static bool walk_place (Walk *walk, const Place *place, GError **error);

/* LOWER is what the tree has there; NULL: nothing, or no directory. */
static bool
enter (Walk *walk, const Place *place, const char *name, const char *path,
       const VtreeInode *lower, GError **error)
{
  g_auto (VtreeFd) fd
    = openat (place->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  Place inside = { .fd = fd, .path = path, .has_lower = lower != NULL };

  if (fd < 0)
    return set_read_error (path, error);
  if (lower != NULL && !vtree_view_directory (walk->view, lower, &inside.lower, error))
    return false;
  if (lower != NULL && is_opaque (walk, fd)) {
    if (!report_hidden (walk, &inside, &inside.lower, error))
      return false;
    /* What has been put there again is still compared. */
  }
  return walk_place (walk, &inside, error);
}

/* The name that NAME's whiteout hides; NULL where it is none. Borrowed. */
static const char *
whiteout_of (const Walk *walk, const char *name, const struct stat *st)
{
  if (S_ISCHR (st->st_mode) && st->st_rdev == 0)
    return name;
  if (walk->kind == VTREE_WRITABLE_FUSE && g_str_has_prefix (name, WHITEOUT))
    return name + strlen (WHITEOUT);
  return NULL;
}

static bool
walk_entry (Walk *walk, const Place *place, const char *name, const struct stat *st,
            GError **error)
{
  g_autofree char *path = join (place, name);
  VtreeInode lower;
  bool found;
  unsigned properties = 0;

  if (!find_lower (walk, place, name, &found, &lower, error)
      || (found && !compare (walk, place, name, &lower, st, &properties, error)))
    return false;
  if (!found)
    report (walk, VTREE_DIFF_ADDED, 0, path);
  else if (properties != 0)
    report (walk, VTREE_DIFF_CHANGED, properties, path);
  return !S_ISDIR (st->st_mode)
         || enter (walk, place, name, path,
                   found && S_ISDIR (lower.mode) ? &lower : NULL, error);
}

static bool
walk_name (Walk *walk, const Place *place, const char *name, GError **error)
{
  struct stat st;
  const char *hidden;
  g_autofree char *path = NULL;
  VtreeInode lower;
  bool found;

  if (fstatat (place->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return set_read_error (name, error);
  if (walk->kind == VTREE_WRITABLE_FUSE && strcmp (name, OPAQUE) == 0)
    return true;
  hidden = whiteout_of (walk, name, &st);
  if (hidden == NULL)
    return walk_entry (walk, place, name, &st, error);
  if (!find_lower (walk, place, hidden, &found, &lower, error))
    return false;
  path = join (place, hidden);
  if (found)
    report (walk, VTREE_DIFF_REMOVED, 0, path);
  return true;
}

static bool
walk_place (Walk *walk, const Place *place, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (place->fd, error);

  if (names == NULL)
    return false;
  for (guint i = 0; i < names->len; i++)
    if (!walk_name (walk, place, names->pdata[i], error))
      return false;
  return true;
}

/* --- verbs ------------------------------------------------------------------------ */

/* The root itself, and all in it. One that was never mounted has changed nothing. */
static bool
walk_layer (Walk *walk, const VtreeWritable *layer, GError **error)
{
  const Place top = { .fd = layer->fd, .path = "" };
  VtreeInode root;
  struct stat st;
  unsigned properties;

  if (fstatat (layer->fd, "upper", &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || set_read_error ("", error);
  if (!vtree_view_inode (walk->view, 0, &root, error)
      || !compare (walk, &top, "upper", &root, &st, &properties, error))
    return false;
  if (properties != 0)
    report (walk, VTREE_DIFF_CHANGED, properties, "");
  return enter (walk, &top, "upper", "", &root, error);
}

bool
vtree_verb_upper_diff (VtreeCli *cli, GError **error)
{
  gboolean exit_code = FALSE;
  const GOptionEntry entries[]
    = { { "exit-code", 0, 0, G_OPTION_ARG_NONE, &exit_code,
          "Exit 1 when something was changed", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  const VtreeTreeMode mode = { .with_path = false };
  g_auto (VtreeWritable) layer = VTREE_WRITABLE_INIT;
  g_auto (VtreeTree) tree = { .paths = NULL };
  g_autoptr (VtreeJson) json = NULL;
  char digest[VTREE_DIGEST_TEXT_MAX];
  Walk walk = { .count = 0 };

  if (!vtree_cli_parse (cli, entries, error)
      || !vtree_writable_look (&layer, cli->args[0], error))
    return false;
  if (cli->repo_path == NULL)
    cli->repo_path = g_strdup (layer.repository);
  if (!vtree_tree_open (cli, vtree_digest_format (&layer.manifest, digest), &mode,
                        &tree, error)
      || !vtree_check_manifest (tree.view, error))
    return false;
  walk.view = tree.view;
  walk.kind = layer.kind;
  walk.json = json = cli->json ? vtree_json_new (stdout) : NULL;
  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "changes");
  }
  if (!walk_layer (&walk, &layer, error))
    return false;
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  cli->status = exit_code && walk.count > 0 ? 1 : 0;
  return true;
}

bool
vtree_verb_upper_reset (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (VtreeWritable) layer = VTREE_WRITABLE_INIT;

  return vtree_cli_parse (cli, entries, error)
         && vtree_writable_take (&layer, cli->args[0], error)
         && vtree_writable_reset (&layer, error);
}
