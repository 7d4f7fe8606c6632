/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/beneath.h"
#include "core/error.h"
#include "core/publish.h"
#include "tests/lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  VtreeFd fd;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autofree char *path = vtree_test_make_dir ();
  fixture->fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (mkdirat (fixture->fd, "sub", 0700), ==, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  vtree_fd_close (fixture->fd);
}

static bool
publish (Fixture *fixture, const char *name, const char *text, VtreePublishFlags flags,
         GError **error)
{
  return vtree_publish (fixture->fd, name, text, strlen (text), 0640, flags, error);
}

static void
assert_contents (Fixture *fixture, const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_assert_true (vtree_beneath_load (fixture->fd, name, 1000, &bytes, &error));
  g_assert_no_error (error);
  vtree_test_assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                           text, strlen (text));
}

/* Names in the directory DIR, "." and ".." aside. */
static unsigned
count_names (Fixture *fixture, const char *dir)
{
  unsigned count = 0;
  DIR *stream
    = fdopendir (openat (fixture->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  g_assert_nonnull (stream);
  for (const struct dirent *entry; (entry = readdir (stream)) != NULL;)
    count += strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0;
  closedir (stream);
  return count;
}

static void
test_replaces (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_true (publish (fixture, "sub/x", "one", VTREE_PUBLISH_REPLACE, &error));
  assert_contents (fixture, "sub/x", "one");
  g_assert_true (publish (fixture, "sub/x", "", VTREE_PUBLISH_REPLACE, &error));
  assert_contents (fixture, "sub/x", "");
  g_assert_cmpuint (count_names (fixture, "sub"), ==, 1);
}

static void
test_exclusive (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_true (publish (fixture, "x", "one", VTREE_PUBLISH_EXCLUSIVE, &error));
  g_assert_false (publish (fixture, "x", "two", VTREE_PUBLISH_EXCLUSIVE, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EEXIST, "publish x");
  assert_contents (fixture, "x", "one");
  g_assert_cmpuint (count_names (fixture, "."), ==, 2);
}

static void
test_mode_is_exact (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  mode_t saved = umask (077);
  bool ok
    = vtree_publish (fixture->fd, "x", "y", 1, 0644, VTREE_PUBLISH_REPLACE, &error);
  umask (saved);
  g_assert_true (ok);
  struct stat st;
  g_assert_cmpint (fstatat (fixture->fd, "x", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0644);
}

static void
test_syncs (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  vtree_test_fault_clear ();
  g_assert_true (publish (fixture, "x", "one", VTREE_PUBLISH_REPLACE, &error));
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_SYNC), ==, 2);
  g_assert_true (publish (fixture, "x", "two", VTREE_PUBLISH_NO_SYNC, &error));
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_SYNC), ==, 2);
  vtree_test_fault_clear ();
}

static const struct {
  const char *name;
  VtreeTestCall call;
  unsigned count;
  int errnum;
  const char *stays; /* the contents afterwards */
} faults[] = {
  { "full-disk", VTREE_TEST_WRITE, 0, ENOSPC, "old" },
  { "write-fails", VTREE_TEST_WRITE, 0, EIO, "old" },
  { "sync-fails", VTREE_TEST_SYNC, 0, EIO, "old" },
  { "sync-of-the-directory-fails", VTREE_TEST_SYNC, 1, EIO, "new" },
};

static void
test_fault (Fixture *fixture, gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  g_assert_true (publish (fixture, "x", "old", VTREE_PUBLISH_REPLACE, &error));
  vtree_test_fault_clear ();
  vtree_test_fault_fail (faults[row].call, faults[row].count, faults[row].errnum);
  g_assert_false (publish (fixture, "x", "new", VTREE_PUBLISH_REPLACE, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, faults[row].errnum, "x");
  assert_contents (fixture, "x", faults[row].stays);
  g_assert_cmpuint (count_names (fixture, "."), ==, 2);
}

static const struct {
  const char *name;
  const char *path;
} bad[] = {
  { "parent", "../x" },   { "missing-directory", "no/x" }, { "absolute", "/tmp/x" },
  { "directory", "sub" }, { "through-symlink", "l/x" },    { "empty", "" },
};

static void
test_bad (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (symlinkat ("sub", fixture->fd, "l"), ==, 0);
  g_assert_false (publish (fixture, bad[GPOINTER_TO_SIZE (data)].path, "x",
                           VTREE_PUBLISH_REPLACE, &error));
  g_assert_true (error->domain == VTREE_ERRNO_ERROR);
  g_assert_cmpuint (count_names (fixture, "."), ==, 2);
  g_assert_cmpuint (count_names (fixture, "sub"), ==, 0);
}

static void
test_symlink_is_replaced_not_followed (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (symlinkat ("sub/target", fixture->fd, "x"), ==, 0);
  g_assert_true (publish (fixture, "x", "new", VTREE_PUBLISH_REPLACE, &error));
  assert_contents (fixture, "x", "new");
  g_assert_cmpuint (count_names (fixture, "sub"), ==, 0);
}

static void
add (const char *name, size_t row, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/core/publish/", name, NULL);
  g_test_add (path, Fixture, GSIZE_TO_POINTER (row), set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("replaces", 0, test_replaces);
  add ("exclusive", 0, test_exclusive);
  add ("mode", 0, test_mode_is_exact);
  add ("syncs", 0, test_syncs);
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autofree char *name = g_strconcat ("fault/", faults[i].name, NULL);
    add (name, i, test_fault);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree char *name = g_strconcat ("bad/", bad[i].name, NULL);
    add (name, i, test_bad);
  }
  add ("symlink", 0, test_symlink_is_replaced_not_followed);
  return vtree_test_run ();
}
