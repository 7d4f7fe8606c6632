/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the glob language of --exclude: checking patterns and matching paths. Linear in
 * pattern times path, whatever the pattern. Touches no file.
 */
#include "manifest/exclude.h"

#include <string.h>

typedef struct {
  char *glob;      /* without the leading and the last '/' */
  bool whole_path; /* else the last component alone */
  bool directory;  /* directories only */
} Pattern;

struct VtreeExclude {
  GArray *patterns; /* Pattern */
};

static void
clear_pattern (gpointer data)
{
  g_free (((Pattern *) data)->glob);
}

/* The byte after the set that begins behind '[' at P; NULL if it has no end. */
static const char *
set_end (const char *p)
{
  if (*p == '!' || *p == '^')
    p++;
  if (*p == ']')
    p++;
  while (*p != '\0' && *p != ']') {
    if (*p == '\\')
      p++;
    if (*p != '\0')
      p++;
  }
  return *p == ']' ? p + 1 : NULL;
}

/* What is wrong with GLOB, or NULL. */
static const char *
find_fault (const char *glob)
{
  const char *p = glob;
  while (*p != '\0') {
    char c = *p++;
    if (c == '\\' && *p == '\0')
      return "it ends in a backslash";
    if (c == '\\')
      p++;
    if (c != '[')
      continue;
    p = set_end (p);
    if (p == NULL)
      return "a '[' has no ']'";
  }
  return NULL;
}

static bool
compile (const char *text, Pattern *pattern, GError **error)
{
  size_t length = strlen (text);
  bool directory = length > 0 && text[length - 1] == '/';
  while (length > 0 && text[length - 1] == '/')
    length--;
  bool anchored = text[0] == '/';
  const char *start = text + strspn (text, "/");
  g_autofree char *shown = vtree_error_escape (text, -1);
  if (start >= text + length)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the exclude pattern '%s' matches nothing", shown);
  g_autofree char *glob = g_strndup (start, (size_t) (text + length - start));
  const char *fault = find_fault (glob);
  if (fault != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the exclude pattern '%s' is malformed: %s", shown, fault);
  pattern->whole_path = anchored || strchr (glob, '/') != NULL;
  pattern->directory = directory;
  pattern->glob = g_steal_pointer (&glob);
  return true;
}

VtreeExclude *
vtree_exclude_new (const char *const *patterns, GError **error)
{
  g_autoptr (VtreeExclude) exclude = g_new0 (VtreeExclude, 1);
  exclude->patterns = g_array_new (FALSE, FALSE, sizeof (Pattern));
  g_array_set_clear_func (exclude->patterns, clear_pattern);
  for (; patterns != NULL && *patterns != NULL; patterns++) {
    Pattern pattern;
    if (!compile (*patterns, &pattern, error))
      return NULL;
    g_array_append_val (exclude->patterns, pattern);
  }
  return g_steal_pointer (&exclude);
}

void
vtree_exclude_free (VtreeExclude *exclude)
{
  if (exclude == NULL)
    return;
  g_array_unref (exclude->patterns);
  g_free (exclude);
}

bool
vtree_exclude_is_empty (const VtreeExclude *exclude)
{
  return exclude->patterns->len == 0;
}

/* One byte of a set, an escape taken off; moves *P. */
static unsigned char
set_byte (const char **p)
{
  if (**p == '\\')
    (*p)++;
  return (unsigned char) *(*p)++;
}

/* Whether the set that begins behind '[' at P has C; *END is behind its ']'. */
static bool
set_has (const char *p, unsigned char c, const char **end)
{
  *end = set_end (p);
  bool negated = *p == '!' || *p == '^';
  if (negated)
    p++;
  bool found = false;
  do {
    unsigned char low = set_byte (&p);
    unsigned char high = low;
    if (p[0] == '-' && p + 1 < *end - 1) {
      p++;
      high = set_byte (&p);
    }
    found = found || (low <= c && c <= high);
  } while (p < *end - 1);
  return found != negated;
}

/* Whether the one-byte pattern at *P (no star) takes C; moves *P behind it. */
static bool
takes (const char **p, char c)
{
  switch (**p) {
  case '?':
    (*p)++;
    return c != '/';
  case '[': {
    const char *end;
    bool has = set_has (*p + 1, (unsigned char) c, &end);
    *p = end;
    return has && c != '/';
  }
  case '\\':
    (*p)++;
    break;
  }
  return *(*p)++ == c;
}

/* A place to come back to: what follows a star, and the text from where it was
 * tried. */
typedef struct {
  const char *glob; /* NULL: no such star yet */
  const char *text;
  bool component; /* "**" as a whole component: only after a '/' of the text */
} Star;

/* Takes the stars at *GLOB in and remembers them. */
static void
take_stars (const char *start, const char **glob, const char *text, Star *one,
            Star *two)
{
  const char *p = *glob;
  size_t count = strspn (p, "*");
  *glob = p + count;
  if (count == 1) {
    *one = (Star){ .glob = *glob, .text = text };
    return;
  }
  bool component = (p == start || p[-1] == '/') && **glob == '/';
  if (component)
    (*glob)++;
  *two = (Star){ .glob = *glob, .text = text, .component = component };
  one->glob = NULL;
}

/* Lets a star take one byte (or one component) more; false where it can't. */
static bool
retry_star (Star *star, bool crosses, const char **glob, const char **text)
{
  if (star->glob == NULL || *star->text == '\0')
    return false;
  if (!crosses && *star->text == '/')
    return false;
  star->text++;
  while (star->component && star->text[-1] != '/') {
    if (*star->text == '\0')
      return false;
    star->text++;
  }
  *glob = star->glob;
  *text = star->text;
  return true;
}

static bool
matches (const char *glob, const char *text)
{
  const char *start = glob;
  Star one = { 0 };
  Star two = { 0 };
  while (true) {
    if (*glob == '*') {
      take_stars (start, &glob, text, &one, &two);
      continue;
    }
    if (*glob == '\0' && *text == '\0')
      return true;
    if (*glob != '\0' && *text != '\0' && takes (&glob, *text)) {
      text++;
      continue;
    }
    if (retry_star (&one, false, &glob, &text))
      continue;
    one.glob = NULL;
    if (!retry_star (&two, true, &glob, &text))
      return false;
  }
}

bool
vtree_exclude_matches (const VtreeExclude *exclude, const char *path, bool directory)
{
  const char *slash = strrchr (path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  for (guint i = 0; i < exclude->patterns->len; i++) {
    const Pattern *pattern = &g_array_index (exclude->patterns, Pattern, i);
    if (pattern->directory && !directory)
      continue;
    if (matches (pattern->glob, pattern->whole_path ? path : name))
      return true;
  }
  return false;
}
