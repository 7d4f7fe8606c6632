/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory full of traps, and what opening each of them says.
 */
#include "core/beneath.h"
#include "core/error.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
  char *path; /* of the directory that things are opened beneath */
  VtreeFd fd;
} Fixture;

static void
make_file (int dirfd, const char *name, const char *text)
{
  g_auto (VtreeFd) fd
    = openat (dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_fd_pwrite (fd, text, strlen (text), 0, &error));
}

static void
make_socket (const char *directory)
{
  g_auto (VtreeFd) fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_snprintf (address.sun_path, sizeof address.sun_path, "%s/socket", directory);
  g_assert_cmpint (bind (fd, (const struct sockaddr *) &address, sizeof address), ==,
                   0);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autofree char *above = vtree_test_make_dir ();
  g_auto (VtreeFd) above_fd = open (above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  make_file (above_fd, "secret", "secret");
  g_assert_cmpint (mkdirat (above_fd, "top", 0700), ==, 0);
  fixture->path = g_build_filename (above, "top", NULL);
  fixture->fd = open (fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (mkdirat (fixture->fd, "dir", 0700), ==, 0);
  make_file (fixture->fd, "dir/file", "contents");
  make_file (fixture->fd, "empty", "");
  g_assert_cmpint (symlinkat ("dir/file", fixture->fd, "link"), ==, 0);
  g_assert_cmpint (symlinkat ("dir", fixture->fd, "dirlink"), ==, 0);
  g_assert_cmpint (symlinkat ("../secret", fixture->fd, "out"), ==, 0);
  g_assert_cmpint (symlinkat ("nowhere", fixture->fd, "dangling"), ==, 0);
  g_assert_cmpint (symlinkat ("/proc/self/exe", fixture->fd, "magic"), ==, 0);
  g_assert_cmpint (mkfifoat (fixture->fd, "fifo", 0600), ==, 0);
  make_socket (fixture->path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_free (fixture->path);
  vtree_fd_close (fixture->fd);
}

static void
test_regular_file (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = -1;
  struct stat st;
  g_assert_true (vtree_beneath_open_file (fixture->fd, "dir/file", &fd, &st, &error));
  g_assert_no_error (error);
  g_assert_cmpint (st.st_size, ==, 8);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
}

static void
test_missing_is_no_error (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  const char *const names[] = { "nothing", "dir/nothing", "nothing/nothing" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    VtreeFd fd = 77;
    GBytes *bytes = (GBytes *) fixture;
    g_assert_true (vtree_beneath_open_file (fixture->fd, names[i], &fd, NULL, &error));
    g_assert_cmpint (fd, ==, -1);
    fd = 77;
    g_assert_true (vtree_beneath_open_directory (fixture->fd, names[i], &fd, &error));
    g_assert_cmpint (fd, ==, -1);
    g_assert_true (vtree_beneath_load (fixture->fd, names[i], 10, &bytes, &error));
    g_assert_null (bytes);
  }
  g_assert_cmpint (vtree_beneath_open (fixture->fd, "nothing", O_RDONLY, 0, &error), ==,
                   -1);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOENT, "nothing");
}

static const struct {
  const char *name; /* of the test */
  const char *path; /* none is a regular file, or beneath */
} traps[] = {
  { "symlink", "link" },
  { "symlink-in-between", "dirlink/file" },
  { "symlink-outside", "out" },
  { "dangling", "dangling" },
  { "magic-link", "magic" },
  { "parent", "../secret" },
  { "parent-in-between", "dir/../../secret" },
  { "absolute", "/etc/passwd" },
  { "fifo", "fifo" },
  { "socket", "socket" },
  { "directory", "dir" },
  { "file-as-directory", "empty/x" },
};

static void
test_trap (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  VtreeFd fd = 77;
  g_assert_false (vtree_beneath_open_file (
    fixture->fd, traps[GPOINTER_TO_SIZE (data)].path, &fd, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "not a regular file");
  g_assert_cmpint (fd, ==, 77);
}

static void
test_device (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = -1;
  /* major 0 has no driver; the other is /dev/zero */
  if (mknodat (fixture->fd, "zero", S_IFCHR | 0600, makedev (1, 5)) < 0
      || mknodat (fixture->fd, "none", S_IFCHR | 0600, makedev (0, 77)) < 0) {
    vtree_test_skip ("device nodes need root");
    return;
  }
  const char *const names[] = { "zero", "none" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_false (vtree_beneath_open_file (fixture->fd, names[i], &fd, NULL, &error));
    g_assert_nonnull (error);
    g_clear_error (&error);
  }
}

/* A mount point is outside for root: RESOLVE_NO_XDEV. */
static void
test_other_filesystem (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root may not cross mounts");
    return;
  }
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) root = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  VtreeFd fd;
  g_assert_false (
    vtree_beneath_open_file (root, "proc/self/status", &fd, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
}

static void
test_directory (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = -1;
  g_assert_true (vtree_beneath_open_directory (fixture->fd, "dir", &fd, &error));
  g_assert_cmpint (fd, >=, 0);
  const char *const wrong[] = { "empty", "dirlink", "..", "/", "fifo" };
  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++) {
    VtreeFd none;
    g_assert_false (
      vtree_beneath_open_directory (fixture->fd, wrong[i], &none, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                             "not a directory");
    g_clear_error (&error);
  }
}

static void
test_create (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  int flags = O_WRONLY | O_CREAT | O_EXCL;
  g_auto (VtreeFd) fd
    = vtree_beneath_open (fixture->fd, "dir/new", flags, 0640, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0137, ==, 0);
  g_assert_cmpint (vtree_beneath_open (fixture->fd, "dangling", flags, 0600, &error),
                   ==, -1);
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_cmpint (vtree_beneath_open (fixture->fd, "../new", flags, 0600, &error), ==,
                   -1);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EXDEV, "../new");
  g_auto (VtreeFd) path = vtree_beneath_open (fixture->fd, "dir", O_PATH, 0, NULL);
  g_assert_cmpint (path, >=, 0);
}

static void
test_make_directory (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  const char *const paths[] = { "a", "a/b/c", "dir/d", "dir" };
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_auto (VtreeFd) fd
      = vtree_beneath_make_directory (fixture->fd, paths[i], 0700, &error);
    g_assert_no_error (error);
    struct stat made, there;
    g_assert_cmpint (fstat (fd, &made), ==, 0);
    g_assert_cmpint (fstatat (fixture->fd, paths[i], &there, AT_SYMLINK_NOFOLLOW), ==,
                     0);
    g_assert_cmpuint (made.st_ino, ==, there.st_ino);
  }
}

static const struct {
  const char *name;
  const char *path;
  VtreeErrorCode code;
} bad_directories[] = {
  { "empty", "", VTREE_ERROR_INVALID },
  { "absolute", "/a", VTREE_ERROR_INVALID },
  { "double-slash", "a//b", VTREE_ERROR_INVALID },
  { "trailing-slash", "a/", VTREE_ERROR_INVALID },
  { "dot", "a/./b", VTREE_ERROR_INVALID },
  { "parent", "a/../../b", VTREE_ERROR_INVALID },
  { "symlink", "dirlink/a", VTREE_ERROR_CORRUPT },
  { "symlink-outside", "out/a", VTREE_ERROR_CORRUPT },
  { "dangling", "dangling", VTREE_ERROR_CORRUPT },
  { "file", "empty/a", VTREE_ERROR_CORRUPT },
};

static void
test_bad_directory (Fixture *fixture, gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (
    vtree_beneath_make_directory (fixture->fd, bad_directories[row].path, 0700, &error),
    ==, -1);
  vtree_test_assert_error (error, VTREE_ERROR, (int) bad_directories[row].code, NULL);
}

static void
test_load (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) nothing = NULL;
  g_assert_true (vtree_beneath_load (fixture->fd, "dir/file", 8, &bytes, &error));
  vtree_test_assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                           "contents", 8);
  g_assert_true (vtree_beneath_load (fixture->fd, "empty", 0, &nothing, &error));
  g_assert_cmpuint (g_bytes_get_size (nothing), ==, 0);
  GBytes *none;
  g_assert_false (vtree_beneath_load (fixture->fd, "dir/file", 7, &none, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "dir/file");
  g_clear_error (&error);
  g_assert_false (vtree_beneath_load (fixture->fd, "link", 8, &none, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "link");
}

static void
add (const char *name, size_t row, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/core/beneath/", name, NULL);
  g_test_add (path, Fixture, GSIZE_TO_POINTER (row), set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("regular-file", 0, test_regular_file);
  add ("missing", 0, test_missing_is_no_error);
  for (size_t i = 0; i < G_N_ELEMENTS (traps); i++) {
    g_autofree char *name = g_strconcat ("trap/", traps[i].name, NULL);
    add (name, i, test_trap);
  }
  add ("trap/device", 0, test_device);
  g_test_add_func ("/core/beneath/trap/other-filesystem", test_other_filesystem);
  add ("directory", 0, test_directory);
  add ("create", 0, test_create);
  add ("make-directory", 0, test_make_directory);
  for (size_t i = 0; i < G_N_ELEMENTS (bad_directories); i++) {
    g_autofree char *name
      = g_strconcat ("make-directory/", bad_directories[i].name, NULL);
    add (name, i, test_bad_directory);
  }
  add ("load", 0, test_load);
  return vtree_test_run ();
}
