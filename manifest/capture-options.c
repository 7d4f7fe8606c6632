/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the words of the capture options: defaults, and --mtime, --owner, --xattrs.
 */
#include "manifest/capture.h"

#include "manifest/statement.h"
#include "manifest/xattr.h"
#include <string.h>
#include <unistd.h>

void
vtree_capture_options_init (VtreeCaptureOptions *options)
{
  *options = (VtreeCaptureOptions){ .alg = VTREE_DIGEST_SHA256,
                                    .mtime = VTREE_MTIME_KEEP,
                                    .owner = VTREE_OWNER_KEEP };
  if (geteuid () != 0)
    options->owner = VTREE_OWNER_FIXED;
}

static bool
parse_clamp (const char *text, int64_t *seconds)
{
  if (vtree_time_parse (text, seconds))
    return true;
  return g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, seconds, NULL);
}

bool
vtree_capture_parse_mtime (const char *text, VtreeCaptureOptions *options,
                           GError **error)
{
  if (g_str_equal (text, "keep")) {
    options->mtime = VTREE_MTIME_KEEP;
    return true;
  }
  if (g_str_equal (text, "epoch")) {
    options->mtime = VTREE_MTIME_EPOCH;
    return true;
  }
  int64_t seconds;
  if (!g_str_has_prefix (text, "clamp:")
      || !parse_clamp (text + strlen ("clamp:"), &seconds)) {
    g_autofree char *shown = vtree_error_escape (text, -1);
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--mtime=%s: not 'keep', 'epoch' or 'clamp:T' with T in "
                            "seconds or like 2026-11-23T18:00:00Z",
                            shown);
  }
  options->mtime = VTREE_MTIME_CLAMP;
  options->mtime_clamp = seconds;
  return true;
}

/* 2^32 - 1 is nobody's id: the kernel takes it for "leave it as it is". */
static bool
parse_id (const char *text, uint32_t *id)
{
  uint64_t value;
  if (!g_ascii_string_to_unsigned (text, 10, 0, UINT32_MAX - 1, &value, NULL))
    return false;
  *id = (uint32_t) value;
  return true;
}

static bool
parse_ids (const char *text, uint32_t *uid, uint32_t *gid)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 3);
  return g_strv_length (parts) == 2 && parse_id (parts[0], uid)
         && parse_id (parts[1], gid);
}

bool
vtree_capture_parse_owner (const char *text, VtreeCaptureOptions *options,
                           GError **error)
{
  if (g_str_equal (text, "keep")) {
    options->owner = VTREE_OWNER_KEEP;
    return true;
  }
  uint32_t uid = 0;
  uint32_t gid = 0;
  if (!g_str_equal (text, "root") && !parse_ids (text, &uid, &gid)) {
    g_autofree char *shown = vtree_error_escape (text, -1);
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--owner=%s: not 'keep', 'root' or 'UID:GID' in decimal",
                            shown);
  }
  options->owner = VTREE_OWNER_FIXED;
  options->uid = uid;
  options->gid = gid;
  return true;
}

char **
vtree_capture_parse_xattrs (const char *text, GError **error)
{
  g_autoptr (GStrvBuilder) patterns = g_strv_builder_new ();
  if (text[0] == '\0' || g_str_equal (text, "none"))
    return g_strv_builder_end (patterns);
  g_auto (GStrv) words = g_strsplit (text, ",", -1);
  bool malformed = false;
  for (char **word = words; *word != NULL; word++) {
    malformed = malformed || g_str_equal (*word, "none") || (*word)[0] == '\0'
                || g_str_equal (*word, "-");
    if (g_str_equal (*word, "default"))
      g_strv_builder_addv (patterns,
                           (const char **) (void *) vtree_xattr_default_patterns);
    else
      g_strv_builder_add (patterns, *word);
  }
  if (malformed) {
    g_autofree char *shown = vtree_error_escape (text, -1);
    vtree_error_set (
      error, VTREE_ERROR_INVALID,
      "--xattrs=%s: not 'none', nor a list like 'default,-user.mime_type'", shown);
    return NULL;
  }
  return g_strv_builder_end (patterns);
}
