/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/fs.h"

#include "core/verity.h"
#include "tests/lib/test.h"
#include "tests/unit/fuse/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static VtreeFs *
make_fs (const TestTree *tree, VtreeFsOptions options)
{
  VtreeFsIdentity identity = { .ref = "app/x",
                               .key = KEY,
                               .source = "/repo:app/x",
                               .is_signed = true,
                               .version = 7,
                               .created = 1,
                               .expires = 2,
                               .enforcer = VTREE_ENFORCER_DAEMON };
  memset (identity.manifest.value, 0xab, 32);
  identity.manifest.alg = VTREE_DIGEST_SHA256;
  if (options.descriptors == 0)
    options.descriptors = 64;
  return vtree_fs_new (tree->view, tree->store, tree->log, &identity, &options);
}

static uint64_t
node_of (const TestTree *tree, const char *path)
{
  return (uint64_t) test_tree_inode (tree, path).index + 1;
}

static void
test_attributes (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  struct stat st;
  g_assert_cmpint (vtree_fs_getattr (fs, 1, &st), ==, 0);
  g_assert_cmpuint (st.st_ino, ==, 1);
  g_assert_cmpuint (st.st_mode, ==, S_IFDIR | 0755);
  g_assert_cmpuint (st.st_nlink, ==, 3);
  g_assert_cmpuint (st.st_uid, ==, 1000);
  g_assert_cmpuint (st.st_gid, ==, 1001);
  g_assert_cmpint (st.st_size, ==, 0);
  uint64_t node = node_of (&tree, "data");
  g_assert_cmpint (vtree_fs_getattr (fs, node, &st), ==, 0);
  g_assert_cmpuint (st.st_ino, ==, node);
  g_assert_cmpuint (st.st_nlink, ==, 2);
  g_assert_cmpint (st.st_size, ==, TEST_DATA_SIZE);
  g_assert_cmpint (st.st_blocks, ==, (TEST_DATA_SIZE + 511) / 512);
  g_assert_cmpint (st.st_blksize, ==, 4096);
  g_assert_cmpint (st.st_mtim.tv_sec, ==, -2);
  g_assert_cmpint (st.st_mtim.tv_nsec, ==, 500000000);
  g_assert_cmpint (st.st_ctim.tv_sec, ==, -2);
  g_assert_cmpint (vtree_fs_getattr (fs, node_of (&tree, "chr"), &st), ==, 0);
  g_assert_cmpuint (major (st.st_rdev), ==, 0xabc);
  g_assert_cmpuint (minor (st.st_rdev), ==, 0xdef12);
}

static void
test_owner_override (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  VtreeFsOptions options = { .has_uid = true, .uid = 5, .has_gid = true, .gid = 6 };
  g_autoptr (VtreeFs) fs = make_fs (&tree, options);
  struct stat st;
  g_assert_cmpint (vtree_fs_lookup (fs, 1, "data", &st), ==, 0);
  g_assert_cmpuint (st.st_uid, ==, 5);
  g_assert_cmpuint (st.st_gid, ==, 6);
}

static void
test_stale_nodes (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  uint64_t inodes = vtree_view_totals (tree.view)->inodes;
  const uint64_t stale[]
    = { 0, inodes + 1, UINT64_C (1) << 32, (UINT64_C (1) << 32) + 1, UINT64_MAX };
  for (size_t i = 0; i < G_N_ELEMENTS (stale); i++) {
    struct stat st;
    char byte;
    VtreeDigest digest;
    char target[VTREE_FS_TARGET_SIZE];
    g_assert_cmpint (vtree_fs_getattr (fs, stale[i], &st), ==, -ESTALE);
    g_assert_cmpint (vtree_fs_lookup (fs, stale[i], "x", &st), ==, -ESTALE);
    g_assert_cmpint (vtree_fs_lookup (fs, stale[i], ".", &st), ==, -ESTALE);
    g_assert_cmpint (vtree_fs_read (fs, stale[i], &byte, 1, 0), ==, -ESTALE);
    g_assert_cmpint (vtree_fs_readlink (fs, stale[i], target), ==, -ESTALE);
    g_assert_cmpint (vtree_fs_getxattr (fs, stale[i], "user.a", NULL, 0), ==, -ESTALE);
    g_assert_cmpint (vtree_fs_measure (fs, stale[i], &digest), ==, -ESTALE);
  }
}

static void
test_lookup (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  g_autofree char *long_name = g_strnfill (256, 'x');
  g_autofree char *longest = g_strnfill (255, 'x');
  const struct {
    const char *parent, *name;
    int result;
    const char *found;
  } rows[] = {
    { "", "data", 0, "data" },
    { "", "link", 0, "data" },
    { "", "absent", -ENOENT, NULL },
    { "", "", -ENOENT, NULL },
    { "dir", "f042", 0, "dir/f042" },
    { "dir", "f100", -ENOENT, NULL },
    { "data", "x", -ENOTDIR, NULL },
    { "sym", "x", -ENOTDIR, NULL },
    { "data", ".", 0, "data" },
    { "data", "..", -ENOTDIR, NULL },
    { "dir", ".", 0, "dir" },
    { "dir", "..", 0, "" },
    { "", "..", 0, "" },
    { "", long_name, -ENAMETOOLONG, NULL },
    { "", longest, -ENOENT, NULL },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    struct stat st;
    int result
      = vtree_fs_lookup (fs, node_of (&tree, rows[i].parent), rows[i].name, &st);
    g_assert_cmpint (result, ==, rows[i].result);
    if (result == 0)
      g_assert_cmpuint (st.st_ino, ==, node_of (&tree, rows[i].found));
  }
}

static void
test_readlink (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  char target[VTREE_FS_TARGET_SIZE];
  g_assert_cmpint (vtree_fs_readlink (fs, node_of (&tree, "sym"), target), ==, 0);
  g_assert_cmpstr (target, ==, "data");
  g_assert_cmpint (vtree_fs_readlink (fs, node_of (&tree, "data"), target), ==,
                   -EINVAL);
}

typedef struct {
  unsigned room; /* entries */
  uint64_t next;
  GPtrArray *names;
  uint64_t dotdot;
} Listing;

static bool
list_one (void *context, const VtreeDirent *entry)
{
  Listing *listing = context;
  if (listing->room == 0)
    return false;
  listing->room--;
  listing->next = entry->next;
  g_ptr_array_add (listing->names, g_strdup (entry->name));
  g_assert_cmpint (entry->is_dot, ==, entry->name[0] == '.');
  if (g_str_equal (entry->name, ".."))
    listing->dotdot = entry->st.st_ino;
  return true;
}

/* Reads a directory ROOM entries at a time. */
static void
check_readdir (VtreeFs *fs, uint64_t node, unsigned room)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  Listing listing = { .names = names };
  guint before;
  do {
    before = names->len;
    listing.room = room;
    g_assert_cmpint (vtree_fs_readdir (fs, node, listing.next, list_one, &listing), ==,
                     0);
  } while (names->len > before);
  g_assert_cmpuint (names->len, ==, TEST_FILES + 2);
  g_assert_cmpstr (names->pdata[0], ==, ".");
  g_assert_cmpstr (names->pdata[1], ==, "..");
  for (unsigned i = 0; i < TEST_FILES; i++) {
    g_autofree char *name = g_strdup_printf ("f%03u", i);
    g_assert_cmpstr (names->pdata[i + 2], ==, name);
  }
  g_assert_cmpuint (listing.dotdot, ==, 1);
}

static void
test_readdir (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  Listing listing = { .room = 1 };
  check_readdir (fs, node_of (&tree, "dir"), 1);
  check_readdir (fs, node_of (&tree, "dir"), 3);
  check_readdir (fs, node_of (&tree, "dir"), 1000);
  g_assert_cmpint (
    vtree_fs_readdir (fs, node_of (&tree, "data"), 0, list_one, &listing), ==,
    -ENOTDIR);
  g_assert_cmpint (vtree_fs_readdir (fs, 1, UINT64_MAX, list_one, &listing), ==, 0);
}

static void
check_read (VtreeFs *fs, uint64_t node, size_t file_size, uint64_t offset, size_t size)
{
  g_autofree uint8_t *data = g_malloc0 (size + 1);
  ssize_t got = vtree_fs_read (fs, node, data, size, offset);
  size_t expected = offset >= file_size ? 0 : MIN (size, file_size - offset);
  g_assert_cmpint (got, ==, (ssize_t) expected);
  for (size_t i = 0; i < expected; i++)
    g_assert_cmpuint (data[i], ==, test_tree_byte (offset + i));
}

static void
test_read (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  const uint64_t offsets[] = { 0,
                               1,
                               4095,
                               4096,
                               8192,
                               TEST_DATA_SIZE - 1,
                               TEST_DATA_SIZE,
                               TEST_LARGE_SIZE - 1,
                               INT64_MAX };
  const size_t sizes[] = { 1, 4096, 5000, TEST_LARGE_SIZE + 10 };
  for (size_t i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (size_t j = 0; j < G_N_ELEMENTS (sizes); j++) {
      check_read (fs, node_of (&tree, "data"), TEST_DATA_SIZE, offsets[i], sizes[j]);
      check_read (fs, node_of (&tree, "large"), TEST_LARGE_SIZE, offsets[i], sizes[j]);
    }
  char byte;
  g_assert_cmpint (vtree_fs_read (fs, node_of (&tree, "empty"), &byte, 1, 0), ==, 0);
  g_assert_cmpint (vtree_fs_read (fs, 1, &byte, 1, 0), ==, -EISDIR);
  g_assert_cmpint (vtree_fs_read (fs, node_of (&tree, "chr"), &byte, 1, 0), ==,
                   -EINVAL);
}

/* Writes over one byte of a file that is 0444. */
static void
flip_byte (const char *path, off_t offset)
{
  char byte;
  g_assert_cmpint (chmod (path, 0600), ==, 0);
  g_auto (VtreeFd) fd = open (path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (pread (fd, &byte, 1, offset), ==, 1);
  byte ^= 1;
  g_assert_cmpint (pwrite (fd, &byte, 1, offset), ==, 1);
}

static ssize_t
read_first (VtreeFs *fs, uint64_t node)
{
  char data[4096];
  return vtree_fs_read (fs, node, data, sizeof data, 0);
}

static void
test_corrupt_object (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  g_autofree char *path = test_tree_object_path (&tree, "data");
  g_autofree char *object = g_path_get_basename (path);
  uint64_t node = node_of (&tree, "data");
  struct vtree_status status;
  flip_byte (path, 17);
  g_assert_cmpint (read_first (fs, node), ==, -EIO);
  g_assert_cmpint (vtree_fs_status (fs, node, &status), ==, 0);
  g_assert_cmpuint (status.object_state, ==, 2);
  g_assert_cmpuint (status.failures, ==, 1);
  g_autofree char *log = test_tree_read_log (&tree);
  const char *line = strstr (log, "/data: expected object sha256:");
  g_assert_nonnull (line);
  g_assert_nonnull (strstr (line, " of 10000 bytes: found sha256:"));
  g_assert_nonnull (strstr (log, object));
  g_assert_cmpstr (strchr (log, '\n') + 1, ==, "");
  /* Repaired, it can be read, by the same mount. */
  flip_byte (path, 17);
  g_assert_cmpint (read_first (fs, node), ==, 4096);
  g_assert_cmpint (vtree_fs_status (fs, node, &status), ==, 0);
  g_assert_cmpuint (status.object_state, ==, 1);
}

static void
copy_file (const char *from, const char *to)
{
  g_autofree char *data = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (from, &data, &size, NULL));
  g_assert_true (g_file_set_contents (to, data, (gssize) size, NULL));
}

static void
test_corrupt_while_held (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  static const char *const names[] = { "data", "large" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = test_tree_object_path (&tree, names[i]);
    uint64_t node = node_of (&tree, names[i]);
    g_assert_cmpint (read_first (fs, node), ==, 4096);
    flip_byte (path, 4095);
    g_assert_cmpint (read_first (fs, node), ==, -EIO);
    flip_byte (path, 4095);
    g_assert_cmpint (read_first (fs, node), ==, 4096);
    /* Repaired by another file in its place while the bad one is held. */
    flip_byte (path, 4095);
    g_autofree char *copy = g_strconcat (path, ".good", NULL);
    copy_file (path, copy);
    flip_byte (copy, 4095);
    g_assert_cmpint (rename (copy, path), ==, 0);
    g_assert_cmpint (read_first (fs, node), ==, 4096);
    g_assert_cmpint (truncate (path, 100), ==, 0);
    g_assert_cmpint (read_first (fs, node), ==, -EIO);
  }
}

static void
test_missing_object (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  g_autofree char *path = test_tree_object_path (&tree, "dir/f003");
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (read_first (fs, node_of (&tree, "dir/f003")), ==, -EIO);
  g_assert_cmpint (vtree_fs_open (fs, node_of (&tree, "dir/f003"), NULL), ==, -EIO);
  g_assert_cmpint (read_first (fs, node_of (&tree, "dir/f004")), ==, 100);
  g_autofree char *log = test_tree_read_log (&tree);
  g_assert_nonnull (strstr (log, "/dir/f003: expected object sha256:"));
}

static void
test_open (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ .open_checked = true });
  g_autofree char *path = test_tree_object_path (&tree, "data");
  g_assert_cmpint (vtree_fs_open (fs, node_of (&tree, "data"), NULL), ==, 0);
  g_assert_cmpint (vtree_fs_open (fs, node_of (&tree, "empty"), NULL), ==, 0);
  g_assert_cmpint (vtree_fs_open (fs, 1, NULL), ==, -EISDIR);
  g_autoptr (VtreeFs) other = make_fs (&tree, (VtreeFsOptions){ .open_checked = true });
  flip_byte (path, TEST_DATA_SIZE - 1);
  g_assert_cmpint (vtree_fs_open (other, node_of (&tree, "data"), NULL), ==, -EIO);
}

static void
test_xattrs (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  uint64_t node = node_of (&tree, "xattr");
  char data[64] = "";
  g_assert_true (vtree_fs_has_xattrs (fs));
  g_assert_false (vtree_fs_has_acls (fs));
  g_assert_cmpint (vtree_fs_getxattr (fs, node, "user.b", NULL, 0), ==, 2);
  g_assert_cmpint (vtree_fs_getxattr (fs, node, "user.b", data, 1), ==, -ERANGE);
  g_assert_cmpint (vtree_fs_getxattr (fs, node, "user.b", data, 2), ==, 2);
  g_assert_cmpstr (data, ==, "22");
  g_assert_cmpint (vtree_fs_getxattr (fs, node, "user.c", data, 64), ==, -ENODATA);
  g_assert_cmpint (vtree_fs_getxattr (fs, node, "user.vtree.digest", data, 64), ==,
                   -ENODATA);
  g_assert_cmpint (vtree_fs_getxattr (fs, 1, "user.a", data, 64), ==, -ENODATA);
  g_assert_cmpint (vtree_fs_listxattr (fs, node, NULL, 0), ==, 14);
  g_assert_cmpint (vtree_fs_listxattr (fs, node, data, 13), ==, -ERANGE);
  g_assert_cmpint (vtree_fs_listxattr (fs, node, data, 64), ==, 14);
  g_assert_true (memcmp (data, "user.a\0user.b", 14) == 0);
  g_assert_cmpint (vtree_fs_listxattr (fs, 1, data, 64), ==, 0);
}

static char *
get_magic (VtreeFs *fs, uint64_t node, const char *name)
{
  char data[200];
  g_autofree char *full = g_strconcat ("user.vtree.", name, NULL);
  ssize_t got = vtree_fs_getxattr (fs, node, full, data, sizeof data);
  return got < 0 ? g_strdup (g_strerror ((int) -got)) : g_strndup (data, (gsize) got);
}

#define MANIFEST "abababababababababababababababababababababababababababababababab"

static void
test_magic (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ .magic = true });
  VtreeDigest digest;
  char text[VTREE_DIGEST_TEXT_MAX];
  g_assert_cmpint (vtree_fs_measure (fs, node_of (&tree, "xattr"), &digest), ==, 0);
  vtree_digest_format (&digest, text);
  const char *no_data = g_strerror (ENODATA);
  const struct {
    const char *path, *name, *value;
  } rows[] = {
    { "xattr", "digest", text },     { "", "digest", "sha256:" MANIFEST },
    { "dir", "digest", no_data },    { "dir", "ref", "app/x" },
    { "data", "version", "7" },      { "data", "key", KEY },
    { "data", "verity", "daemon" },  { "", "verity", "daemon" },
    { "empty", "verity", "daemon" }, { "data", "nonsense", no_data },
    { "data", "", no_data },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *got = get_magic (fs, node_of (&tree, rows[i].path), rows[i].name);
    g_assert_cmpstr (got, ==, rows[i].value);
  }
}

static void
test_measure (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  g_autofree uint8_t *data = g_malloc (TEST_DATA_SIZE);
  for (size_t i = 0; i < TEST_DATA_SIZE; i++)
    data[i] = test_tree_byte (i);
  VtreeVerityParams params
    = { .alg = VTREE_DIGEST_SHA256, .size = TEST_DATA_SIZE, .merkle_fd = -1 };
  VtreeDigest expected, got;
  g_assert_true (vtree_verity_compute_data (&params, data, &expected, NULL));
  g_assert_cmpint (vtree_fs_measure (fs, node_of (&tree, "data"), &got), ==, 0);
  vtree_test_assert_digest_equal (&got, &expected);
  g_assert_cmpint (vtree_fs_measure (fs, node_of (&tree, "empty"), &got), ==, 0);
  /* What `fsverity digest` says of an empty file. */
  vtree_test_assert_digest_text (
    &got, "sha256:3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95");
  g_assert_cmpint (vtree_fs_measure (fs, 1, &got), ==, -ENOTTY);
  g_assert_cmpint (vtree_fs_measure (fs, node_of (&tree, "fifo"), &got), ==, -ENOTTY);
  g_autoptr (VtreeFs) off
    = make_fs (&tree, (VtreeFsOptions){ .verity = VTREE_VERITY_OFF });
  g_assert_cmpint (vtree_fs_measure (off, node_of (&tree, "data"), &got), ==, -ENODATA);
}

static void
test_status (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  struct vtree_status status;
  vtree_fs_count (fs, VTREE_REQUEST_READ);
  vtree_fs_count (fs, VTREE_REQUEST_READ);
  vtree_fs_count (fs, VTREE_REQUEST_OTHER);
  g_assert_cmpint (read_first (fs, node_of (&tree, "data")), ==, 4096);
  g_assert_cmpint (read_first (fs, node_of (&tree, "link")), ==, 4096);
  g_assert_cmpint (vtree_fs_status (fs, node_of (&tree, "data"), &status), ==, 0);
  g_assert_cmpuint (status.struct_size, ==, sizeof status);
  g_assert_cmpuint (status.requests, ==, 3);
  g_assert_cmpuint (status.requests_read, ==, 2);
  g_assert_cmpuint (status.hits, ==, 1);
  g_assert_cmpuint (status.cached, ==, 1);
  g_assert_cmpuint (status.objects_daemon, ==, 1);
  g_assert_cmpuint (status.bytes_read, ==, 8192);
  g_assert_cmpuint (status.object_state, ==, 1);
  g_assert_cmpuint (status.object_enforcer, ==, VTREE_ENFORCER_DAEMON);
  g_assert_cmpuint (status.flags, ==, VTREE_STATUS_EXPIRED | VTREE_STATUS_HAS_XATTR);
  g_assert_cmpstr (status.ref, ==, "app/x");
  g_assert_cmpstr (status.manifest, ==, "sha256:" MANIFEST);
  g_assert_cmpint (vtree_fs_status (fs, 1, &status), ==, 0);
  g_assert_cmpstr (status.object, ==, "");
  g_assert_cmpint (vtree_fs_status (fs, UINT64_MAX, &status), ==, 0);
}

static void
test_statfs (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ 0 });
  struct statvfs st;
  g_assert_cmpint (vtree_fs_statfs (fs, &st), ==, 0);
  g_assert_cmpuint (st.f_files, ==, vtree_view_totals (tree.view)->inodes);
  g_assert_cmpuint (st.f_blocks, ==, 3 + 201 + TEST_FILES);
  g_assert_cmpuint (st.f_bavail, ==, 0);
  g_assert_cmpuint (st.f_namemax, ==, 255);
}

static void
test_bounded_descriptors (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ .descriptors = 4 });
  struct vtree_status status;
  for (unsigned i = 0; i < TEST_FILES; i++) {
    g_autofree char *path = g_strdup_printf ("dir/f%03u", i);
    g_assert_cmpint (read_first (fs, node_of (&tree, path)), ==, 100);
    g_assert_cmpint (vtree_fs_status (fs, 1, &status), ==, 0);
    g_assert_cmpuint (status.cached, <=, 4);
  }
  /* 26 different contents. */
  g_assert_cmpuint (status.objects_daemon, ==, TEST_FILES);
  g_assert_cmpint (read_first (fs, node_of (&tree, "large")), ==, 4096);
  g_assert_cmpint (read_first (fs, node_of (&tree, "data")), ==, 4096);
}

typedef struct {
  VtreeFs *fs;
  uint64_t first;
  uint32_t seed;
} Reader;

static gpointer
read_many (gpointer data)
{
  Reader *reader = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (reader->seed);
  for (unsigned i = 0; i < 500; i++) {
    unsigned n = (unsigned) g_rand_int_range (random, 0, TEST_FILES);
    char bytes[200];
    g_assert_cmpint (
      vtree_fs_read (reader->fs, reader->first + n, bytes, sizeof bytes, 0), ==, 100);
    g_assert_cmpint (bytes[99], ==, 'a' + (int) (n % 26));
  }
  return NULL;
}

static void
test_threads (void)
{
  g_auto (TestTree) tree;
  test_tree_init (&tree);
  g_autoptr (VtreeFs) fs = make_fs (&tree, (VtreeFsOptions){ .descriptors = 8 });
  Reader readers[6];
  GThread *threads[6];
  for (unsigned i = 0; i < 6; i++) {
    readers[i]
      = (Reader){ fs, node_of (&tree, "dir/f000"), (uint32_t) g_test_rand_int () };
    threads[i] = g_thread_new ("reader", read_many, &readers[i]);
  }
  for (unsigned i = 0; i < 6; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/fs/attributes", test_attributes);
  g_test_add_func ("/fuse/fs/owner-override", test_owner_override);
  g_test_add_func ("/fuse/fs/stale-nodes", test_stale_nodes);
  g_test_add_func ("/fuse/fs/lookup", test_lookup);
  g_test_add_func ("/fuse/fs/readlink", test_readlink);
  g_test_add_func ("/fuse/fs/readdir", test_readdir);
  g_test_add_func ("/fuse/fs/read", test_read);
  g_test_add_func ("/fuse/fs/corrupt-object", test_corrupt_object);
  g_test_add_func ("/fuse/fs/corrupt-while-held", test_corrupt_while_held);
  g_test_add_func ("/fuse/fs/missing-object", test_missing_object);
  g_test_add_func ("/fuse/fs/open", test_open);
  g_test_add_func ("/fuse/fs/xattrs", test_xattrs);
  g_test_add_func ("/fuse/fs/magic", test_magic);
  g_test_add_func ("/fuse/fs/measure", test_measure);
  g_test_add_func ("/fuse/fs/status", test_status);
  g_test_add_func ("/fuse/fs/statfs", test_statfs);
  g_test_add_func ("/fuse/fs/bounded-descriptors", test_bounded_descriptors);
  g_test_add_func ("/fuse/fs/threads", test_threads);
  return vtree_test_run ();
}
