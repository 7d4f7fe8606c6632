/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking ahead of a walk: what is seen is what is there, and nothing is owed. */
#include "manifest/lookahead.h"

#include "core/filesystem.h"
#include "tests/unit/manifest/tree-fixture.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

typedef struct {
  VtreeLookahead *ahead;
  unsigned seen, entered, left; /* LEFT: to be entered before the walk gives up */
} Walk;

static void
fill (const char *dir)
{
  for (unsigned i = 0; i < 40; i++) {
    for (unsigned j = 0; j < 4; j++) {
      g_autofree char *name = g_strdup_printf ("d%u/e%u/f%u/file", i, j, i * j);
      tree_fixture_file (dir, name, i, j);
    }
  }
  for (unsigned i = 0; i < 1000; i++) {
    g_autofree char *name = g_strdup_printf ("d3/wide/file%u", i);
    tree_fixture_file (dir, name, i % 7, i);
  }
  tree_fixture_symlink (dir, "d3/wide/link", "nowhere");
}

static VtreeHandle *
open_handle (int at, const char *name)
{
  int fd = openat (at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return vtree_handle_new_take (fd);
}

/* What was seen in DIR is what is there now. */
static void
compare (int dir, const VtreeLooked *looked)
{
  g_autoptr (VtreeListing) listing = vtree_listing_read (dir, NULL);
  size_t count = vtree_listing_count (listing);
  struct stat st;
  g_assert_cmpint (fstat (dir, &st), ==, 0);
  g_assert_cmpuint (st.st_ino, ==, looked->before.st_ino);
  g_assert_cmpuint (vtree_listing_count (looked->listing), ==, count);
  for (size_t i = 0; i < count; i++) {
    const VtreeListingEntry *entry = vtree_listing_peek (listing, i);
    const VtreeSeen *seen = &looked->seen[i];
    g_assert_cmpstr (vtree_listing_peek (looked->listing, i)->name, ==, entry->name);
    if (entry->type == DT_DIR)
      continue;
    g_assert_cmpint (fstatat (dir, entry->name, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
    g_assert_cmpint (seen->errnum, ==, 0);
    g_assert_false (seen->known);
    g_assert_cmpuint (seen->stat.st_ino, ==, st.st_ino);
    g_assert_cmpuint (seen->stat.st_mode, ==, st.st_mode);
    g_assert_cmpint (seen->stat.st_size, ==, st.st_size);
  }
}

static void
walk_below (Walk *walk, VtreeHandle *dir)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (VtreeListing) listing = vtree_listing_read (vtree_handle_fd (dir), NULL);
  for (size_t i = 0; i < vtree_listing_count (listing); i++) {
    const VtreeListingEntry *entry = vtree_listing_peek (listing, i);
    if (entry->type == DT_DIR)
      g_ptr_array_add (names, g_strdup (entry->name));
  }
  gint64 wanted = g_get_monotonic_time ();
  VtreeLooks *looks = vtree_lookahead_want (walk->ahead, dir, names);
  for (guint i = 0; i < names->len && walk->left > 0; i++) {
    g_autoptr (VtreeLooked) looked = vtree_lookahead_take (walk->ahead, &looks, i);
    g_autoptr (VtreeHandle) next = open_handle (vtree_handle_fd (dir), names->pdata[i]);
    walk->left--;
    walk->entered++;
    if (looked != NULL) {
      walk->seen++;
      g_assert_cmpint (looked->since, >=, wanted);
      compare (vtree_handle_fd (next), looked);
    }
    walk_below (walk, next);
  }
  if (walk->left > 0)
    g_assert_null (looks);
  else /* as a walk that fails: first the threads, then what they work on */
    g_clear_pointer (&walk->ahead, vtree_lookahead_free);
  vtree_looks_free (looks);
}

/* How far the walk has got is no matter: it may have been kept waiting. */
static void
test_recent (void)
{
  const VtreeLooked looked = { .since = 5000 };
  g_assert_true (vtree_looked_is_recent (&looked, 5000));
  g_assert_true (vtree_looked_is_recent (&looked, 5000 + G_USEC_PER_SEC));
  g_assert_false (vtree_looked_is_recent (&looked, 5000 + 3 * G_USEC_PER_SEC));
  g_assert_false (vtree_looked_is_recent (&looked, G_MAXINT64));
}

static void
test_walk (gconstpointer data)
{
  g_autofree char *dir = vtree_test_make_dir ();
  fill (dir);
  Walk walk
    = { .ahead = vtree_lookahead_new (GPOINTER_TO_UINT (data), NULL), .left = 1000 };
  g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, dir);
  walk_below (&walk, top);
  g_assert_cmpuint (walk.entered, ==, 40 + 40 * 4 + 40 * 4 + 1);
  g_clear_pointer (&walk.ahead, vtree_lookahead_free);
}

/* The walk finds everything itself. */
static void
test_no_threads (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_file (dir, "a/b/c", 1, 1);
  tree_fixture_file (dir, "a/d/e", 1, 1);
  for (unsigned allowed = 0; allowed < 2; allowed++) {
    vtree_test_fault_clear ();
    vtree_test_fault_fail (VTREE_TEST_THREAD, allowed, EAGAIN);
    Walk walk = { .ahead = vtree_lookahead_new (4, NULL), .left = 1000 };
    g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_THREAD), ==, allowed + 1);
    vtree_test_fault_clear ();
    g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, dir);
    walk_below (&walk, top);
    g_assert_cmpuint (walk.entered, ==, 3);
    g_assert_true (allowed > 0 || walk.seen == 0);
    g_clear_pointer (&walk.ahead, vtree_lookahead_free);
  }
}

/* The walk is there while its directories are looked at, and helps. */
static void
test_helped (void)
{
  enum {
    DIRS = 6,
    FILES = 400,
    ROUNDS = 60
  };
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  for (unsigned i = 0; i < DIRS; i++) {
    g_ptr_array_add (names, g_strdup_printf ("wide%u", i));
    for (unsigned j = 0; j < FILES; j++) {
      g_autofree char *name = g_strdup_printf ("wide%u/file%u", i, j);
      tree_fixture_file (dir, name, 0, 0);
    }
  }
  g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, dir);
  g_autoptr (VtreeLookahead) ahead = vtree_lookahead_new (2, NULL);
  for (unsigned round = 0; round < ROUNDS; round++) {
    VtreeLooks *looks = vtree_lookahead_want (ahead, top, names);
    if (round % 4 != 0)
      g_usleep (round * 20);
    for (guint i = 0; i < DIRS; i++) {
      g_autoptr (VtreeLooked) looked = vtree_lookahead_take (ahead, &looks, i);
      g_assert_true (looked == NULL || vtree_listing_count (looked->listing) == FILES);
      for (unsigned j = 0; looked != NULL && j < FILES; j++)
        g_assert_cmpint (looked->seen[j].errnum, ==, 0);
    }
  }
}

static void
test_given_up (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  fill (dir);
  for (unsigned left = 1; left < 60; left += 7) {
    Walk walk = { .ahead = vtree_lookahead_new (2, NULL), .left = left };
    g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, dir);
    walk_below (&walk, top);
    g_assert_cmpuint (walk.entered, ==, left);
  }
}

/* What can't be looked at is nothing, and no error. */
static void
test_nothing (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (VtreeLookahead) ahead = vtree_lookahead_new (1, NULL);
  g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, dir);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  tree_fixture_symlink (dir, "link", ".");
  tree_fixture_file (dir, "file", 1, 1);
  g_assert_null (vtree_lookahead_want (ahead, top, names));
  g_ptr_array_add (names, "missing");
  g_ptr_array_add (names, "file");
  g_ptr_array_add (names, "link");
  for (unsigned i = 0; i < 100; i++) {
    VtreeLooks *looks = vtree_lookahead_want (ahead, top, names);
    for (guint j = 0; j < names->len; j++)
      g_assert_null (vtree_lookahead_take (ahead, &looks, j));
    g_assert_null (looks);
  }
}

/* Where times prove nothing, they could have been somebody's word. */
static void
test_no_proof (void)
{
  uint64_t filesystem;
  g_autoptr (VtreeLookahead) ahead = vtree_lookahead_new (1, NULL);
  g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, "/proc/self");
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_ptr_array_add (names, "fd");
  g_ptr_array_add (names, "ns");
  g_ptr_array_add (names, "task");
  g_assert_true (
    vtree_filesystem_keeps_change_times (vtree_handle_fd (top), &filesystem, NULL));
  g_assert_cmpuint (filesystem, ==, 0);
  for (unsigned i = 0; i < 100; i++) {
    VtreeLooks *looks = vtree_lookahead_want (ahead, top, names);
    g_usleep (i * 5);
    for (guint j = 0; j < names->len; j++)
      g_assert_null (vtree_lookahead_take (ahead, &looks, j));
  }
}

/* With so many threads, 2048 names are the most that a directory may have. */
static void
test_wide (void)
{
  enum {
    THREADS = 16,
    MOST = 2048
  };
  g_autofree char *dir = vtree_test_make_dir ();
  uint64_t filesystem;
  g_autoptr (VtreeLookahead) ahead = vtree_lookahead_new (THREADS, NULL);
  g_autoptr (VtreeHandle) top = open_handle (AT_FDCWD, dir);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (unsigned i = 0; i <= MOST; i++) {
    g_autofree char *wide = g_strdup_printf ("wide/%u", i);
    g_autofree char *fits = g_strdup_printf ("fits/%u", i);
    tree_fixture_file (dir, wide, 0, 0);
    if (i < MOST)
      tree_fixture_file (dir, fits, 0, 0);
  }
  g_ptr_array_add (names, "first");
  g_ptr_array_add (names, "wide");
  g_ptr_array_add (names, "fits");
  g_assert_true (
    vtree_filesystem_keeps_change_times (vtree_handle_fd (top), &filesystem, NULL));
  bool seen = filesystem == 0;
  for (unsigned i = 0; i < 10 || !seen; i++) {
    VtreeLooks *looks = vtree_lookahead_want (ahead, top, names);
    g_usleep (1000);
    g_assert_null (vtree_lookahead_take (ahead, &looks, 0));
    g_assert_null (vtree_lookahead_take (ahead, &looks, 1));
    g_autoptr (VtreeLooked) looked = vtree_lookahead_take (ahead, &looks, 2);
    seen = seen || looked != NULL;
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_data_func ("/manifest/lookahead/one-thread", GUINT_TO_POINTER (1),
                        test_walk);
  g_test_add_data_func ("/manifest/lookahead/threads", GUINT_TO_POINTER (4), test_walk);
  g_test_add_func ("/manifest/lookahead/no-threads", test_no_threads);
  g_test_add_func ("/manifest/lookahead/recent", test_recent);
  g_test_add_func ("/manifest/lookahead/helped", test_helped);
  g_test_add_func ("/manifest/lookahead/given-up", test_given_up);
  g_test_add_func ("/manifest/lookahead/nothing", test_nothing);
  g_test_add_func ("/manifest/lookahead/no-proof", test_no_proof);
  g_test_add_func ("/manifest/lookahead/wide", test_wide);
  return vtree_test_run ();
}
