/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/exclude.h"
#include "tests/lib/test.h"

typedef struct {
  const char *name;
  const char *pattern;
  const char *path;
  bool directory;
  bool matches;
} Row;

static const Row rows[] = {
  { "name-at-top", "a", "a", false, true },
  { "name-below", "a", "x/y/a", false, true },
  { "name-is-whole", "a", "x/ab", false, false },
  { "name-of-a-parent", "a", "a/b", false, false },
  { "star", "*.o", "src/x.o", false, true },
  { "star-takes-nothing", "a*", "a", false, true },
  { "star-backtracks", "*ab*b", "x/aabxb", false, true },
  { "star-fails", "*ab*c", "x/aabxb", false, false },
  { "anchored", "/a", "a", false, true },
  { "anchored-not-below", "/a", "x/a", false, false },
  { "inner-slash-anchors", "x/a", "x/a", false, true },
  { "inner-slash-not-below", "x/a", "y/x/a", false, false },
  { "star-stops-at-slash", "/x/*", "x/y/z", false, false },
  { "star-in-a-component", "/x/*/z", "x/y/z", false, true },
  { "two-components", "/a*/b*c", "ax/bxd", false, false },
  { "stars-cross", "/x/**", "x/y/z", false, true },
  { "stars-inside-a-name", "/x**z", "xy/yz", false, true },
  { "stars-first-none", "**/a/b", "a/b", false, true },
  { "stars-first-some", "**/a/b", "x/y/a/b", false, true },
  { "stars-middle-none", "x/**/a", "x/a", false, true },
  { "stars-middle-some", "x/**/a", "x/y/z/a", false, true },
  { "stars-whole-components", "x/**/a", "x/ya", false, false },
  { "stars-twice", "**/b/**/d", "a/b/c/b/e/d", false, true },
  { "stars-then-star", "**/b*c", "a/bd/bxc", false, true },
  { "stars-then-star-fails", "**/b*c", "a/bd/xbc", false, false },
  { "three-stars-are-two", "/x***z", "x/y/z", false, true },
  { "directory-only", "a/", "x/a", true, true },
  { "directory-only-file", "a/", "x/a", false, false },
  { "question", "a?c", "abc", false, true },
  { "question-no-slash", "x/a?c", "x/a/c", false, false },
  { "question-one-byte", "a?", "a", false, false },
  { "set", "[a-c]x", "bx", false, true },
  { "set-outside", "[a-c]x", "dx", false, false },
  { "set-negated", "[!a-c]x", "dx", false, true },
  { "set-caret", "[^a-c]x", "ax", false, false },
  { "set-no-slash", "a[!b]c", "a/c", false, false },
  { "set-bracket", "[]]", "]", false, true },
  { "set-dash-last", "[a-]", "-", false, true },
  { "set-escape", "[\\]a]", "]", false, true },
  { "set-high-bytes", "[\x80-\xff]", "\xc3", false, true },
  { "escape", "\\*", "*", false, true },
  { "escape-is-no-star", "\\*", "ab", false, false },
  { "newline", "a*b", "a\nb", false, true },
  { "not-utf-8", "*\xff", "\xfe\xff", false, true },
  { "leading-dot-is-a-byte", "*", ".x", false, true },
};

static bool
excludes (const char *pattern, const char *path, bool directory)
{
  const char *patterns[] = { pattern, NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeExclude) exclude = vtree_exclude_new (patterns, &error);
  g_assert_no_error (error);
  g_assert_false (vtree_exclude_is_empty (exclude));
  return vtree_exclude_matches (exclude, path, directory);
}

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  g_assert_cmpint (excludes (row->pattern, row->path, row->directory), ==,
                   row->matches);
}

typedef struct {
  const char *name;
  const char *pattern;
  const char *part; /* of the message */
} Fault;

static const Fault faults[] = {
  { "empty", "", "matches nothing" },
  { "slash", "/", "matches nothing" },
  { "slashes", "//", "matches nothing" },
  { "open-set", "a[b", "has no ']'" },
  { "open-set-escape", "a[b\\]", "has no ']'" },
  { "open-set-end", "[", "has no ']'" },
  { "escape-at-end", "a\\", "ends in a backslash" },
  { "newline-is-escaped", "\n[", "'\\n['" },
};

static void
test_fault (gconstpointer data)
{
  const Fault *fault = data;
  const char *patterns[] = { "good", fault->pattern, NULL };
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_exclude_new (patterns, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, fault->part);
}

static void
test_none (void)
{
  g_autoptr (VtreeExclude) exclude = vtree_exclude_new (NULL, NULL);
  g_assert_true (vtree_exclude_is_empty (exclude));
  g_assert_false (vtree_exclude_matches (exclude, "a", false));
}

/* Backtracking that tried every split would take 2^60 steps. */
static void
test_many_stars_end (void)
{
  g_autoptr (GString) pattern = g_string_new ("/");
  for (int i = 0; i < 60; i++)
    g_string_append (pattern, i % 2 == 0 ? "*a" : "**a");
  g_string_append_c (pattern, 'b');
  g_autofree char *path = g_strnfill (4000, 'a');
  g_assert_false (excludes (pattern->str, path, false));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name
      = g_strconcat ("/manifest/exclude/matches/", rows[i].name, NULL);
    g_test_add_data_func (name, &rows[i], test_row);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autofree char *name
      = g_strconcat ("/manifest/exclude/faults/", faults[i].name, NULL);
    g_test_add_data_func (name, &faults[i], test_fault);
  }
  g_test_add_func ("/manifest/exclude/none", test_none);
  g_test_add_func ("/manifest/exclude/many-stars-end", test_many_stars_end);
  return vtree_test_run ();
}
