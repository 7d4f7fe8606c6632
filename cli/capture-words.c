/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the names of the capture options; their words' grammar is
 * manifest/capture.h's. */
#include "cli/capture-words.h"
#include "cli/argument.h"

#include <errno.h>
#include <sys/stat.h>

void
vtree_capture_words_clear (VtreeCaptureWords *words)
{
  g_clear_pointer (&words->mtime, g_free);
  g_clear_pointer (&words->owner, g_free);
  g_clear_pointer (&words->xattrs, g_free);
  g_clear_pointer (&words->exclude, g_strfreev);
  g_clear_pointer (&words->threads, g_free);
  g_clear_pointer (&words->patterns, g_strfreev);
}

void
vtree_capture_words_add (VtreeCaptureWords *words, GArray *entries)
{
  const GOptionEntry own[]
    = { { "mtime", 0, 0, G_OPTION_ARG_FILENAME, &words->mtime,
          "Times: keep (default), epoch, or clamp:T (none later than T)", "HOW" },
        { "owner", 0, 0, G_OPTION_ARG_FILENAME, &words->owner,
          "Owners: keep (root's default), root (everybody else's), or UID:GID", "WHO" },
        { "xattrs", 0, 0, G_OPTION_ARG_FILENAME, &words->xattrs,
          "Extended attributes to take, comma-separated patterns; \"\" for none",
          "LIST" },
        { "overlay-xattrs", 0, 0, G_OPTION_ARG_NONE, &words->overlay_xattrs,
          "Take overlayfs's own attributes, too: DIR is a layer", NULL },
        { "exclude", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->exclude,
          "Leave out what matches (may be repeated)", "GLOB" },
        { "one-file-system", 'x', 0, G_OPTION_ARG_NONE, &words->one_file_system,
          "A mount point is an empty directory", NULL },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &words->threads,
          "So many workers (default: one a processor)", "N" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
}

/* What overlayfs wrote means something to it alone, and would in a mount's lower layer:
 * it is asked for, or left out whatever the patterns say. */
static char *
join_patterns (const VtreeCaptureWords *words)
{
  const char *list = words->xattrs != NULL ? words->xattrs : "default";
  bool none = list[0] == '\0' || g_str_equal (list, "none");

  if (none)
    return g_strdup (words->overlay_xattrs
                       ? "trusted.overlay.*,user.overlay.*,user.fuseoverlayfs.*"
                       : "");
  return g_strconcat (list,
                      words->overlay_xattrs
                        ? ",trusted.overlay.*,user.overlay.*,user.fuseoverlayfs.*"
                        : ",-trusted.overlay.*,-user.overlay.*,-user.fuseoverlayfs.*",
                      NULL);
}

static bool
apply_patterns (VtreeCaptureWords *words, VtreeCaptureOptions *capture, GError **error)
{
  g_autofree char *list = join_patterns (words);

  /* Its messages quote what the person wrote. */
  if (words->xattrs != NULL) {
    words->patterns = vtree_capture_parse_xattrs (words->xattrs, error);
    if (words->patterns == NULL)
      return false;
    g_clear_pointer (&words->patterns, g_strfreev);
  }
  words->patterns = vtree_capture_parse_xattrs (list, error);
  capture->xattrs = (const char *const *) words->patterns;
  return words->patterns != NULL;
}

static bool
apply_words (VtreeCaptureWords *words, VtreeCaptureOptions *capture, GError **error)
{
  if (words->mtime != NULL && !vtree_capture_parse_mtime (words->mtime, capture, error))
    return false;
  if (words->owner != NULL && !vtree_capture_parse_owner (words->owner, capture, error))
    return false;
  if (words->threads != NULL
      && !vtree_argument_threads (words->threads, &capture->threads, error))
    return false;
  return apply_patterns (words, capture, error);
}

bool
vtree_capture_words_apply (VtreeCaptureWords *words, const VtreeRepo *repo,
                           VtreeCaptureOptions *capture, GError **error)
{
  struct stat attributes;

  vtree_capture_options_init (capture);
  if (fstat (vtree_repo_dirfd (repo), &attributes) != 0)
    return vtree_error_set_errno (error, errno, "stat %s", vtree_repo_path (repo));
  capture->alg = vtree_repo_options (repo)->digest;
  capture->forbidden_dev = attributes.st_dev;
  capture->forbidden_ino = attributes.st_ino;
  capture->exclude = (const char *const *) words->exclude;
  capture->one_file_system = words->one_file_system != FALSE;
  return apply_words (words, capture, error);
}
