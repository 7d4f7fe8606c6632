/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the marks/ directory of the user's state. What a mark forbids is decided in
 * manifest/resolve.c.
 */
#include "core/mark.h"

#include "core/beneath.h"
#include "core/error.h"
#include "core/lock.h"
#include "core/publish.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Longer than any mark is. */
#define MARK_MAX 512
/* Others hold the lock for one fsync. */
#define LOCK_WAIT 30

static char *
format_mark (const VtreeMark *mark)
{
  char digest[VTREE_DIGEST_TEXT_MAX];
  return g_strdup_printf ("vtree-mark 1\nversion: %" G_GUINT64_FORMAT
                          "\nmanifest: %s\ncreated: %" G_GINT64_FORMAT "\n",
                          mark->version, vtree_digest_format (&mark->manifest, digest),
                          mark->created);
}

static const char *
skip_key (const char *line, const char *key)
{
  return g_str_has_prefix (line, key) ? line + strlen (key) : "";
}

/* True if TEXT is exactly what format_mark() writes. */
static bool
parse_mark (const char *text, VtreeMark *mark)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  if (g_strv_length (lines) != 5)
    return false;
  const char *version = skip_key (lines[1], "version: ");
  const char *manifest = skip_key (lines[2], "manifest: ");
  const char *created = skip_key (lines[3], "created: ");
  VtreeMark parsed = { 0 };
  uint64_t seconds = 0;
  if (!vtree_text_parse_u64 (version, strlen (version), &parsed.version)
      || !vtree_digest_parse (manifest, &parsed.manifest, NULL)
      || !vtree_text_parse_u64 (created, strlen (created), &seconds)
      || seconds > INT64_MAX)
    return false;
  parsed.created = (int64_t) seconds;
  g_autofree char *again = format_mark (&parsed);
  if (strcmp (again, text) != 0)
    return false;
  *mark = parsed;
  return true;
}

static bool
load (int dirfd, const char *ref, bool *found, VtreeMark *mark, GError **error)
{
  g_autofree char *path = g_build_filename (ref, "head", NULL);
  g_autoptr (GBytes) bytes = NULL;
  if (!vtree_beneath_load (dirfd, path, MARK_MAX, &bytes, error))
    return false;
  *found = bytes != NULL;
  if (bytes == NULL)
    return true;
  g_autofree char *text
    = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (strlen (text) != g_bytes_get_size (bytes) || !parse_mark (text, mark))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "it is malformed; `vtree mark reset %s` forgets it", ref);
  return true;
}

static bool
prefix_error (GError **error, const char *what, const VtreePaths *paths,
              const char *ref)
{
  g_autofree char *dir = vtree_error_escape (vtree_paths_marks (paths), -1);
  g_prefix_error (error, "%s mark of '%s' in %s: ", what, ref, dir);
  return false;
}

bool
vtree_mark_load (const VtreePaths *paths, const char *ref, bool *found, VtreeMark *mark,
                 GError **error)
{
  bool missing;
  g_auto (VtreeFd) fd
    = vtree_paths_open_directory (vtree_paths_marks (paths), false, &missing, error);
  if (fd < 0 && missing) {
    *found = false;
    return true;
  }
  if (fd < 0 || !load (fd, ref, found, mark, error))
    return prefix_error (error, "read", paths, ref);
  return true;
}

/* Makes the names of REF's directories durable: each is in its parent. */
static bool
sync_parents (int dirfd, const char *ref, GError **error)
{
  if (fsync (dirfd) < 0)
    return vtree_error_set_errno (error, errno, "sync");
  for (const char *slash = strchr (ref, '/'); slash; slash = strchr (slash + 1, '/')) {
    g_autofree char *parent = g_strndup (ref, (gsize) (slash - ref));
    g_auto (VtreeFd) fd
      = vtree_beneath_open (dirfd, parent, O_RDONLY | O_DIRECTORY, 0, error);
    if (fd < 0)
      return false;
    if (fsync (fd) < 0)
      return vtree_error_set_errno (error, errno, "sync");
  }
  return true;
}

/* Makes the ref's directory; a new one has to outlive a power cut with what is in it.
 * From one that is there what a killed process left is removed: we have the lock. */
static bool
make_directory (int dirfd, const char *ref, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_beneath_open_directory (dirfd, ref, &fd, error))
    return false;
  if (fd >= 0)
    return vtree_publish_clean (fd, error);
  fd = vtree_beneath_make_directory (dirfd, ref, 0700, error);
  if (fd < 0)
    return false;
  return sync_parents (dirfd, ref, error);
}

static bool
store (int dirfd, const char *ref, const VtreeMark *mark, GError **error)
{
  g_autofree char *path = g_build_filename (ref, "head", NULL);
  g_autofree char *text = format_mark (mark);
  return make_directory (dirfd, ref, error)
         && vtree_publish (dirfd, path, text, strlen (text), 0600,
                           VTREE_PUBLISH_REPLACE, error);
}

static bool
raise_locked (int dirfd, const char *ref, const VtreeMark *mark, GError **error)
{
  bool found;
  VtreeMark old = { 0 };
  if (!load (dirfd, ref, &found, &old, error))
    return false;
  if (found && old.version == mark->version
      && !vtree_digest_equal (&old.manifest, &mark->manifest))
    return vtree_error_set (error, VTREE_ERROR_ROLLBACK,
                            "another manifest has been accepted as version "
                            "%" G_GUINT64_FORMAT,
                            mark->version);
  VtreeMark raised = found && old.version >= mark->version ? old : *mark;
  raised.created = MAX (old.created, mark->created);
  if (found && raised.version == old.version && raised.created == old.created)
    return true;
  return store (dirfd, ref, &raised, error);
}

/* Opens and locks marks/; -1 on error. */
static int
open_locked (const VtreePaths *paths, bool make, bool *missing, GError **error)
{
  g_auto (VtreeFd) fd
    = vtree_paths_open_directory (vtree_paths_marks (paths), make, missing, error);
  if (fd < 0 || !vtree_lock_take (fd, VTREE_LOCK_EXCLUSIVE, LOCK_WAIT, error))
    return -1;
  return vtree_fd_steal (&fd);
}

bool
vtree_mark_raise (const VtreePaths *paths, const char *ref, const VtreeMark *mark,
                  GError **error)
{
  bool missing;
  g_auto (VtreeFd) fd = open_locked (paths, true, &missing, error);
  if (fd < 0 || !raise_locked (fd, ref, mark, error))
    return prefix_error (error, "raise", paths, ref);
  return true;
}

/* Removes the directories of REF that have become empty, the deepest first. */
static void
prune (int dirfd, const char *ref)
{
  g_autofree char *path = g_strdup (ref);
  while (unlinkat (dirfd, path, AT_REMOVEDIR) == 0) {
    char *slash = strrchr (path, '/');
    if (slash == NULL)
      return;
    *slash = '\0';
  }
}

static bool
reset_locked (int dirfd, const char *ref, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_beneath_open_directory (dirfd, ref, &fd, error))
    return false;
  if (fd < 0)
    return true;
  if (unlinkat (fd, "head", 0) < 0 && errno != ENOENT)
    return vtree_error_set_errno (error, errno, "remove 'head'");
  if (!vtree_publish_clean (fd, error))
    return false;
  if (fsync (fd) < 0)
    return vtree_error_set_errno (error, errno, "sync");
  prune (dirfd, ref);
  return true;
}

bool
vtree_mark_reset (const VtreePaths *paths, const char *ref, GError **error)
{
  bool missing;
  g_auto (VtreeFd) fd = open_locked (paths, false, &missing, error);
  if (fd < 0 && missing)
    return true;
  if (fd < 0 || !reset_locked (fd, ref, error))
    return prefix_error (error, "reset", paths, ref);
  return true;
}
