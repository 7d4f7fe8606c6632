/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/verity.h"
#include "manifest/builder.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

#include <string.h>
#include <sys/stat.h>

static const VtreeNodeAttributes file_attributes = { .mode = S_IFREG | 0644 };
static const VtreeNodeAttributes directory_attributes = { .mode = S_IFDIR | 0755 };
static const VtreeNodeAttributes symlink_attributes = { .mode = S_IFLNK | 0777 };

static void
test_empty_tree (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA512);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  /* header, one inode, one directory, one attribute record */
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 4 * 4096);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  g_assert_cmpuint (vtree_view_totals (view)->inodes, ==, 1);
  g_assert_cmpint (vtree_view_totals (view)->alg, ==, VTREE_DIGEST_SHA512);
}

/* The same tree filled in three orders, and read back: the same bytes. */
static void
check_canonical (GRand *random, const VtreeTestTreeParams *params)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeTestTree) tree = vtree_test_tree_new_random (random, params);
  g_autoptr (GBytes) first = vtree_test_tree_build (tree, random);
  for (int i = 0; i < 2; i++) {
    g_autoptr (GBytes) again = vtree_test_tree_build (tree, random);
    g_assert_true (g_bytes_equal (first, again));
  }
  g_autoptr (VtreeView) view = vtree_test_view (first);
  g_autoptr (GBytes) rebuilt = vtree_test_rebuild (view, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (first, rebuilt));
  vtree_test_walk (view);
}

static void
test_order_independent (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  for (unsigned i = 0; i < 60; i++) {
    VtreeTestTreeParams params = {
      .inodes = 1 + i * i,
      .no_extras = i % 3 == 0,
      .alg = i % 2 == 0 ? VTREE_DIGEST_SHA256 : VTREE_DIGEST_SHA512,
    };
    check_canonical (random, &params);
  }
}

static void
test_finish_twice (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *root = vtree_builder_root (builder);
  vtree_builder_add (builder, root, "b", &file_attributes, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) first = vtree_builder_finish (builder, &error);
  g_autoptr (GBytes) second = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (first, second));
  vtree_builder_add (builder, root, "a", &file_attributes, &error);
  g_autoptr (GBytes) third = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_assert_false (g_bytes_equal (first, third));
}

typedef struct {
  const char *title;
  const char *name;
  uint32_t mode, nsec;
  const char *part;
} AddRow;

static const AddRow add_rows[] = {
  { "empty name", "", S_IFREG, 0, "name ''" },
  { "dot", ".", S_IFREG, 0, "name '.'" },
  { "dot dot", "..", S_IFREG, 0, "name '..'" },
  { "slash", "a/b", S_IFREG, 0, "name 'a/b'" },
  { "escaped", "/\n", S_IFREG, 0, "name '/\\n'" },
  { "no type", "a", 0644, 0, "mode 0644" },
  { "unknown type", "a", S_IFMT | 0644, 0, "mode" },
  { "bits beyond", "a", S_IFREG | 0x10000, 0, "mode" },
  { "a whole second", "a", S_IFREG | 0644, 1000000000, "1000000000 nanoseconds" },
};

static void
test_add_invalid (void)
{
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  for (size_t i = 0; i < G_N_ELEMENTS (add_rows); i++) {
    const AddRow *row = &add_rows[i];
    g_autoptr (GError) error = NULL;
    const VtreeNodeAttributes attributes = { .mode = row->mode, .nsec = row->nsec };
    g_test_message ("%s", row->title);
    g_assert_null (vtree_builder_add (builder, vtree_builder_root (builder), row->name,
                                      &attributes, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, row->part);
  }
}

static void
test_name_length (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *root = vtree_builder_root (builder);
  g_autofree char *longest = g_strnfill (255, 'n');
  g_autofree char *longer = g_strnfill (256, 'n');
  g_assert_nonnull (
    vtree_builder_add (builder, root, longest, &file_attributes, &error));
  g_assert_no_error (error);
  g_assert_null (vtree_builder_add (builder, root, longer, &file_attributes, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "nnn");
}

static void
test_wrong_kind (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *root = vtree_builder_root (builder);
  VtreeNode *file = vtree_builder_add (builder, root, "f", &file_attributes, &error);
  g_assert_null (vtree_builder_add (builder, file, "x", &file_attributes, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "no directory");
  g_clear_error (&error);
  g_assert_false (vtree_builder_link (builder, root, "l", root, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "one name");
  g_clear_error (&error);
  g_assert_false (vtree_node_set_target (file, "t", &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "not a symlink");
  g_clear_error (&error);
  g_assert_false (vtree_node_set_attributes (file, &directory_attributes, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID,
                           "type can't change");
}

static void
test_target_length (void)
{
  static const struct {
    size_t size;
    bool ok;
  } rows[] = { { 0, false }, { 1, true }, { 4095, true }, { 4096, false } };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
    VtreeNode *node = vtree_builder_add (builder, vtree_builder_root (builder), "s",
                                         &symlink_attributes, &error);
    g_autofree char *target = g_strnfill (rows[i].size, 't');
    g_assert_cmpint (vtree_node_set_target (node, target, &error), ==, rows[i].ok);
    if (!rows[i].ok)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "target of");
  }
}

/* Three files in /d, for what only shows when all is there. */
typedef struct {
  VtreeNode *x, *y, *z;
} Three;

static void
set_content (VtreeNode *node, VtreeDigestAlg alg, uint64_t size)
{
  const uint8_t value[VTREE_DIGEST_MAX_SIZE] = { 7 };
  VtreeDigest digest;
  vtree_digest_init (&digest, alg, value);
  vtree_node_set_content (node, &digest, size);
}

static void
set_other_alg (const Three *three)
{
  set_content (three->x, VTREE_DIGEST_SHA512, 1);
}

static void
set_too_large (const Three *three)
{
  set_content (three->x, VTREE_DIGEST_SHA256, (uint64_t) INT64_MAX + 1);
}

static void
set_two_sizes (const Three *three)
{
  set_content (three->x, VTREE_DIGEST_SHA256, 1);
  set_content (three->y, VTREE_DIGEST_SHA256, 2);
}

static void
set_large_total (const Three *three)
{
  set_content (three->x, VTREE_DIGEST_SHA256, INT64_MAX);
  set_content (three->y, VTREE_DIGEST_SHA256, INT64_MAX);
  set_content (three->z, VTREE_DIGEST_SHA256, INT64_MAX);
}

typedef struct {
  const char *title;
  const char *second;                 /* name of the second file */
  const VtreeNodeAttributes *first;   /* of the first file */
  void (*spoil) (const Three *three); /* may be NULL */
  int code;
  const char *part;
} FinishRow;

static const FinishRow finish_rows[] = {
  { "duplicate", "x", &file_attributes, NULL, VTREE_ERROR_INVALID,
    "/d/x: two entries" },
  { "no target", "y", &symlink_attributes, NULL, VTREE_ERROR_INVALID,
    "/d/x: symlink without a target" },
  { "other algorithm", "y", &file_attributes, set_other_alg, VTREE_ERROR_INVALID,
    "/d/x: contents of an invalid" },
  { "too large", "y", &file_attributes, set_too_large, VTREE_ERROR_INVALID,
    "/d/x: contents of an invalid" },
  { "two sizes", "y", &file_attributes, set_two_sizes, VTREE_ERROR_INVALID,
    "one digest with two sizes" },
  { "large total", "y", &file_attributes, set_large_total, VTREE_ERROR_LIMIT, "2^64" },
};

static void
test_finish_invalid (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (finish_rows); i++) {
    const FinishRow *row = &finish_rows[i];
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
    VtreeNode *d = vtree_builder_add (builder, vtree_builder_root (builder), "d",
                                      &directory_attributes, &error);
    Three three = {
      vtree_builder_add (builder, d, "x", row->first, &error),
      vtree_builder_add (builder, d, row->second, &file_attributes, &error),
      vtree_builder_add (builder, d, "z", &file_attributes, &error),
    };
    g_assert_no_error (error);
    g_test_message ("%s", row->title);
    if (row->spoil != NULL)
      row->spoil (&three);
    g_assert_null (vtree_builder_finish (builder, &error));
    vtree_test_assert_error (error, VTREE_ERROR, row->code, row->part);
  }
}

static void
test_xattr_limits (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *node = vtree_builder_root (builder);
  g_autofree char *long_name = g_strnfill (256, 'n');
  g_autofree char *value = g_malloc0 (65537);
  g_assert_false (vtree_node_add_xattr (builder, node, "", "v", 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "without a name");
  g_clear_error (&error);
  g_assert_false (vtree_node_add_xattr (builder, node, long_name, "v", 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "256 bytes of name");
  g_clear_error (&error);
  g_assert_false (vtree_node_add_xattr (builder, node, "user.v", value, 65537, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "65537 of value");
  g_clear_error (&error);
  vtree_node_add_xattr (builder, node, "user.v", value, 65536, &error);
  g_assert_no_error (error);
  g_assert_false (vtree_node_add_xattr (builder, node, "user.v", "v", 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "set twice");
}

/* A set of the largest size that is allowed passes through view and builder. */
static void
test_xattr_set_limit (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *node = vtree_builder_root (builder);
  g_autofree char *value = g_malloc0 (65536);
  int count = 0;
  while (error == NULL) {
    g_autofree char *name = g_strdup_printf ("user.%d", count);
    if (vtree_node_add_xattr (builder, node, name, value, 65536, &error))
      count++;
  }
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "one too many");
  g_clear_error (&error);
  g_assert_cmpint (count, ==, 15);
  g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeView) view = vtree_test_view (bytes);
  VtreeInode root;
  vtree_view_inode (view, 0, &root, &error);
  g_assert_no_error (error);
  g_autoptr (GArray) xattrs = vtree_view_xattrs (view, &root, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (xattrs->len, ==, 15);
}

static void
test_xattr_list_limit (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  size_t list = 0;
  while (error == NULL) {
    g_autofree char *name = g_strdup_printf ("user.%0200zu", list);
    if (vtree_node_add_xattr (builder, vtree_builder_root (builder), name, NULL, 0,
                              &error))
      list += strlen (name) + 1;
  }
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "one too many");
  g_assert_cmpuint (list, <=, 65536);
  g_assert_cmpuint (list + 206, >, 65536);
}

/* One of everything; nobody else's tree, so that nothing changes it. */
static GBytes *
build_golden (void)
{
  static const struct {
    const char *name;
    VtreeNodeAttributes attributes;
  } rows[] = {
    { "block", { .mode = S_IFBLK | 0660, .gid = 6, .rdev = 0x123456 } },
    { "char", { .mode = S_IFCHR | 0666, .rdev = 0 } },
    { "fifo", { .mode = S_IFIFO | 0600, .uid = 1000, .gid = 1000 } },
    { "socket", { .mode = S_IFSOCK | 0600, .mtime = INT64_MAX } },
    { "directory", { .mode = S_IFDIR | 01777, .mtime = 1, .nsec = 999999999 } },
    { "symlink", { .mode = S_IFLNK | 0777, .mtime = INT64_MIN } },
    { "empty", { .mode = S_IFREG | 0644, .mtime = -1 } },
    { "file", { .mode = S_IFREG | 06755, .uid = UINT32_MAX, .gid = UINT32_MAX } },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  VtreeNode *nodes[G_N_ELEMENTS (rows)];
  VtreeNode *root = vtree_builder_root (builder);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    nodes[i]
      = vtree_builder_add (builder, root, rows[i].name, &rows[i].attributes, &error);
    g_assert_no_error (error);
  }
  VtreeNode *directory = nodes[4], *symlink = nodes[5], *file = nodes[7];
  set_content (file, VTREE_DIGEST_SHA256, 4097);
  g_assert_true (vtree_node_set_target (symlink, "../\xff", &error));
  g_assert_true (vtree_builder_link (builder, directory, "\xe4", file, &error));
  g_assert_true (vtree_node_add_xattr (builder, file, "user.b", "2", 1, &error));
  g_assert_true (vtree_node_add_xattr (builder, file, "user.a", "", 0, &error));
  g_assert_true (vtree_node_add_xattr (builder, directory, "user.a", "", 0, &error));
  GBytes *bytes = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  return bytes;
}

/* The same tree has the same manifest for ever: if this fails, the format has changed,
 * and every digest that was ever signed with it. */
static void
test_same_for_ever (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = build_golden ();
  gsize size;
  const void *data = g_bytes_get_data (bytes, &size);
  const VtreeVerityParams params = { VTREE_DIGEST_SHA256, size, -1, NULL };
  VtreeDigest digest;
  vtree_verity_compute_data (&params, data, &digest, &error);
  g_assert_no_error (error);
  vtree_test_assert_digest_text (
    &digest, "sha256:9381d0ad7e47f3b021007fc87356eba285b9ac5062b4825fedbbf469f0d939b3");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/builder/empty-tree", test_empty_tree);
  g_test_add_func ("/manifest/builder/order-independent", test_order_independent);
  g_test_add_func ("/manifest/builder/finish-twice", test_finish_twice);
  g_test_add_func ("/manifest/builder/add-invalid", test_add_invalid);
  g_test_add_func ("/manifest/builder/name-length", test_name_length);
  g_test_add_func ("/manifest/builder/wrong-kind", test_wrong_kind);
  g_test_add_func ("/manifest/builder/target-length", test_target_length);
  g_test_add_func ("/manifest/builder/finish-invalid", test_finish_invalid);
  g_test_add_func ("/manifest/builder/xattr-limits", test_xattr_limits);
  g_test_add_func ("/manifest/builder/xattr-set-limit", test_xattr_set_limit);
  g_test_add_func ("/manifest/builder/xattr-list-limit", test_xattr_list_limit);
  g_test_add_func ("/manifest/builder/same-for-ever", test_same_for_ever);
  return vtree_test_run ();
}
