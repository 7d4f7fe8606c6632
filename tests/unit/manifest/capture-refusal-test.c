/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a capture refuses, and that it says so by name. */
#include "tests/unit/manifest/tree-fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
expect_refusal (const char *dir, const VtreeCaptureOptions *options, int code,
                const char *part)
{
  VtreeCaptureOptions defaults;
  vtree_capture_options_init (&defaults);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) manifest
    = tree_fixture_capture (dir, options != NULL ? options : &defaults, NULL, &error);
  g_assert_null (manifest);
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_unreadable (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  tree_fixture_text (dir, "a/fine", "x");
  tree_fixture_text (dir, "a/no\nread", "x");
  tree_fixture_mode (dir, "a/no\nread", 0);
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED,
                  "capture tree: a/no\\nread: Permission denied");
  tree_fixture_text (dir, "closed/x", "x");
  tree_fixture_mode (dir, "closed", 0);
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED, "; closed: Permission denied");
  tree_fixture_mode (dir, "closed", 0400);
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED, "; closed/x: Permission denied");
  tree_fixture_mode (dir, "closed", 0700);
  tree_fixture_become_root (became);
}

static void
test_many_unreadable (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  for (unsigned i = 0; i < 27; i++) {
    g_autofree char *name = g_strdup_printf ("d%u/f%u", i % 4, i);
    tree_fixture_text (dir, name, "x");
    tree_fixture_mode (dir, name, 0);
  }
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED, "; and 7 more");
  tree_fixture_become_root (became);
}

static void
test_reserved_xattr (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  tree_fixture_xattr (dir, "f", "user.vtree.digest", "forged", 6);
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED,
                  "f: its attribute user.vtree.digest is reserved");
  g_auto (GStrv) patterns = vtree_capture_parse_xattrs ("default,-user.vtree.*", NULL);
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.xattrs = (const char *const *) patterns;
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  g_assert_cmpuint (tree_fixture_inode (manifest, "f").xattrs, ==, 0);
}

static void
test_capability_of_a_namespace (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can set capabilities");
    return;
  }
  /* cap_net_raw+ep of the namespace whose root is uid 100000 */
  static const uint8_t revision_3[24]
    = { 1, 0, 0, 3, 0, 0x20, [20] = 0xa0, 0x86, 1, 0 };
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  tree_fixture_xattr (dir, "f", "security.capability", revision_3, sizeof revision_3);
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED,
                  "f: its capability belongs to a user namespace (revision 3); set it "
                  "again with setcap");
}

static void
test_repository_below (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_directory (dir, "var/repo");
  g_autofree char *repo = tree_fixture_path (dir, "var/repo");
  struct stat st;
  g_assert_cmpint (stat (repo, &st), ==, 0);
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.forbidden_dev = st.st_dev;
  options.forbidden_ino = st.st_ino;
  expect_refusal (dir, &options, VTREE_ERROR_INVALID, "--exclude=/var/repo");
  expect_refusal (repo, &options, VTREE_ERROR_INVALID, "it is the repository itself");
  const char *patterns[] = { "/var/repo", NULL };
  options.exclude = patterns;
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  g_assert_true (tree_fixture_has (manifest, "var"));
  g_assert_false (tree_fixture_has (manifest, "var/repo"));
}

static void
test_secrets (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.require_world_readable = true;
  tree_fixture_mode (dir, ".", 0755);
  tree_fixture_text (dir, "open", "x");
  tree_fixture_text (dir, "closed-but-empty", "");
  tree_fixture_mode (dir, "closed-but-empty", 0600);
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (dir, &options);
  tree_fixture_text (dir, "shadow", "x");
  tree_fixture_mode (dir, "shadow", 0640);
  expect_refusal (dir, &options, VTREE_ERROR_FAILED,
                  "capture tree: shadow: not readable by everybody");
  tree_fixture_mode (dir, "shadow", 0644);
  tree_fixture_text (dir, "private/deep/x", "x");
  tree_fixture_mode (dir, "private", 0754);
  expect_refusal (dir, &options, VTREE_ERROR_FAILED,
                  "capture tree: private/deep/x: not readable by everybody");
}

typedef struct {
  const char *path;
  atomic_bool stop;
  atomic_uint rounds;
} Appender;

/* Lets FILE grow until it is told to stop. */
static gpointer
append (gpointer data)
{
  Appender *appender = data;
  g_auto (VtreeFd) fd = open (appender->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  while (!atomic_load (&appender->stop)) {
    if (write (fd, "x", 1) == 1)
      atomic_fetch_add (&appender->rounds, 1);
  }
  return NULL;
}

static void
test_file_changes (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "log", "x");
  g_autofree char *path = tree_fixture_path (dir, "log");
  g_assert_cmpint (truncate (path, 64 << 20), ==, 0);
  Appender appender = { .path = path };
  GThread *thread = g_thread_new ("append", append, &appender);
  while (atomic_load (&appender.rounds) == 0)
    g_thread_yield ();
  expect_refusal (dir, NULL, VTREE_ERROR_FAILED,
                  "capture tree: log: it changed while it was read");
  atomic_store (&appender.stop, true);
  g_thread_join (thread);
}

typedef struct {
  const char *path;
  unsigned calls;
} Replacer;

/* Called in "d", when the walk has seen "f" and no worker has been given it. */
static void
replace_by_fifo (void *context, uint64_t files, uint64_t bytes)
{
  Replacer *replacer = context;
  (void) files;
  (void) bytes;
  if (replacer->calls++ != 1)
    return;
  g_assert_cmpint (unlink (replacer->path), ==, 0);
  g_assert_cmpint (mkfifo (replacer->path, 0644), ==, 0);
}

/* The repository is not to blame for what can't be read any more. */
static void
test_file_becomes_fifo (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  g_autofree char *path = tree_fixture_path (dir, "f");
  for (unsigned i = 0; i < 300; i++) {
    g_autofree char *name = g_strdup_printf ("d/%03u", i);
    tree_fixture_symlink (dir, name, "x");
  }
  for (unsigned i = 0; i < 100; i++) {
    g_autofree char *name = g_strdup_printf ("d/e/%03u", i);
    tree_fixture_text (dir, name, "x");
  }
  Replacer replacer = { .path = path };
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.progress = replace_by_fifo;
  options.progress_context = &replacer;
  expect_refusal (dir, &options, VTREE_ERROR_FAILED, "f: it changed while it was read");
}

/* Called when the walk has come to the first name of the top directory. */
static void
make_file (void *context, uint64_t files, uint64_t bytes)
{
  (void) bytes;
  if (files == 0)
    tree_fixture_text (context, "new", "x");
}

static void
test_directory_changes (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  /* Times have a granularity, but this one is long ago. */
  tree_fixture_time (dir, ".", 1000, 0);
  VtreeCaptureOptions options;
  vtree_capture_options_init (&options);
  options.progress = make_file;
  options.progress_context = dir;
  expect_refusal (dir, &options, VTREE_ERROR_FAILED,
                  "capture tree: .: it changed while it was read");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/capture-refusal/unreadable", test_unreadable);
  g_test_add_func ("/manifest/capture-refusal/many-unreadable", test_many_unreadable);
  g_test_add_func ("/manifest/capture-refusal/reserved-xattr", test_reserved_xattr);
  g_test_add_func ("/manifest/capture-refusal/capability-of-a-namespace",
                   test_capability_of_a_namespace);
  g_test_add_func ("/manifest/capture-refusal/repository-below", test_repository_below);
  g_test_add_func ("/manifest/capture-refusal/secrets", test_secrets);
  g_test_add_func ("/manifest/capture-refusal/file-changes", test_file_changes);
  g_test_add_func ("/manifest/capture-refusal/file-becomes-fifo",
                   test_file_becomes_fifo);
  g_test_add_func ("/manifest/capture-refusal/directory-changes",
                   test_directory_changes);
  return vtree_test_run ();
}
