/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns a writable layer's directory: its origin, its lock, its mounting. */
#include "cli/writable.h"

#include "cli/mounts.h"
#include "cli/supervise.h"
#include "core/beneath.h"
#include "core/directory.h"
#include "core/lock.h"
#include "core/paths.h"
#include "core/publish.h"
#include "manifest/file-seal.h"
#include "manifest/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORIGIN "origin"
#define ORIGIN_MAX 65536
#define FIRST_LINE "vtree-upper 1"
/* The first line, four more, and nothing behind the last newline. */
#define PARTS 7
/* What overlayfs separates by. */
#define SEPARATORS ",:\\"

static const char *const kinds[] = { [VTREE_WRITABLE_NEW] = "new",
                                     [VTREE_WRITABLE_TRUSTED] = "trusted",
                                     [VTREE_WRITABLE_USER] = "user",
                                     [VTREE_WRITABLE_FUSE] = "fuse-overlayfs" };

void
vtree_writable_clear (VtreeWritable *layer)
{
  g_clear_pointer (&layer->dir, g_free);
  g_clear_pointer (&layer->repository, g_free);
  g_clear_pointer (&layer->target, g_free);
  vtree_fd_replace_take (&layer->fd, -1);
}

char *
vtree_writable_lower (const VtreeWritable *layer)
{
  return g_build_filename (layer->dir, "lower", NULL);
}

/* --- origin ----------------------------------------------------------------------- */

static bool
write_origin (const VtreeWritable *layer, GError **error)
{
  char digest[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *repository = vtree_file_seal_name_encode (layer->repository);
  g_autofree char *target = vtree_file_seal_name_encode (layer->target);
  g_autofree char *text = g_strdup_printf (
    FIRST_LINE "\nrepository: %s\nmanifest: %s\nkind: %s\ntarget: %s\n\n", repository,
    vtree_digest_format (&layer->manifest, digest), kinds[layer->kind], target);

  /* The empty line ends it: what is cut off is seen. */
  return vtree_publish (layer->fd, ORIGIN, text, strlen (text), 0600,
                        VTREE_PUBLISH_REPLACE, error);
}

/* What stands behind KEY in LINE; "" for another line. */
static const char *
value_of (const char *line, const char *key)
{
  return g_str_has_prefix (line, key) ? line + strlen (key) : "";
}

static bool
parse_kind (const char *word, VtreeWritableKind *kind)
{
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (word, kinds[i]) == 0) {
      *kind = (VtreeWritableKind) i;
      return true;
    }
  return false;
}

static bool
parse_origin (GBytes *bytes, VtreeWritable *layer)
{
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  g_autofree char *text = size > 0 ? g_strndup (data, size) : g_strdup ("");
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  const char *target;

  if (strlen (text) != size || g_strv_length (lines) != PARTS
      || strcmp (lines[0], FIRST_LINE) != 0)
    return false;
  layer->repository = vtree_file_seal_name_decode (value_of (lines[1], "repository: "));
  target = value_of (lines[4], "target: ");
  layer->target
    = target[0] == '\0' ? g_strdup ("") : vtree_file_seal_name_decode (target);
  return layer->repository != NULL && layer->target != NULL
         && vtree_digest_parse (value_of (lines[2], "manifest: "), &layer->manifest,
                                NULL)
         && parse_kind (value_of (lines[3], "kind: "), &layer->kind);
}

static bool
load_origin (VtreeWritable *layer, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;

  if (!vtree_beneath_load (layer->fd, ORIGIN, ORIGIN_MAX, &bytes, error))
    return false;
  layer->claimed = bytes != NULL;
  return bytes == NULL || parse_origin (bytes, layer)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "%s/" ORIGIN " is malformed; `vtree upper reset` starts "
                             "anew",
                             layer->dir);
}

/* --- the directory ---------------------------------------------------------------- */

static bool
open_dir (VtreeWritable *layer, const char *dir, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (dir, -1);

  layer->dir = vtree_mounts_canonical (dir, error);
  if (layer->dir == NULL)
    return false;
  layer->fd = open (layer->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (layer->fd < 0 && errno == ENOENT)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "%s does not exist", escaped);
  if (layer->fd < 0)
    return vtree_error_set_errno (error, errno, "open %s", escaped);
  return vtree_paths_check_owner (layer->fd, layer->dir, error);
}

bool
vtree_writable_look (VtreeWritable *layer, const char *dir, GError **error)
{
  if (!open_dir (layer, dir, error) || !load_origin (layer, error))
    return false;
  return layer->claimed
         || vtree_error_set (
           error, VTREE_ERROR_MISSING,
           "%s is no writable layer: `vtree mount --upper` and `vtree "
           "run --writable` make one",
           layer->dir);
}

/* Nobody else has it, in this namespace or another. */
static bool
lock_dir (const VtreeWritable *layer, GError **error)
{
  g_autofree char *lower = vtree_writable_lower (layer);
  g_autoptr (GPtrArray) mounts = vtree_mounts_list (error);
  g_autoptr (GError) failed = NULL;

  if (mounts == NULL)
    return false;
  if (vtree_mounts_find (mounts, lower) != NULL)
    return vtree_error_set (error, VTREE_ERROR_BUSY,
                            "%s is mounted; `vtree umount` first", layer->dir);
  if (vtree_lock_take (layer->fd, VTREE_LOCK_EXCLUSIVE, 0, &failed))
    return true;
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_BUSY))
    return vtree_error_set (error, VTREE_ERROR_BUSY,
                            "%s is in use by another run or mount", layer->dir);
  g_propagate_prefixed_error (error, g_steal_pointer (&failed), "%s: ", layer->dir);
  return false;
}

bool
vtree_writable_take (VtreeWritable *layer, const char *dir, GError **error)
{
  GError *failed = NULL;

  /* Who drops it does not need to know what it was. */
  if (!vtree_writable_look (layer, dir, &failed)
      && !g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT)) {
    g_propagate_error (error, failed);
    return false;
  }
  g_clear_error (&failed);
  return lock_dir (layer, error);
}

/* One without an origin has to be empty: it may be anybody's. */
static bool
check_empty (const VtreeWritable *layer, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;

  if (!vtree_publish_clean (layer->fd, error))
    return false;
  names = vtree_directory_list (layer->fd, error);
  if (names == NULL)
    return false;
  return names->len == 0 || (names->len == 1 && strcmp (names->pdata[0], "lower") == 0)
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "%s is not empty, and no writable layer: name another "
                             "directory",
                             layer->dir);
}

static bool
check_manifest (const VtreeWritable *layer, const VtreeDigest *manifest, GError **error)
{
  char digest[VTREE_DIGEST_TEXT_MAX];

  return vtree_digest_equal (&layer->manifest, manifest)
         || vtree_error_set (error, VTREE_ERROR_FAILED,
                             "%s has changes to another tree (%s): --rebase puts them "
                             "on this one, `vtree upper reset` drops them",
                             layer->dir,
                             vtree_digest_format (&layer->manifest, digest));
}

bool
vtree_writable_open (VtreeWritable *layer, const char *dir, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (dir, -1);

  if (mkdir (dir, 0700) != 0 && errno != EEXIST)
    return vtree_error_set_errno (error, errno, "make %s", escaped);
  if (!open_dir (layer, dir, error) || !lock_dir (layer, error)
      || !load_origin (layer, error))
    return false;
  return layer->claimed || check_empty (layer, error);
}

bool
vtree_writable_open_temporary (VtreeWritable *layer, const char *place, GError **error)
{
  if (mount ("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") != 0)
    return vtree_error_set_errno (error, errno, "make room for changes");
  layer->dir = g_strdup (place);
  layer->temporary = true;
  layer->fd = open (place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return layer->fd >= 0 || vtree_error_set_errno (error, errno, "open %s", place);
}

bool
vtree_writable_claim (VtreeWritable *layer, const char *repository,
                      const VtreeDigest *manifest, bool rebase, GError **error)
{
  if (layer->claimed && !rebase && !check_manifest (layer, manifest, error))
    return false;
  g_free (layer->repository);
  layer->repository = g_strdup (repository);
  layer->manifest = *manifest;
  if (!layer->claimed)
    layer->target = g_strdup ("");
  layer->claimed = true;
  return write_origin (layer, error);
}

bool
vtree_writable_reset (const VtreeWritable *layer, GError **error)
{
  return vtree_remove (layer->fd, "upper", error)
         && vtree_remove (layer->fd, "work", error)
         && vtree_remove (layer->fd, "lower", error)
         && vtree_remove (layer->fd, ORIGIN, error)
         && vtree_publish_clean (layer->fd, error);
}

/* --- mounting --------------------------------------------------------------------- */

/* The directory that shows as the root: like the tree's own. */
static bool
make_upper (const VtreeWritable *layer, const char *lower, GError **error)
{
  const char *temporary = VTREE_PUBLISH_TEMP_PREFIX "upper";
  struct stat st;

  if (fstatat (layer->fd, "upper", &st, AT_SYMLINK_NOFOLLOW) == 0)
    return true;
  if (stat (lower, &st) == 0
      && (mkdirat (layer->fd, temporary, 0700) == 0 || errno == EEXIST)
      && (geteuid () != 0
          || fchownat (layer->fd, temporary, st.st_uid, st.st_gid, 0) == 0)
      && fchmodat (layer->fd, temporary, st.st_mode & 07777, 0) == 0
      && renameat (layer->fd, temporary, layer->fd, "upper") == 0)
    return true;
  return vtree_error_set_errno (error, errno, "make %s/upper", layer->dir);
}

static bool
make_dirs (const VtreeWritable *layer, const char *lower, GError **error)
{
  if (!make_upper (layer, lower, error))
    return false;
  if (mkdirat (layer->fd, "work", 0700) == 0 || errno == EEXIST)
    return true;
  return vtree_error_set_errno (error, errno, "make %s/work", layer->dir);
}

/* A redirect or a metacopy in the upper layer could name any file of the tree as
 * another's contents. */
static bool
mount_kernel (const VtreeWritable *layer, const char *lower, const char *target,
              GError **error)
{
  g_autofree char *options
    = g_strdup_printf ("lowerdir=%s,upperdir=/proc/self/fd/%d/upper,workdir=/proc/self/"
                       "fd/%d/work,metacopy=off,"
                       "redirect_dir=nofollow%s",
                       lower, layer->fd, layer->fd,
                       layer->kind == VTREE_WRITABLE_USER ? ",userxattr" : "");
  struct statvfs st;
  unsigned long flags;

  if (statvfs (lower, &st) != 0)
    return vtree_error_set_errno (error, errno, "ask the mount on %s", lower);
  /* What the tree's mount forbids, this one does. */
  flags = st.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC);
  return mount ("vtree-upper", target, "overlay", flags, options) == 0
         || vtree_error_set_errno (error, errno, "mount overlayfs on %s", target);
}

static bool
mount_fuse (const VtreeWritable *layer, const char *lower, const char *target,
            bool alone, GError **error)
{
  g_autofree char *options = g_strdup_printf (
    "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, layer->dir, layer->dir);
  const char *const argv[] = { "fuse-overlayfs", "-o", options, target, NULL };
  g_autofree char *message = NULL;
  g_autoptr (GError) local = NULL;
  int status = 0;
  bool ran;

  if (layer->temporary)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "fuse-overlayfs needs a directory: --writable=DIR");
  if (strpbrk (layer->dir, SEPARATORS) != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "%s: fuse-overlayfs takes no path with a comma, colon or "
                            "backslash",
                            layer->dir);
  if (alone && !vtree_supervise_allow_mount (true, error))
    return false;
  ran = g_spawn_sync (NULL, (char **) argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                      NULL, &message, &status, &local);
  if (alone && !vtree_supervise_allow_mount (false, error))
    return false;
  if (!ran)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "fuse-overlayfs can't be run (package fuse-overlayfs): %s",
                            local->message);
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return true;
  return vtree_error_set (error, VTREE_ERROR_FAILED, "fuse-overlayfs on %s: %s", target,
                          g_strstrip (message));
}

/* By LAYER's kind, which is written first. */
static bool
mount_kind (const VtreeWritable *layer, const char *lower, const char *target,
            bool alone, GError **error)
{
  if (!write_origin (layer, error))
    return false;
  return layer->kind == VTREE_WRITABLE_FUSE
           ? mount_fuse (layer, lower, target, alone, error)
           : mount_kernel (layer, lower, target, error);
}

/* Another kind where the kernel's can't be had; nothing has been changed by it. */
static bool
mount_other (VtreeWritable *layer, const char *lower, const char *target, bool alone,
             GError **error)
{
  GError *failed = NULL;
  g_autoptr (GError) other = NULL;

  layer->kind = geteuid () == 0 ? VTREE_WRITABLE_TRUSTED : VTREE_WRITABLE_USER;
  if ((geteuid () == 0 || alone) && mount_kind (layer, lower, target, alone, &failed))
    return true;
  layer->kind = VTREE_WRITABLE_FUSE;
  if (mount_kind (layer, lower, target, alone, &other)) {
    g_clear_error (&failed);
    return true;
  }
  layer->kind = VTREE_WRITABLE_NEW;
  if (!write_origin (layer, error)) {
    g_clear_error (&failed);
    return false;
  }
  vtree_error_set (error, VTREE_ERROR_UNSUPPORTED, "%s%s%s",
                   failed != NULL ? failed->message : "", failed != NULL ? "; " : "",
                   other->message);
  g_clear_error (&failed);
  return false;
}

bool
vtree_writable_mount (VtreeWritable *layer, const char *lower, const char *target,
                      bool alone, GError **error)
{
  if (strpbrk (lower, SEPARATORS) != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "%s: a tree with a writable layer stands on a path without "
                            "comma, colon and backslash",
                            lower);
  if (!make_dirs (layer, lower, error))
    return false;
  g_free (layer->target);
  layer->target = g_strdup (alone ? "" : target);
  if (layer->kind == VTREE_WRITABLE_NEW)
    return mount_other (layer, lower, target, alone, error);
  if (layer->kind == VTREE_WRITABLE_USER && !alone)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "%s was written by `vtree run --writable`, by the kernel's "
                            "overlayfs; as a plain user it can only be used there",
                            layer->dir);
  return mount_kind (layer, lower, target, alone, error);
}
