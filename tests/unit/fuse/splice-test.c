/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/splice.h"

#include "core/fd.h"
#include "core/temporary.h"
#include "tests/lib/test.h"
#include "tests/unit/fuse/tree.h"

#include <fcntl.h>
#include <unistd.h>

#define SIZE ((size_t) 256 * 1024)

static int
make_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *data = g_malloc (SIZE);
  int fd = vtree_temporary_file (&error);
  for (size_t i = 0; i < SIZE; i++)
    data[i] = test_tree_byte (i);
  g_assert_true (vtree_fd_pwrite (fd, data, SIZE, 0, &error));
  return fd;
}

/* Takes SIZE bytes out of PIPE, which are those from OFFSET on, and no more. */
static void
assert_has (const VtreePipe *pipe, size_t size, size_t offset)
{
  g_autofree uint8_t *data = g_malloc (size + 1);
  g_assert_cmpint (read (pipe->read_fd, data, size + 1), ==, (ssize_t) size);
  for (size_t i = 0; i < size; i++)
    g_assert_cmpuint (data[i], ==, test_tree_byte (offset + i));
}

static void
test_fills (void)
{
  static const struct {
    size_t size, offset;
  } rows[] = { { 128 * 1024, 0 },
               { 128 * 1024, 4096 },
               { 64 * 1024 + 1, SIZE - 64 * 1024 - 1 },
               { SIZE, 0 },
               { 1, SIZE - 1 } };
  g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
  g_auto (VtreeFd) fd = make_file ();
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    VtreePipe *pipe = vtree_pipes_get (pipes, rows[i].size + 4096);
    g_assert_true (vtree_pipe_fill (pipe, fd, rows[i].size, rows[i].offset));
    assert_has (pipe, rows[i].size, rows[i].offset);
    vtree_pipes_put (pipes, pipe, true);
  }
}

static void
test_file_too_short (void)
{
  static const size_t ends[] = { 0, 1, 4096, 65536, 65537, 131071 };
  g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
  g_auto (VtreeFd) fd = make_file ();
  for (size_t i = G_N_ELEMENTS (ends); i-- > 0;) {
    g_assert_cmpint (ftruncate (fd, (off_t) ends[i]), ==, 0);
    VtreePipe *pipe = vtree_pipes_get (pipes, 131072);
    g_assert_false (vtree_pipe_fill (pipe, fd, 131072, 0));
    vtree_pipes_put (pipes, pipe, false);
  }
}

static void
test_no_file (void)
{
  g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
  g_auto (VtreeFd) fd = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  VtreePipe *pipe = vtree_pipes_get (pipes, 131072);
  g_assert_false (vtree_pipe_fill (pipe, fd, 131072, 0));
  vtree_pipes_put (pipes, pipe, false);
}

/* What a failed reply left behind would be the beginning of the next one. */
static void
test_rest_of_another (void)
{
  g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
  g_auto (VtreeFd) fd = make_file ();
  VtreePipe *pipe = vtree_pipes_get (pipes, SIZE);
  g_assert_true (vtree_pipe_fill (pipe, fd, 4096, 0));
  g_assert_false (vtree_pipe_fill (pipe, fd, 4096, 4096));
  vtree_pipes_put (pipes, pipe, true);
  pipe = vtree_pipes_get (pipes, SIZE);
  g_assert_false (vtree_pipe_fill (pipe, fd, 4096, 0));
  vtree_pipes_put (pipes, pipe, false);
  pipe = vtree_pipes_get (pipes, SIZE);
  g_assert_true (vtree_pipe_fill (pipe, fd, 4096, 0));
  vtree_pipes_put (pipes, pipe, false);
}

static void
test_used_again (void)
{
  g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
  VtreePipe *a = vtree_pipes_get (pipes, 4096);
  VtreePipe *b = vtree_pipes_get (pipes, 4096);
  g_assert_true (a != b);
  vtree_pipes_put (pipes, a, true);
  vtree_pipes_put (pipes, b, true);
  VtreePipe *again = vtree_pipes_get (pipes, 131072);
  g_assert_true (again == a);
  g_assert_cmpuint (again->room, >=, 131072);
  vtree_pipes_put (pipes, again, true);
}

static void
test_absurd_size (void)
{
  g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
  g_assert_null (vtree_pipes_get (pipes, (size_t) 1 << 40));
}

/* Only what the daemon does not have to verify goes this way. */
static void
test_of_a_file_system (void)
{
  static const struct {
    const char *name;
    VtreeVerityPolicy verity;
    bool goes;
  } rows[] = { { "large", VTREE_VERITY_AUTO, false },
               { "large", VTREE_VERITY_OFF, true },
               { "empty", VTREE_VERITY_OFF, false },
               { "dir", VTREE_VERITY_OFF, false } };
  g_auto (TestTree) tree = { 0 };
  test_tree_init (&tree);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    const VtreeFsIdentity identity = { .ref = "", .key = "", .source = "" };
    const VtreeFsOptions options = { .verity = rows[i].verity, .descriptors = 16 };
    g_autoptr (VtreeFs) fs
      = vtree_fs_new (tree.view, tree.store, tree.log, &identity, &options);
    g_autoptr (VtreePipes) pipes = vtree_pipes_new (1);
    uint64_t node = (uint64_t) test_tree_inode (&tree, rows[i].name).index + 1;
    size_t got = 0;
    VtreePipe *pipe = vtree_fs_splice (fs, node, pipes, 131072, 4096, &got);
    g_assert_cmpint (pipe != NULL, ==, rows[i].goes);
    if (pipe == NULL)
      continue;
    g_assert_cmpuint (got, ==, 131072);
    assert_has (pipe, got, 4096);
    vtree_pipes_put (pipes, pipe, true);
    g_assert_null (vtree_fs_splice (fs, node, pipes, 131072, TEST_LARGE_SIZE, &got));
    g_autofree char *path = test_tree_object_path (&tree, "large");
    g_assert_cmpint (chmod (path, 0644) | truncate (path, 100000), ==, 0);
    g_assert_null (vtree_fs_splice (fs, node, pipes, 131072, 4096, &got));
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/splice/fills", test_fills);
  g_test_add_func ("/fuse/splice/file-too-short", test_file_too_short);
  g_test_add_func ("/fuse/splice/no-file", test_no_file);
  g_test_add_func ("/fuse/splice/rest-of-another", test_rest_of_another);
  g_test_add_func ("/fuse/splice/used-again", test_used_again);
  g_test_add_func ("/fuse/splice/absurd-size", test_absurd_size);
  g_test_add_func ("/fuse/splice/of-a-file-system", test_of_a_file_system);
  return vtree_test_run ();
}
