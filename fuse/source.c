/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SOURCE. Owns: which of its forms a text is. A ref can't end in ".root" (see ref.h),
 * so that a statement's path is never taken for REPO:REF.
 */
#include "fuse/source.h"

#include <string.h>

#define STATEMENT_SUFFIX ".root"

static bool
invalid (const char *text, const char *cause, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (text, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID, "source %s: %s", escaped, cause);
}

/* The colon between REPO and what is behind it, NULL where there is none. */
static const char *
find_split (const char *text)
{
  const char *colon = strrchr (text, ':');
  if (colon == NULL)
    return NULL;
  for (const char *p = colon; p > text;) {
    p--;
    if (*p == ':')
      return vtree_digest_looks_like (p + 1) ? p : colon;
  }
  return colon;
}

static bool
check_ref_options (const VtreeSource *source, const VtreeMountOptions *options,
                   GError **error)
{
  if (options->objects != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option objects: the source names a repository "
                            "already");
  if (options->ref != NULL && g_strcmp0 (options->ref, source->spec.name) != 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option ref: the source names another ref");
  return true;
}

static bool
take_path (VtreeSource *source, VtreeSourceKind kind, const char *text,
           const VtreeMountOptions *options, GError **error)
{
  source->kind = kind;
  source->path = g_strdup (text);
  if (options->ref != NULL && !vtree_ref_check_name (options->ref, error)) {
    g_prefix_error (error, "mount option ref: ");
    return false;
  }
  if (kind == VTREE_SOURCE_STATEMENT && options->ref == NULL)
    return invalid (text, "a root statement needs ref=, the ref that it has to be for",
                    error);
  if (kind == VTREE_SOURCE_MANIFEST && options->ref != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option ref: a manifest has none");
  return true;
}

bool
vtree_source_parse (VtreeSource *source, const char *text,
                    const VtreeMountOptions *options, GError **error)
{
  if (text[0] == '\0')
    return invalid (text, "it is empty", error);
  if (vtree_digest_looks_like (text))
    return invalid (text, "a repository has to stand before the digest", error);
  if (g_str_has_suffix (text, STATEMENT_SUFFIX))
    return take_path (source, VTREE_SOURCE_STATEMENT, text, options, error);

  const char *split = find_split (text);
  g_autoptr (GError) cause = NULL;
  if (split != NULL && split > text
      && vtree_ref_spec_parse (split + 1, false, &source->spec, &cause)) {
    source->kind = VTREE_SOURCE_REF;
    source->path = g_strndup (text, (gsize) (split - text));
    return check_ref_options (source, options, error);
  }
  if (options->has_digest)
    return take_path (source, VTREE_SOURCE_MANIFEST, text, options, error);
  if (cause != NULL)
    return invalid (text, cause->message, error);
  return invalid (text,
                  "expected REPO:REF, the path of a root statement (X.root, with "
                  "ref=) or that of a manifest (with digest=)",
                  error);
}

void
vtree_source_clear (VtreeSource *source)
{
  g_clear_pointer (&source->path, g_free);
  vtree_ref_spec_clear (&source->spec);
}
