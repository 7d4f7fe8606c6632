/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the options of a capture change. */
#include "manifest/acl.h"
#include "tests/unit/manifest/tree-fixture.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
  const char *name;
  const char *word;
  int64_t from, to;
  unsigned from_nsec, to_nsec;
} TimeRow;

static const TimeRow time_rows[] = {
  { "keep", "keep", 1234, 1234, 5, 5 },
  { "keep-before-1970", "keep", -1234, -1234, 5, 5 },
  { "epoch", "epoch", 1234, 0, 5, 0 },
  { "epoch-from-before", "epoch", -1234, 0, 5, 0 },
  { "clamp-later", "clamp:1000", 1234, 1000, 5, 0 },
  { "clamp-earlier", "clamp:1000", 999, 999, 5, 5 },
  { "clamp-same-second", "clamp:1000", 1000, 1000, 5, 0 },
  { "clamp-exact", "clamp:1000", 1000, 1000, 0, 0 },
  { "clamp-negative", "clamp:-10", 5, -10, 5, 0 },
  { "clamp-date", "clamp:1970-01-02T00:00:00Z", 100000, 86400, 5, 0 },
};

static void
test_time (gconstpointer data)
{
  const TimeRow *row = data;
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  tree_fixture_time (dir, "f", row->from, row->from_nsec);
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  g_autoptr (GError) error = NULL;
  vtree_capture_parse_mtime (row->word, &options, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  VtreeInode inode = tree_fixture_inode (manifest, "f");
  g_assert_cmpint (inode.mtime, ==, row->to);
  g_assert_cmpuint (inode.nsec, ==, row->to_nsec);
}

static void
test_owner (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  g_assert_cmpint (options.owner, ==,
                   geteuid () == 0 ? VTREE_OWNER_KEEP : VTREE_OWNER_FIXED);
  g_assert_true (vtree_capture_parse_owner ("keep", &options, NULL));
  g_autoptr (GBytes) kept = tree_fixture_capture_ok (dir, &options);
  g_assert_cmpuint (tree_fixture_inode (kept, "f").uid, ==, geteuid ());
  g_assert_true (vtree_capture_parse_owner ("root", &options, NULL));
  g_autoptr (GBytes) root = tree_fixture_capture_ok (dir, &options);
  g_assert_cmpuint (tree_fixture_inode (root, "f").uid, ==, 0);
  g_assert_cmpuint (tree_fixture_inode (root, "f").gid, ==, 0);
  g_assert_true (vtree_capture_parse_owner ("12:4294967294", &options, NULL));
  g_autoptr (GBytes) other = tree_fixture_capture_ok (dir, &options);
  g_assert_cmpuint (tree_fixture_inode (other, "f").uid, ==, 12);
  g_assert_cmpuint (tree_fixture_inode (other, "").gid, ==, 4294967294);
}

static void
test_default_owner_of_a_user (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  tree_fixture_text (dir, "f", "x");
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, NULL);
  tree_fixture_become_root (became);
  g_assert_cmpuint (tree_fixture_inode (manifest, "f").uid, ==, 0);
  g_assert_cmpuint (tree_fixture_inode (manifest, "f").gid, ==, 0);
}

/* user::rwx user:1000:rw- group::r-x group:50:r-- mask::rwx other::--x */
static const uint8_t acl[]
  = { 2,  0, 0, 0, 1,   0,   7,   0,   255, 255, 255, 255, 2,   0,   6,   0,  0xe8, 3,
      0,  0, 4, 0, 5,   0,   255, 255, 255, 255, 8,   0,   4,   0,   50,  0,  0,    0,
      16, 0, 7, 0, 255, 255, 255, 255, 32,  0,   1,   0,   255, 255, 255, 255 };

static void
test_owner_maps_acls (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_directory (dir, "d");
  tree_fixture_xattr (dir, "d", VTREE_ACL_ACCESS, acl, sizeof acl);
  tree_fixture_xattr (dir, "d", VTREE_ACL_DEFAULT, acl, sizeof acl);
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  g_assert_true (vtree_capture_parse_owner ("3:4", &options, NULL));
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  VtreeInode inode = tree_fixture_inode (manifest, "d");
  g_assert_cmpuint (inode.mode & 07777, ==, 0641);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  g_autoptr (GArray) xattrs = vtree_view_xattrs (view, &inode, NULL);
  g_assert_cmpuint (xattrs->len, ==, 1);
  g_autoptr (GByteArray) expected
    = vtree_acl_map_default ((VtreeSpan){ acl, sizeof acl }, 3, 4);
  VtreeSpan value = g_array_index (xattrs, VtreeXattr, 0).value;
  g_assert_cmpint (
    vtree_span_compare (value, (VtreeSpan){ expected->data, expected->len }), ==, 0);
}

typedef struct {
  const char *name;
  const char *word;     /* NULL: not given */
  const char *expected; /* names, comma-separated */
} XattrRow;

static const XattrRow xattr_rows[] = {
  { "default", NULL, "user.a,user.b.c" },
  { "none", "none", "" },
  { "nothing", "", "" },
  { "one", "user.a", "user.a" },
  { "pattern", "user.b*", "user.b.c" },
  { "default-but", "default,-user.a", "user.b.c" },
  { "last-decides", "-user.a,user.*", "user.a,user.b.c" },
  { "no-match", "security.*", "" },
};

static void
test_xattrs (gconstpointer data)
{
  const XattrRow *row = data;
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  tree_fixture_xattr (dir, "f", "user.a", "1", 1);
  tree_fixture_xattr (dir, "f", "user.b.c", "2", 1);
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) patterns = NULL;
  if (row->word != NULL) {
    patterns = vtree_capture_parse_xattrs (row->word, &error);
    g_assert_no_error (error);
    options.xattrs = (const char *const *) patterns;
  }
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeInode inode = tree_fixture_inode (manifest, "f");
  g_autoptr (GArray) xattrs = vtree_view_xattrs (view, &inode, NULL);
  g_autoptr (GString) names = g_string_new (NULL);
  for (guint i = 0; i < xattrs->len; i++) {
    VtreeSpan name = g_array_index (xattrs, VtreeXattr, i).name;
    g_string_append (names, i > 0 ? "," : "");
    g_string_append_len (names, (const char *) name.data, (gssize) name.size);
  }
  g_assert_cmpstr (names->str, ==, row->expected);
}

static void
test_exclude (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "keep/a.c", "x");
  tree_fixture_text (dir, "keep/a.o", "x");
  tree_fixture_text (dir, "keep/cache/deep/x", "x");
  tree_fixture_text (dir, "cache", "a file of that name");
  tree_fixture_text (dir, "top/x", "x");
  tree_fixture_text (dir, "keep/top/x", "x");
  tree_fixture_text (dir, "unreadable/x", "x");
  tree_fixture_mode (dir, "unreadable", 0);
  const char *patterns[] = { "*.o", "cache/", "/top", "unreadable", NULL };
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.exclude = patterns;
  bool became = tree_fixture_become_user (dir);
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  tree_fixture_become_root (became);
  g_assert_true (tree_fixture_has (manifest, "keep/a.c"));
  g_assert_false (tree_fixture_has (manifest, "keep/a.o"));
  g_assert_false (tree_fixture_has (manifest, "keep/cache"));
  g_assert_true (tree_fixture_has (manifest, "cache"));
  g_assert_false (tree_fixture_has (manifest, "top"));
  g_assert_true (tree_fixture_has (manifest, "keep/top/x"));
  g_assert_false (tree_fixture_has (manifest, "unreadable"));
  /* A hard link to what is left out is no link. */
  tree_fixture_link (dir, "keep/other.o", "keep/a.c");
  g_autoptr (GBytes) again = tree_fixture_capture_ok (dir, &options);
  g_assert_cmpuint (tree_fixture_inode (again, "keep/a.c").nlink, ==, 1);
}

/* In a mount namespace of its own: 0 where DIR/m, a file system of its own, is an empty
 * directory with its attributes in the manifest, and a whole one without the option. */
static int
capture_mount (const char *dir)
{
  g_autofree char *point = tree_fixture_path (dir, "m");
  if (unshare (CLONE_NEWNS) != 0
      || mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
      || mount ("none", point, "tmpfs", 0, "mode=0701") != 0)
    return 2;
  tree_fixture_text (dir, "m/inside", "x");
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  g_autoptr (GBytes) all = tree_fixture_capture_ok (dir, &options);
  options.one_file_system = true;
  g_autoptr (GBytes) one = tree_fixture_capture_ok (dir, &options);
  bool right = tree_fixture_has (all, "m/inside") && !tree_fixture_has (one, "m/inside")
               && (tree_fixture_inode (one, "m").mode & 07777) == 0701
               && tree_fixture_has (one, "beside/x");
  umount (point);
  return right ? 0 : 1;
}

static void
test_one_file_system (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can mount");
    return;
  }
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_directory (dir, "m");
  tree_fixture_text (dir, "beside/x", "x");
  pid_t pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    _exit (capture_mount (dir));
  int status;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == 2)
    vtree_test_skip ("no mounts in a namespace of one's own");
  else
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

typedef struct {
  const char *name;
  const char *option; /* "mtime", "owner", "xattrs" */
  const char *word;
} FaultRow;

static const FaultRow faults[] = {
  { "mtime-empty", "mtime", "" },
  { "mtime-unknown", "mtime", "now" },
  { "mtime-clamp-alone", "mtime", "clamp" },
  { "mtime-clamp-nothing", "mtime", "clamp:" },
  { "mtime-clamp-rubbish", "mtime", "clamp:12x" },
  { "mtime-clamp-huge", "mtime", "clamp:99999999999999999999" },
  { "owner-empty", "owner", "" },
  { "owner-name", "owner", "daemon:daemon" },
  { "owner-one", "owner", "5" },
  { "owner-three", "owner", "1:2:3" },
  { "owner-negative", "owner", "-1:0" },
  { "owner-none", "owner", "4294967295:0" },
  { "xattrs-none-and-more", "xattrs", "none,user.*" },
  { "xattrs-hole", "xattrs", "user.*,,user.a" },
  { "xattrs-dash", "xattrs", "-" },
};

static void
test_fault (gconstpointer data)
{
  const FaultRow *row = data;
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  VtreeCaptureOptions before = options;
  g_autoptr (GError) error = NULL;
  if (g_str_equal (row->option, "mtime"))
    g_assert_false (vtree_capture_parse_mtime (row->word, &options, &error));
  else if (g_str_equal (row->option, "owner"))
    g_assert_false (vtree_capture_parse_owner (row->word, &options, &error));
  else
    g_assert_null (vtree_capture_parse_xattrs (row->word, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, row->option);
  g_assert_cmpint (options.mtime, ==, before.mtime);
  g_assert_cmpint (options.mtime_clamp, ==, before.mtime_clamp);
  g_assert_cmpint (options.owner, ==, before.owner);
  g_assert_cmpuint (options.uid, ==, before.uid);
  g_assert_cmpuint (options.gid, ==, before.gid);
}

static void
add_row (const char *group, const char *name, gconstpointer row, GTestDataFunc test)
{
  g_autofree char *path
    = g_strconcat ("/manifest/capture-options/", group, "/", name, NULL);
  g_test_add_data_func (path, row, test);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (time_rows); i++)
    add_row ("time", time_rows[i].name, &time_rows[i], test_time);
  for (size_t i = 0; i < G_N_ELEMENTS (xattr_rows); i++)
    add_row ("xattrs", xattr_rows[i].name, &xattr_rows[i], test_xattrs);
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++)
    add_row ("faults", faults[i].name, &faults[i], test_fault);
  g_test_add_func ("/manifest/capture-options/owner", test_owner);
  g_test_add_func ("/manifest/capture-options/default-owner-of-a-user",
                   test_default_owner_of_a_user);
  g_test_add_func ("/manifest/capture-options/owner-maps-acls", test_owner_maps_acls);
  g_test_add_func ("/manifest/capture-options/exclude", test_exclude);
  g_test_add_func ("/manifest/capture-options/one-file-system", test_one_file_system);
  return vtree_test_run ();
}
