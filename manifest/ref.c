/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the grammar of ref names and of what a person writes in their place. Touches no
 * file: the refs/ directory is in refs.c.
 */
#include "manifest/ref.h"

#include "core/text.h"

#include <string.h>

void
vtree_ref_spec_clear (VtreeRefSpec *spec)
{
  g_clear_pointer (&spec->name, g_free);
  g_clear_pointer (&spec->path, g_free);
  *spec = (VtreeRefSpec){ 0 };
}

bool
vtree_ref_parse_file (const char *file, const char *suffix, uint64_t *version)
{
  size_t length = strlen (file), tail = strlen (suffix);
  return length > tail && strcmp (file + length - tail, suffix) == 0
         && vtree_text_parse_u64 (file, length - tail, version) && *version > 0;
}

static bool
is_reserved (const char *component)
{
  return strcmp (component, "head") == 0 || strcmp (component, "sha256") == 0
         || strcmp (component, "sha512") == 0;
}

/* The rule that COMPONENT breaks, or NULL. */
static const char *
find_fault (const char *component)
{
  static const char letters[]
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-";
  if (*component == '\0')
    return "it has an empty component";
  if (strchr (".+-", *component) != NULL)
    return "a component begins with '.', '+' or '-'";
  if (component[strspn (component, letters)] != '\0')
    return "only letters, digits and '_', '.', '+', '-' are allowed between slashes";
  if (g_str_has_suffix (component, ".root") || g_str_has_suffix (component, ".sig"))
    return "a component ends in \".root\" or \".sig\"";
  return is_reserved (component) ? "\"head\", \"sha256\" and \"sha512\" are reserved"
                                 : NULL;
}

static bool
set_name_error (GError **error, const char *name, const char *fault)
{
  g_autofree char *escaped
    = vtree_error_escape (name, (gssize) strnlen (name, VTREE_REF_MAX));
  return vtree_error_set (error, VTREE_ERROR_INVALID, "ref name '%s': %s", escaped,
                          fault);
}

bool
vtree_ref_check_name (const char *name, GError **error)
{
  if (*name == '\0')
    return set_name_error (error, name, "it is empty");
  if (strlen (name) > VTREE_REF_MAX)
    return set_name_error (error, name, "it has more than 200 bytes");
  g_auto (GStrv) components = g_strsplit (name, "/", -1);
  for (char **component = components; *component != NULL; component++) {
    const char *fault = find_fault (*component);
    if (fault != NULL)
      return set_name_error (error, name, fault);
  }
  return true;
}

/* NAME or NAME@VERSION. */
static bool
parse_name (const char *text, VtreeRefSpec *spec, GError **error)
{
  const char *at = strchr (text, '@');
  g_autofree char *name
    = at != NULL ? g_strndup (text, (gsize) (at - text)) : g_strdup (text);
  if (!vtree_ref_check_name (name, error))
    return false;
  spec->has_version = at != NULL;
  if (at != NULL
      && (!vtree_text_parse_u64 (at + 1, strlen (at + 1), &spec->version)
          || spec->version == 0))
    return set_name_error (error, text, "what follows '@' is no version number");
  spec->name = g_steal_pointer (&name);
  return true;
}

/* Where the ":PATH" of TEXT begins; NULL without one. */
static const char *
find_path (const char *text)
{
  const char *colon = strchr (text, ':');
  if (vtree_digest_looks_like (text))
    return strchr (colon + 1, ':');
  return colon;
}

bool
vtree_ref_spec_parse (const char *text, bool with_path, VtreeRefSpec *spec,
                      GError **error)
{
  const char *colon = find_path (text);
  if (colon != NULL && !with_path)
    return set_name_error (error, text, "no :PATH can follow here");
  g_autofree char *head
    = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : g_strdup (text);
  g_auto (VtreeRefSpec) parsed = { 0 };
  parsed.is_digest = vtree_digest_looks_like (head);
  if (!(parsed.is_digest ? vtree_digest_parse (head, &parsed.digest, error)
                         : parse_name (head, &parsed, error)))
    return false;
  parsed.path = colon != NULL ? g_strdup (colon + 1) : NULL;
  *spec = parsed;
  parsed = (VtreeRefSpec){ 0 };
  return true;
}
