/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "manifest/trail.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 3000

static int
open_dir (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static VtreeTrail *
new_trail (const char *path, VtreeTrailFlags flags)
{
  g_auto (VtreeFd) fd = open_dir (path);
  g_autoptr (GError) error = NULL;
  VtreeTrail *trail = vtree_trail_new (fd, flags, &error);
  g_assert_no_error (error);
  return trail;
}

static void
go_down (VtreeTrail *trail, unsigned levels)
{
  for (unsigned i = 0; i < levels; i++) {
    g_autoptr (GError) error = NULL;
    g_assert_cmpint (mkdirat (vtree_trail_fd (trail), "d", 0700), ==, 0);
    vtree_trail_push (trail, "d", NULL, &error);
    g_assert_no_error (error);
  }
}

static void
go_up (VtreeTrail *trail, bool remove)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeHandle) left = vtree_trail_pop (trail, &error);
  g_assert_no_error (error);
  if (remove)
    g_assert_cmpint (unlinkat (vtree_trail_fd (trail), "d", AT_REMOVEDIR), ==, 0);
}

static unsigned
lowest_free_descriptor (void)
{
  g_auto (VtreeFd) fd = dup (0);
  g_assert_cmpint (fd, >=, 0);
  return (unsigned) fd;
}

static void
test_deep_keeps_few_open (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  unsigned before = lowest_free_descriptor ();
  g_autoptr (VtreeTrail) trail = new_trail (dir, 0);
  go_down (trail, DEPTH);
  g_assert_cmpuint (lowest_free_descriptor (), <=, before + VTREE_TRAIL_OPEN + 1);
  g_assert_cmpuint (vtree_trail_depth (trail), ==, DEPTH);
  g_autofree char *path = vtree_trail_path (trail, "x");
  g_assert_cmpuint (strlen (path), ==, 2 * DEPTH + 1);
  struct stat top, end;
  for (unsigned i = 0; i < DEPTH; i++)
    go_up (trail, true);
  g_assert_cmpint (stat (dir, &top), ==, 0);
  g_assert_cmpint (fstat (vtree_trail_fd (trail), &end), ==, 0);
  g_assert_cmpuint (top.st_ino, ==, end.st_ino);
}

static void
test_follows_no_symlink (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_assert_cmpint (symlink ("/tmp", link), ==, 0);
  g_autoptr (VtreeTrail) trail = new_trail (dir, 0);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_trail_push (trail, "link", NULL, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOTDIR, "link");
  g_assert_cmpuint (vtree_trail_depth (trail), ==, 0);
}

/* The way back goes through ".." only as long as it leads to where we came from. */
static void
test_notices_a_move (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *other = vtree_test_make_dir ();
  g_autoptr (VtreeTrail) trail = new_trail (dir, 0);
  go_down (trail, 2);
  g_autofree char *from = g_build_filename (dir, "d", "d", NULL);
  g_autofree char *to = g_build_filename (other, "moved", NULL);
  go_down (trail, VTREE_TRAIL_OPEN);
  g_assert_cmpint (rename (from, to), ==, 0);
  for (unsigned i = 0; i < VTREE_TRAIL_OPEN; i++)
    go_up (trail, false);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_trail_pop (trail, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "moved meanwhile");
}

static void
test_one_mount (void)
{
  g_autoptr (VtreeTrail) trail = new_trail ("/", VTREE_TRAIL_ONE_MOUNT);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_trail_push (trail, "proc", NULL, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EXDEV, "proc");
  g_clear_error (&error);
  struct stat st;
  vtree_trail_push (trail, "usr", &st, &error);
  g_assert_no_error (error);
  g_assert_true (S_ISDIR (st.st_mode));
}

static void
test_handle_outlives_the_trail (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  VtreeTrail *trail = new_trail (dir, VTREE_TRAIL_NO_ATIME);
  g_autoptr (VtreeHandle) handle = vtree_handle_ref (vtree_trail_peek (trail));
  vtree_trail_free (trail);
  struct stat st;
  g_assert_cmpint (fstat (vtree_handle_fd (handle), &st), ==, 0);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/trail/deep-keeps-few-open", test_deep_keeps_few_open);
  g_test_add_func ("/manifest/trail/follows-no-symlink", test_follows_no_symlink);
  g_test_add_func ("/manifest/trail/notices-a-move", test_notices_a_move);
  g_test_add_func ("/manifest/trail/one-mount", test_one_mount);
  g_test_add_func ("/manifest/trail/handle-outlives-the-trail",
                   test_handle_outlives_the_trail);
  return vtree_test_run ();
}
