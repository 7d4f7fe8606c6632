/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An update makes a directory equal, whatever had become of it, and no more than
 * that. */
#include "tests/unit/manifest/checkout-fixture.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
shell (const char *dir, const char *command)
{
  g_autofree char *quoted = g_shell_quote (dir);
  g_autofree char *line = g_strdup_printf ("cd %s && %s", quoted, command);
  const char *const argv[] = { "sh", "-p", "-c", line, NULL };
  g_auto (GStrv) copy = g_strdupv ((char **) (void *) argv);
  g_autoptr (GError) error = NULL;
  int status;
  g_spawn_sync (NULL, copy, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

/* What became of the directory, as a shell command in it, and how many inodes an update
 * has to make anew. */
typedef struct {
  const char *name;
  const char *command;
  unsigned made;
  bool root; /* needs root */
} Row;

static const Row rows[] = {
  { "nothing", "true", 0, false },
  { "content", "echo changed >a/file", 1, false },
  { "content-same-size-and-time",
    "printf 'T' | dd of=a/file conv=notrunc 2>&1 && "
    "touch -d @1000 a/file",
    1, false },
  { "mode", "chmod 600 a/file", 1, false },
  { "set-id", "chmod 6755 a/file", 1, false },
  { "owner", "chown 5 a/file", 1, true },
  { "group", "chgrp 5 a/file", 1, true },
  { "time", "touch -d @1001 a/file", 1, false },
  { "xattr-added", "setfattr -n user.new -v 1 a/file", 1, false },
  { "xattr-gone", "setfattr -x user.a a/marked", 1, false },
  { "xattr-changed", "setfattr -n user.a -v 2 a/marked", 1, false },
  { "acl-added", "setfacl -m u:5:r a/file", 1, false },
  { "capability-added", "setcap cap_net_raw+ep a/file", 1, true },
  { "missing", "rm a/file", 1, false },
  { "extra-file", "echo x >a/extra", 0, false },
  { "extra-tree", "mkdir -p a/x/y/z && echo x >a/x/y/z/f && ln -s / a/x/root", 0,
    false },
  { "extra-closed-tree", "mkdir -p a/x/y && echo x >a/x/y/f && chmod 0 a/x/y", 0,
    false },
  { "file-became-directory", "rm a/file && mkdir -p a/file/deep/er", 1, false },
  { "file-became-symlink", "rm a/file && ln -s ../b/one a/file", 1, false },
  { "file-became-fifo", "rm a/file && mkfifo a/file", 1, false },
  { "directory-became-file", "rm -r b && echo x >b", 5, false },
  { "directory-became-symlink", "mv b c && ln -s c b", 5, false },
  { "directory-is-closed", "chmod 0 a", 0, false },
  { "directory-has-default-acl", "setfacl -d -m u:5:rwx a && rm a/file", 1, false },
  { "directory-has-xattr", "setfattr -n user.x -v 1 b", 0, false },
  { "directory-gone", "rm -r b", 5, false },
  { "symlink-target", "ln -sfn elsewhere a/link", 1, false },
  { "symlink-became-file", "rm a/link && echo x >a/link", 1, false },
  { "fifo-mode", "chmod 600 a/fifo", 1, false },
  { "link-broken", "cp -a b/one b/new && mv b/new b/one", 1, false },
  { "link-missing", "rm b/two", 1, false },
  { "link-outside", "ln b/one outside", 1, false },
  { "links-changed", "echo x >b/one", 1, false },
  { "link-to-a-single", "ln a/file a/extra", 1, false },
  { "read-only", "chmod 444 a/file", 1, false },
  { "top-mode", "chmod 700 .", 0, false },
  { "killed-checkout",
    "mkdir .vtree-checkout.0123abcd && echo x "
    ">.vtree-checkout.0123abcd/t0",
    0, false },
};

/* Times long ago, so that a change is seen whatever the clock's granularity. */
static void
make_source (const char *dir)
{
  tree_fixture_text (dir, "a/file", "text");
  tree_fixture_text (dir, "a/marked", "text of another");
  tree_fixture_xattr (dir, "a/marked", "user.a", "1", 1);
  tree_fixture_symlink (dir, "a/link", "file");
  g_autofree char *fifo = tree_fixture_path (dir, "a/fifo");
  g_assert_cmpint (mkfifo (fifo, 0644), ==, 0);
  tree_fixture_file (dir, "b/one", 70000, 9);
  tree_fixture_link (dir, "b/two", "b/one");
  tree_fixture_file (dir, "b/deep/three", 5000, 9);
  tree_fixture_symlink (dir, "b/deep/link", "three");
  tree_fixture_text (dir, "empty", "");
  shell (dir, "find . -depth | xargs touch -h -d @1000");
}

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  if (row->root && geteuid () != 0) {
    vtree_test_skip ("only root can do that to a file");
    return;
  }
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  shell (target, row->command);
  fixture.checkout.update = true;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.files, ==, row->made);
  checkout_fixture_rsync (dir, target);
}

static void
test_row_as_user (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  test_row (row);
  tree_fixture_become_root (became);
}

static void
test_keeps_inodes (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  g_autofree char *file = tree_fixture_path (target, "b/deep/three");
  struct stat before, after;
  g_assert_cmpint (stat (file, &before), ==, 0);
  shell (target, "rm a/file; rm b/two");
  fixture.checkout.update = true;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpint (stat (file, &after), ==, 0);
  g_assert_cmpuint (before.st_ino, ==, after.st_ino);
  g_assert_cmpint (before.st_ctim.tv_nsec, ==, after.st_ctim.tv_nsec);
  g_assert_cmpuint (fixture.report.kept, ==, 6);
}

static void
test_missing_target_is_made (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  fixture.checkout.update = true;
  checkout_fixture_get (&fixture, manifest, target);
}

/* Through a symlink in a directory's place nothing outside is touched. */
static void
test_symlinks_lead_nowhere (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *outside = vtree_test_make_dir ();
  tree_fixture_text (outside, "file", "precious");
  tree_fixture_text (outside, "other", "precious");
  g_autoptr (GBytes) before = tree_fixture_capture_ok (outside, &fixture.capture);
  g_autofree char *target = vtree_test_make_dir ();
  tree_fixture_symlink (target, "a", outside);
  tree_fixture_symlink (target, "gone", outside);
  fixture.checkout.update = true;
  checkout_fixture_get (&fixture, manifest, target);
  g_autoptr (GBytes) after = tree_fixture_capture_ok (outside, &fixture.capture);
  g_assert_true (g_bytes_equal (before, after));
}

/* A failure leaves old files or new ones, whole, and no litter. */
static void
test_failure (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  tree_fixture_text (target, "b/one", "old");
  VtreeInode inode = tree_fixture_inode (manifest, "b/one");
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeDigest digest;
  uint64_t size;
  g_assert_true (vtree_view_object (view, inode.object, &digest, &size, NULL));
  g_assert_true (vtree_store_remove (fixture.store, &digest, NULL));
  fixture.checkout.update = true;
  g_autoptr (GError) error = NULL;
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "b/one: ");
  g_autofree char *file = tree_fixture_path (target, "b/one");
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "old");
  shell (target, "! ls -a | grep vtree-checkout");
}

/* In a mount namespace of its own: 0 where a mount point in the way is an error, and
 * what is mounted there stays. */
static int
update_over_mount (const char *target, CheckoutFixture *fixture, GBytes *manifest)
{
  g_autofree char *point = tree_fixture_path (target, "b");
  if (unshare (CLONE_NEWNS) != 0
      || mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
      || mount ("none", point, "tmpfs", 0, NULL) != 0)
    return 2;
  tree_fixture_text (target, "b/precious", "x");
  g_autoptr (GError) error = NULL;
  bool ok = checkout_fixture_try (fixture, manifest, target, &error);
  g_autofree char *precious = tree_fixture_path (target, "b/precious");
  bool stays = access (precious, F_OK) == 0;
  bool named = error != NULL && strstr (error->message, " b:") != NULL;
  umount (point);
  return !ok && stays && named ? 0 : 1;
}

static void
check_mount (bool in_tree)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can mount");
    return;
  }
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  if (!in_tree)
    shell (dir, "rm -r b");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  shell (target, "mkdir -p b");
  fixture.checkout.update = true;
  pid_t pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    _exit (update_over_mount (target, &fixture, manifest));
  int status;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == 2)
    vtree_test_skip ("no mounts in a namespace of one's own");
  else
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static void
test_mount_point_in_the_tree (void)
{
  check_mount (true);
}

static void
test_mount_point_to_remove (void)
{
  check_mount (false);
}

/* From any tree to any other. */
static void
make_random (const char *dir)
{
  unsigned count = (unsigned) g_test_rand_int_range (5, 60);
  for (unsigned i = 0; i < count; i++) {
    unsigned n = (unsigned) g_test_rand_int_range (0, 40);
    g_autofree char *name = g_strdup_printf ("d%u/e%u", n % 4, n);
    g_autofree char *full = tree_fixture_path (dir, name);
    struct stat st;
    if (lstat (full, &st) == 0)
      continue;
    switch (g_test_rand_int_range (0, 5)) {
    case 0:
      tree_fixture_symlink (dir, name, "x");
      break;
    case 1:
      tree_fixture_directory (dir, name);
      break;
    default:
      tree_fixture_file (dir, name, n * 100, n);
      tree_fixture_time (dir, name, n % 3, 0);
      g_autofree char *other = g_strconcat (name, "-link", NULL);
      if (g_test_rand_bit ())
        tree_fixture_link (dir, other, name);
    }
  }
}

static void
test_random (void)
{
  g_auto (CheckoutFixture) fixture;
  checkout_fixture_init (&fixture);
  g_autofree char *target = vtree_test_make_dir ();
  fixture.checkout.update = true;
  for (unsigned round = 0; round < 30; round++) {
    g_autofree char *dir = vtree_test_make_dir ();
    make_random (dir);
    g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
    checkout_fixture_get (&fixture, manifest, target);
    checkout_fixture_get (&fixture, manifest, target);
    g_assert_cmpuint (fixture.report.files, ==, 0);
  }
}

static void
add_row (const char *group, const Row *row, GTestDataFunc test)
{
  g_autofree char *path
    = g_strconcat ("/manifest/checkout-update/", group, "/", row->name, NULL);
  g_test_add_data_func (path, row, test);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    add_row ("from", &rows[i], test_row);
    if (geteuid () == 0 && !rows[i].root)
      add_row ("as-user-from", &rows[i], test_row_as_user);
  }
  g_test_add_func ("/manifest/checkout-update/keeps-inodes", test_keeps_inodes);
  g_test_add_func ("/manifest/checkout-update/missing-target-is-made",
                   test_missing_target_is_made);
  g_test_add_func ("/manifest/checkout-update/symlinks-lead-nowhere",
                   test_symlinks_lead_nowhere);
  g_test_add_func ("/manifest/checkout-update/failure", test_failure);
  g_test_add_func ("/manifest/checkout-update/mount-point-in-the-tree",
                   test_mount_point_in_the_tree);
  g_test_add_func ("/manifest/checkout-update/mount-point-to-remove",
                   test_mount_point_to_remove);
  g_test_add_func ("/manifest/checkout-update/random", test_random);
  return vtree_test_run ();
}
