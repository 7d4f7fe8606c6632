/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/mark.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST(x)                                                                      \
  "sha256:" x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define A DIGEST ("aa")
#define B DIGEST ("bb")

typedef struct {
  char *dir;
  VtreePaths *paths;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->dir);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_paths_free (f->paths);
  g_free (f->dir);
}

static VtreeMark
make_mark (uint64_t version, const char *digest, int64_t created)
{
  VtreeMark mark = { .version = version, .created = created };
  g_assert_true (vtree_digest_parse (digest, &mark.manifest, NULL));
  return mark;
}

static void
raise_mark (Fixture *f, const char *ref, uint64_t version, const char *digest,
            int64_t created)
{
  VtreeMark mark = make_mark (version, digest, created);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_mark_raise (f->paths, ref, &mark, &error));
  g_assert_no_error (error);
}

static void
assert_mark (Fixture *f, const char *ref, uint64_t version, const char *digest,
             int64_t created)
{
  g_autoptr (GError) error = NULL;
  bool found = false;
  VtreeMark mark = { 0 };
  g_assert_true (vtree_mark_load (f->paths, ref, &found, &mark, &error));
  g_assert_no_error (error);
  g_assert_true (found);
  g_assert_cmpuint (mark.version, ==, version);
  vtree_test_assert_digest_text (&mark.manifest, digest);
  g_assert_cmpint (mark.created, ==, created);
}

static void
assert_none (Fixture *f, const char *ref)
{
  g_autoptr (GError) error = NULL;
  bool found = true;
  VtreeMark mark;
  g_assert_true (vtree_mark_load (f->paths, ref, &found, &mark, &error));
  g_assert_no_error (error);
  g_assert_false (found);
}

static char *
mark_file (Fixture *f, const char *ref)
{
  return g_build_filename (vtree_paths_marks (f->paths), ref, "head", NULL);
}

static void
test_raise (Fixture *f, gconstpointer unused)
{
  (void) unused;
  assert_none (f, "a/b");
  raise_mark (f, "a/b", 3, A, 1000);
  assert_mark (f, "a/b", 3, A, 1000);
  raise_mark (f, "a/b", 5, B, 2000);
  assert_mark (f, "a/b", 5, B, 2000);
  assert_none (f, "a");
  raise_mark (f, "a", 1, A, 10);
  assert_mark (f, "a/b", 5, B, 2000);
  g_autofree char *file = mark_file (f, "a/b");
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  g_assert_cmpstr (text, ==,
                   "vtree-mark 1\nversion: 5\nmanifest: " B "\ncreated: 2000\n");
}

static void
test_never_lowered (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 5, B, 2000);
  raise_mark (f, "r", 4, A, 1000);
  assert_mark (f, "r", 5, B, 2000);
}

/* An older version can have been made later. */
static void
test_time_by_itself (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 5, B, 2000);
  raise_mark (f, "r", 4, A, 3000);
  assert_mark (f, "r", 5, B, 3000);
  raise_mark (f, "r", 6, A, 10);
  assert_mark (f, "r", 6, A, 3000);
}

static void
test_same_version_other_manifest (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 5, B, 2000);
  VtreeMark mark = make_mark (5, A, 2000);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_mark_raise (f->paths, "r", &mark, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_ROLLBACK, "version 5");
  assert_mark (f, "r", 5, B, 2000);
}

static void
test_private_and_synced (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_test_fault_clear ();
  raise_mark (f, "r", 1, A, 1);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_SYNC), >=, 2);
  vtree_test_fault_clear ();
  struct stat st;
  g_assert_cmpint (stat (vtree_paths_marks (f->paths), &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0700);
  g_autofree char *file = mark_file (f, "r");
  g_assert_cmpint (stat (file, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
}

/* What is there already costs no write, so it also works where none is possible. */
static void
test_the_same_again_writes_nothing (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 1, A, 1);
  vtree_test_fault_fail (VTREE_TEST_WRITE, 0, EROFS);
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EROFS);
  raise_mark (f, "r", 1, A, 1);
  vtree_test_fault_clear ();
}

static const VtreeTestCall failing[] = { VTREE_TEST_WRITE, VTREE_TEST_SYNC };

static void
test_failure_is_told (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 1, A, 1);
  for (size_t i = 0; i < G_N_ELEMENTS (failing); i++) {
    vtree_test_fault_fail (failing[i], 0, EIO);
    VtreeMark mark = make_mark (2, B, 2);
    g_autoptr (GError) error = NULL;
    g_assert_false (vtree_mark_raise (f->paths, "r", &mark, &error));
    vtree_test_fault_clear ();
    vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "raise mark of 'r'");
    assert_mark (f, "r", 1, A, 1);
  }
}

static const struct {
  const char *name;
  const char *text;
} malformed[] = {
  { "empty", "" },
  { "first-line", "vtree-mark 2\nversion: 5\nmanifest: " A "\ncreated: 1\n" },
  { "no-created", "vtree-mark 1\nversion: 5\nmanifest: " A "\n" },
  { "no-newline", "vtree-mark 1\nversion: 5\nmanifest: " A "\ncreated: 1" },
  { "trailing", "vtree-mark 1\nversion: 5\nmanifest: " A "\ncreated: 1\n\n" },
  { "order", "vtree-mark 1\nmanifest: " A "\nversion: 5\ncreated: 1\n" },
  { "leading-zero", "vtree-mark 1\nversion: 05\nmanifest: " A "\ncreated: 1\n" },
  { "negative", "vtree-mark 1\nversion: -5\nmanifest: " A "\ncreated: 1\n" },
  { "overflow",
    "vtree-mark 1\nversion: 18446744073709551616\nmanifest: " A "\ncreated: 1\n" },
  { "time-overflow",
    "vtree-mark 1\nversion: 1\nmanifest: " A "\ncreated: 9223372036854775808\n" },
  { "digest", "vtree-mark 1\nversion: 5\nmanifest: sha256:00\ncreated: 1\n" },
  { "cr", "vtree-mark 1\r\nversion: 5\r\nmanifest: " A "\r\ncreated: 1\r\n" },
};

static void
test_malformed_is_no_absence (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 1, A, 1);
  g_autofree char *file = mark_file (f, "r");
  for (size_t i = 0; i < G_N_ELEMENTS (malformed); i++) {
    g_test_message ("%s", malformed[i].name);
    g_assert_true (g_file_set_contents (file, malformed[i].text, -1, NULL));
    bool found;
    VtreeMark mark = make_mark (9, B, 9);
    g_autoptr (GError) error = NULL;
    g_assert_false (vtree_mark_raise (f->paths, "r", &mark, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "mark reset r");
    g_clear_error (&error);
    g_assert_false (vtree_mark_load (f->paths, "r", &found, &mark, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "mark reset r");
  }
}

static void
test_not_a_file (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 1, A, 1);
  g_autofree char *file = mark_file (f, "r");
  g_assert_cmpint (unlink (file), ==, 0);
  g_assert_cmpint (mkfifo (file, 0600), ==, 0);
  bool found;
  VtreeMark mark;
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_mark_load (f->paths, "r", &found, &mark, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "mark of 'r'");
}

static void
test_writable_by_others (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "r", 1, A, 1);
  g_assert_cmpint (chmod (vtree_paths_marks (f->paths), 0777), ==, 0);
  bool found;
  VtreeMark mark;
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_mark_load (f->paths, "r", &found, &mark, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "chmod");
}

static void
test_reset (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_mark_reset (f->paths, "a/b/c", &error));
  g_assert_no_error (error);
  raise_mark (f, "a/b/c", 5, B, 2000);
  raise_mark (f, "a", 1, A, 1);
  g_assert_true (vtree_mark_reset (f->paths, "a/b/c", &error));
  g_assert_no_error (error);
  assert_none (f, "a/b/c");
  assert_mark (f, "a", 1, A, 1);
  g_autofree char *dir = g_build_filename (vtree_paths_marks (f->paths), "a/b", NULL);
  g_assert_false (g_file_test (dir, G_FILE_TEST_EXISTS));
  raise_mark (f, "a/b/c", 2, A, 7);
  assert_mark (f, "a/b/c", 2, A, 7);
}

static void
test_reset_of_a_parent (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "a/b", 5, B, 2000);
  raise_mark (f, "a", 1, A, 1);
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_mark_reset (f->paths, "a", &error));
  g_assert_no_error (error);
  assert_none (f, "a");
  assert_mark (f, "a/b", 5, B, 2000);
}

typedef struct {
  Fixture *fixture;
  uint64_t first;
} Raiser;

static gpointer
raise_many (gpointer data)
{
  const Raiser *raiser = data;
  for (uint64_t version = raiser->first; version <= 40; version += 4)
    raise_mark (raiser->fixture, "r", version, A, (int64_t) version);
  return NULL;
}

static void
test_concurrent_raises (Fixture *f, gconstpointer unused)
{
  (void) unused;
  Raiser raisers[4];
  GThread *threads[4];
  for (unsigned i = 0; i < 4; i++) {
    raisers[i] = (Raiser){ f, i + 1 };
    threads[i] = g_thread_new ("raise", raise_many, &raisers[i]);
  }
  for (unsigned i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  assert_mark (f, "r", 40, A, 40);
}

/* What killed processes left: in the way of nobody, and removed by the next writer of
 * that mark, whatever it writes. */
static void
test_leftovers (Fixture *f, gconstpointer unused)
{
  (void) unused;
  raise_mark (f, "a/r", 1, A, 10);
  g_autofree char *dir = g_build_filename (vtree_paths_marks (f->paths), "a/r", NULL);
  g_autofree char *left = g_build_filename (dir, ".tmp-0123456789abcdef", NULL);
  g_autofree char *other = g_build_filename (dir, "notes", NULL);
  g_assert_true (g_file_set_contents (left, "vtree-m", -1, NULL));
  g_assert_true (g_file_set_contents (other, "mine", -1, NULL));
  assert_mark (f, "a/r", 1, A, 10);
  raise_mark (f, "a/r", 2, B, 10);
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_unlink (other), ==, 0);
  g_assert_true (g_file_set_contents (left, "vtree-m", -1, NULL));
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_mark_reset (f->paths, "a/r", &error));
  g_assert_no_error (error);
  assert_none (f, "a/r");
  g_autofree char *parent = g_path_get_dirname (dir);
  g_assert_false (g_file_test (parent, G_FILE_TEST_EXISTS));
}

#define ADD(name, func)                                                                \
  g_test_add ("/core/mark/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("raise", test_raise);
  ADD ("leftovers", test_leftovers);
  ADD ("never-lowered", test_never_lowered);
  ADD ("time-by-itself", test_time_by_itself);
  ADD ("same-version-other-manifest", test_same_version_other_manifest);
  ADD ("private-and-synced", test_private_and_synced);
  ADD ("the-same-again-writes-nothing", test_the_same_again_writes_nothing);
  ADD ("failure-is-told", test_failure_is_told);
  ADD ("malformed-is-no-absence", test_malformed_is_no_absence);
  ADD ("not-a-file", test_not_a_file);
  ADD ("writable-by-others", test_writable_by_others);
  ADD ("reset", test_reset);
  ADD ("reset-of-a-parent", test_reset_of_a_parent);
  ADD ("concurrent-raises", test_concurrent_raises);
  return vtree_test_run ();
}
