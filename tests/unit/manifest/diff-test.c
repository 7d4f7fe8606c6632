/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/diff.h"

#include "core/error.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

/*
 * A tree in one line: words of NAME[=VALUE], parents first. A name that ends in '/' is
 * a directory, in '@' a symlink to VALUE, in '!' a device of that number, others are
 * files: VALUE is a digit, the contents, or '&' and the name of an earlier file. Then
 * may follow ",mode:M", ",uid:U", ",mtime:T", ",nsec:N", ",xattr:V".
 */
typedef struct {
  VtreeBuilder *builder;
  GHashTable *nodes; /* path without its mark -> VtreeNode */
} Parser;

static uint64_t
property (char **parts, const char *name, uint64_t otherwise)
{
  for (; *parts != NULL; parts++) {
    if (g_str_has_prefix (*parts, name))
      return g_ascii_strtoull (*parts + strlen (name), NULL, 10);
  }
  return otherwise;
}

static uint32_t
type_of_mark (char mark)
{
  switch (mark) {
  case '/':
    return S_IFDIR;
  case '@':
    return S_IFLNK;
  case '!':
    return S_IFCHR;
  default:
    return S_IFREG;
  }
}

static void
set_value (VtreeNode *node, uint32_t type, const char *value, GError **error)
{
  if (S_ISLNK (type))
    vtree_node_set_target (node, value, error);
  if (!S_ISREG (type) || value == NULL || value[0] == '0')
    return;
  const uint8_t bytes[VTREE_DIGEST_MAX_SIZE] = { (uint8_t) value[0] };
  VtreeDigest digest;
  vtree_digest_init (&digest, VTREE_DIGEST_SHA256, bytes);
  vtree_node_set_content (node, &digest, 100);
}

static void
add_node (Parser *parser, char *path, char **parts, const char *value)
{
  g_autoptr (GError) error = NULL;
  uint32_t type = type_of_mark (path[strlen (path) - 1]);
  if (!S_ISREG (type))
    path[strlen (path) - 1] = '\0';
  const VtreeNodeAttributes attributes = {
    .mode = type | (uint32_t) property (parts, "mode:", 0644),
    .uid = (uint32_t) property (parts, "uid:", 0),
    .mtime = (int64_t) property (parts, "mtime:", 0),
    .nsec = (uint32_t) property (parts, "nsec:", 0),
    .rdev = value != NULL ? (uint32_t) g_ascii_strtoull (value, NULL, 10) : 0,
  };
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  VtreeNode *parent = g_hash_table_lookup (parser->nodes, directory);
  VtreeNode *node = NULL;
  if (value != NULL && value[0] == '&') {
    node = g_hash_table_lookup (parser->nodes, value + 1);
    vtree_builder_link (parser->builder, parent, name, node, &error);
    g_assert_no_error (error);
  } else {
    node = vtree_builder_add (parser->builder, parent, name, &attributes, &error);
    g_assert_no_error (error);
    set_value (node, type, value, &error);
    g_assert_no_error (error);
  }
  uint64_t xattr = property (parts, "xattr:", 0);
  if (xattr > 0)
    vtree_node_add_xattr (parser->builder, node, "user.x", &xattr, sizeof xattr,
                          &error);
  g_assert_no_error (error);
  g_hash_table_insert (parser->nodes, g_strdup (path), node);
}

static VtreeView *
parse_tree (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  g_autoptr (GHashTable) nodes
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Parser parser = { builder, nodes };
  g_hash_table_insert (nodes, g_strdup ("."), vtree_builder_root (builder));
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  for (char **word = words; *word != NULL && **word != '\0'; word++) {
    g_auto (GStrv) parts = g_strsplit (*word, ",", -1);
    g_auto (GStrv) pair = g_strsplit (parts[0], "=", 2);
    add_node (&parser, pair[0], parts + 1, pair[1]);
  }
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  return vtree_test_view (bytes);
}

/* "+path", "-path" or "path:tcmopxl" (the letters of what changed), one word each. */
static bool
collect (void *context, const VtreeDiffItem *item, GError **error)
{
  static const char letters[] = "tcmopxl";
  GString *out = context;
  (void) error;
  if (out->len > 0)
    g_string_append_c (out, ' ');
  if (item->kind != VTREE_DIFF_CHANGED) {
    g_assert_cmpint (item->from == NULL, ==, item->kind == VTREE_DIFF_ADDED);
    g_assert_cmpint (item->to == NULL, ==, item->kind == VTREE_DIFF_REMOVED);
    g_string_append_c (out, item->kind == VTREE_DIFF_ADDED ? '+' : '-');
    g_string_append (out, item->path);
    return true;
  }
  g_string_append_printf (out, "%s:", item->path);
  for (unsigned bit = 0; bit < strlen (letters); bit++) {
    if (item->properties & (1u << bit))
      g_string_append_c (out, letters[bit]);
  }
  return true;
}

static char *
diff_text (VtreeView *from, VtreeView *to)
{
  g_autoptr (GError) error = NULL;
  GString *out = g_string_new (NULL);
  vtree_diff (from, to, collect, out, &error);
  g_assert_no_error (error);
  return g_string_free (out, FALSE);
}

typedef struct {
  const char *title, *from, *to, *expected;
} DiffRow;

static const DiffRow rows[] = {
  { "nothing", "", "", "" },
  { "same", "a=1 d/ d/b=2 s@=t", "a=1 d/ d/b=2 s@=t", "" },
  { "added", "a=1", "a=1 b=2", "+b" },
  { "removed", "a=1 b=2", "b=2", "-a" },
  { "added whole", "", "d/ d/a=1 d/e/ d/e/f=1 z=1", "+d +d/a +d/e +d/e/f +z" },
  { "removed whole", "d/ d/e/ d/e/f=1", "", "-d -d/e -d/e/f" },
  { "interleaved", "a=1 c=1 e=1", "b=1 c=1 d=1", "-a +b +d -e" },
  { "prefixes", "a/ a/x=1 a.=1", "a/ a/x=2 a.=2", "a/x:c a.:c" },
  { "contents", "a=1", "a=2", "a:c" },
  { "to empty", "a=1", "a=0", "a:c" },
  { "from empty", "a=0", "a=1", "a:c" },
  { "target", "s@=t", "s@=u", "s:c" },
  { "device", "n!=1", "n!=2", "n:c" },
  { "mode", "a=1", "a=1,mode:100", "a:m" },
  { "owner", "a=1", "a=1,uid:5", "a:o" },
  { "seconds", "a=1", "a=1,mtime:5", "a:p" },
  { "nanoseconds", "a=1", "a=1,nsec:5", "a:p" },
  { "xattr added", "a=1", "a=1,xattr:1", "a:x" },
  { "xattr changed", "a=1,xattr:1", "a=1,xattr:2", "a:x" },
  { "xattr same", "b=1,xattr:7 c=1,xattr:3", "a=1,xattr:3 b=1,xattr:7 c=1,xattr:3",
    "+a" },
  { "several", "a=1", "a=2,uid:1,mtime:1", "a:cop" },
  { "type", "a=1", "a@=t", "a:tm" },
  { "to directory", "a=1", "a/ a/b=1", "a:t +a/b" },
  { "from directory", "a/ a/b=1 a/c/ a/c/d=1", "a=1", "a:t -a/b -a/c -a/c/d" },
  { "directory's own", "d/ d/a=1", "d/,mode:100 d/a=1 d/b/", "d:m +d/b" },
  { "same groups", "a=1 b=&a c=2 d=&c", "a=1 b=&a c=2 d=&c", "" },
  { "link made", "a=1 b=1", "a=1 b=&a", "a:l b:l" },
  { "link broken", "a=1 b=&a", "a=1 b=1", "a:l b:l" },
  { "link added", "a=1", "a=1 b=&a", "a:l +b" },
  { "link removed", "a=1 b=&a", "b=1", "-a b:l" },
  { "regrouped", "a=1 b=&a c=1 d=&c", "a=1 b=1 c=&a d=&b", "a:l b:l c:l d:l" },
  { "one of three moves", "a=1 b=&a c=&a d=1", "a=1 b=&a d=1 c=&d", "a:l b:l c:l d:l" },
  { "another group untouched", "a=1 b=&a x=3 y=&x", "a=1 b=1 x=3 y=&x", "a:l b:l" },
  { "same count, other partner", "a=1 b=&a c=1", "a=1 b=1 c=&a", "a:l b:l c:l" },
  { "partner replaced", "a=1 b=&a", "a=1 c=&a", "a:l -b +c" },
  { "across directories", "d/ d/a=1 e/ e/b=&d/a", "d/ d/a=1 e/ e/b=1", "d/a:l e/b:l" },
};

static void
test_rows (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_test_message ("%s", rows[i].title);
    g_autoptr (VtreeView) from = parse_tree (rows[i].from);
    g_autoptr (VtreeView) to = parse_tree (rows[i].to);
    g_autofree char *text = diff_text (from, to);
    g_assert_cmpstr (text, ==, rows[i].expected);
  }
}

/* The other way round, what was added is removed, and the same paths changed. */
static void
test_mirrored (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_test_message ("%s", rows[i].title);
    g_autoptr (VtreeView) from = parse_tree (rows[i].from);
    g_autoptr (VtreeView) to = parse_tree (rows[i].to);
    g_autofree char *text = diff_text (to, from);
    g_autoptr (GString) expected = g_string_new (rows[i].expected);
    g_string_replace (expected, "+", "*", 0);
    g_string_replace (expected, " -", " +", 0);
    if (expected->str[0] == '-')
      expected->str[0] = '+';
    g_string_replace (expected, "*", "-", 0);
    g_assert_cmpstr (text, ==, expected->str);
  }
}

static void
test_random_same (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  const VtreeTestTreeParams params = { .inodes = 2000, .alg = VTREE_DIGEST_SHA256 };
  g_autoptr (VtreeTestTree) tree = vtree_test_tree_new_random (random, &params);
  g_autoptr (GBytes) bytes = vtree_test_tree_build (tree, random);
  g_autoptr (VtreeView) from = vtree_test_view (bytes);
  g_autoptr (VtreeView) to = vtree_test_view (bytes);
  g_autofree char *text = diff_text (from, to);
  g_assert_cmpstr (text, ==, "");
}

static bool
stop (void *context, const VtreeDiffItem *item, GError **error)
{
  unsigned *calls = context;
  (*calls)++;
  return vtree_error_set (error, VTREE_ERROR_FAILED, "enough at %s", item->path);
}

static void
test_stopped (void)
{
  unsigned calls = 0;
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeView) from = parse_tree ("a=1 b=1");
  g_autoptr (VtreeView) to = parse_tree ("");
  g_assert_false (vtree_diff (from, to, stop, &calls, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "enough at a");
  g_assert_cmpuint (calls, ==, 1);
}

static void
test_two_algorithms (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA512);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeView) from = parse_tree ("");
  g_autoptr (VtreeView) to = vtree_test_view (bytes);
  g_assert_false (vtree_diff (from, to, collect, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "sha512");
}

/* No recursion: depth is no limit. */
static void
test_deep (void)
{
  const VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755 };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *node = vtree_builder_root (builder);
  for (int i = 0; i < 2000; i++)
    node = vtree_builder_add (builder, node, "d", &attributes, &error);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeView) from = parse_tree ("");
  g_autoptr (VtreeView) to = vtree_test_view (bytes);
  g_autofree char *text = diff_text (from, to);
  g_assert_true (g_str_has_prefix (text, "+d +d/d +d/d/d"));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/diff/rows", test_rows);
  g_test_add_func ("/manifest/diff/mirrored", test_mirrored);
  g_test_add_func ("/manifest/diff/random-same", test_random_same);
  g_test_add_func ("/manifest/diff/stopped", test_stopped);
  g_test_add_func ("/manifest/diff/two-algorithms", test_two_algorithms);
  g_test_add_func ("/manifest/diff/deep", test_deep);
  return vtree_test_run ();
}
