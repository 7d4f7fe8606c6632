/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The refs/ directory, as we write it and as an attacker may. */
#include "core/error.h"
#include "manifest/ref.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *dir;
  VtreeRepo *repo;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *top = vtree_test_make_dir ();
  VtreeRepoOptions options = { .digest = VTREE_DIGEST_SHA256 };
  g_autoptr (GError) error = NULL;
  f->dir = g_build_filename (top, "repo", NULL);
  g_assert_true (vtree_repo_init (f->dir, &options, &error));
  g_assert_no_error (error);
  f->repo = vtree_repo_open (f->dir, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_repo_free (f->repo);
  g_free (f->dir);
}

static char *
path_of (Fixture *f, const char *name)
{
  return g_build_filename (f->dir, "refs", name, NULL);
}

static void
put (Fixture *f, const char *ref, uint64_t version, const char *sig)
{
  g_autofree char *text = g_strdup_printf ("statement %" G_GUINT64_FORMAT, version);
  g_autoptr (GBytes) root = g_bytes_new (text, strlen (text));
  g_autoptr (GBytes) sig_bytes = sig != NULL ? g_bytes_new (sig, strlen (sig)) : NULL;
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_refs_put (f->repo, ref, version, root, sig_bytes, NULL, &error));
  g_assert_no_error (error);
}

static void
set_head (Fixture *f, const char *ref, uint64_t version)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_refs_set_head (f->repo, ref, version, &error));
  g_assert_no_error (error);
}

static void
assert_list (Fixture *f, const char *joined)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) refs = vtree_refs_list (f->repo, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *got = g_strjoinv (" ", refs);
  g_assert_cmpstr (got, ==, joined);
}

static void
assert_head (Fixture *f, const char *ref, uint64_t version)
{
  g_autoptr (GError) error = NULL;
  bool found = false;
  uint64_t got = 0;
  g_assert_true (vtree_refs_head (f->repo, ref, &found, &got, &error));
  g_assert_no_error (error);
  g_assert_cmpint (found, ==, version != 0);
  g_assert_cmpuint (got, ==, version);
}

static void
test_put_and_load (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "os/stable", 3, "sig");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  g_assert_true (vtree_refs_load (f->repo, "os/stable", 3, &root, &sig, &error));
  g_assert_no_error (error);
  vtree_test_assert_bytes (g_bytes_get_data (root, NULL), g_bytes_get_size (root),
                           "statement 3", 11);
  vtree_test_assert_bytes (g_bytes_get_data (sig, NULL), g_bytes_get_size (sig), "sig",
                           3);
  assert_head (f, "os/stable", 0);
  set_head (f, "os/stable", 3);
  assert_head (f, "os/stable", 3);
  g_autofree char *path = path_of (f, "os/stable/head");
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "3\n");
}

static void
test_unsigned (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "r", 1, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) root = NULL;
  GBytes *sig = (GBytes *) 1;
  g_assert_true (vtree_refs_load (f->repo, "r", 1, &root, &sig, &error));
  g_assert_null (sig);
  g_autoptr (GBytes) later = g_bytes_new_static ("later", 5);
  vtree_test_fault_clear ();
  g_assert_true (vtree_refs_put_signature (f->repo, "r", 1, later, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_SYNC), >=, 2);
  vtree_test_fault_clear ();
  g_clear_pointer (&root, g_bytes_unref);
  g_assert_true (vtree_refs_load (f->repo, "r", 1, &root, &sig, &error));
  g_assert_true (g_bytes_equal (sig, later));
  g_bytes_unref (sig);
}

static void
test_modes_whatever_the_umask (Fixture *f, gconstpointer unused)
{
  (void) unused;
  static const struct {
    const char *path;
    unsigned mode;
  } rows[] = {
    { "os", 0755 },
    { "os/stable", 0755 },
    { "os/stable/3.root", 0644 },
    { "os/stable/3.sig", 0644 },
    { "os/stable/head", 0644 },
  };
  mode_t old = umask (0077);
  put (f, "os/stable", 3, "sig");
  set_head (f, "os/stable", 3);
  umask (old);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = path_of (f, rows[i].path);
    struct stat st;
    g_assert_cmpint (stat (path, &st), ==, 0);
    g_assert_cmpuint (st.st_mode & 07777, ==, rows[i].mode);
  }
}

/* Statement, signatures and head: each file before it is visible, and its name. */
static void
test_syncs (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_test_fault_clear ();
  put (f, "r", 1, "sig");
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_SYNC), >=, 2);
  set_head (f, "r", 1);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_SYNC), >=, 2);
  put (f, "r", 2, "sig");
  vtree_test_fault_fail (VTREE_TEST_SYNC, 0, EIO);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_refs_set_head (f->repo, "r", 2, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "head of ref 'r'");
  assert_head (f, "r", 1);
}

static void
test_a_statement_never_changes (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "r", 1, NULL);
  put (f, "r", 1, "sig");
  g_autoptr (GBytes) other = g_bytes_new_static ("other", 5);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_refs_put (f->repo, "r", 1, other, NULL, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "1.root");
}

static void
test_list (Fixture *f, gconstpointer unused)
{
  (void) unused;
  assert_list (f, "");
  put (f, "os/stable", 1, NULL);
  put (f, "os", 1, NULL);
  put (f, "app.x/a/b/c", 1, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = -1;
  g_assert_true (vtree_refs_lock (f->repo, "begun", 0, &fd, &error));
  assert_list (f, "app.x/a/b/c os os/stable");
}

static void
test_versions (Fixture *f, gconstpointer unused)
{
  (void) unused;
  static const uint64_t order[] = { 10, 9, UINT64_MAX, 1 };
  static const char *const foreign[]
    = { "01.root",    "0.root", "x.root", ".root", "5.sig", "18446744073709551616.root",
        "7.root.bak", "-3.root" };
  for (size_t i = 0; i < G_N_ELEMENTS (order); i++)
    put (f, "r", order[i], NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (foreign); i++) {
    g_autofree char *name = g_build_filename ("r", foreign[i], NULL);
    g_autofree char *path = path_of (f, name);
    g_assert_true (g_file_set_contents (path, "", 0, NULL));
  }
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) versions = vtree_refs_versions (f->repo, "r", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (versions->len, ==, 4);
  static const uint64_t sorted[] = { 1, 9, 10, UINT64_MAX };
  for (guint i = 0; i < 4; i++)
    g_assert_cmpuint (g_array_index (versions, uint64_t, i), ==, sorted[i]);
}

static void
test_missing (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  GBytes *root = NULL, *sig = NULL;
  assert_head (f, "none", 0);
  g_assert_null (vtree_refs_versions (f->repo, "none", &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no such ref");
  g_clear_error (&error);
  g_assert_false (vtree_refs_load (f->repo, "none", 1, &root, &sig, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no such ref");
  g_clear_error (&error);
  put (f, "r", 1, NULL);
  g_assert_false (vtree_refs_load (f->repo, "r", 2, &root, &sig, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no version 2");
  g_clear_error (&error);
  g_assert_false (vtree_refs_set_head (f->repo, "r", 2, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no version 2");
  g_clear_error (&error);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  g_assert_false (vtree_refs_put_signature (f->repo, "r", 2, bytes, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no version 2");
}

static const struct {
  const char *name;
  const char *text;
} heads[] = {
  { "empty", "" },
  { "no-newline", "3" },
  { "newline", "\n" },
  { "zero", "0\n" },
  { "leading-zero", "03\n" },
  { "two-lines", "3\n4\n" },
  { "space", " 3\n" },
  { "cr", "3\r\n" },
  { "minus", "-3\n" },
  { "overflow", "18446744073709551616\n" },
  { "letters", "three\n" },
  { "long", "000000000000000000000000000003\n" },
};

static void
test_malformed_head (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "r", 3, NULL);
  g_autofree char *path = path_of (f, "r/head");
  for (size_t i = 0; i < G_N_ELEMENTS (heads); i++) {
    g_test_message ("%s", heads[i].name);
    g_assert_true (g_file_set_contents (path, heads[i].text, -1, NULL));
    g_autoptr (GError) error = NULL;
    bool found;
    uint64_t version;
    g_assert_false (vtree_refs_head (f->repo, "r", &found, &version, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "ref 'r'");
  }
}

typedef void (*Replace) (const char *path);

static void
by_symlink (const char *path)
{
  g_assert_cmpint (symlink ("3.root", path), ==, 0);
}

static void
by_outside_symlink (const char *path)
{
  g_assert_cmpint (symlink ("/etc/passwd", path), ==, 0);
}

static void
by_dangling_symlink (const char *path)
{
  g_assert_cmpint (symlink ("nowhere", path), ==, 0);
}

static void
by_fifo (const char *path)
{
  g_assert_cmpint (mkfifo (path, 0644), ==, 0);
}

static void
by_directory (const char *path)
{
  g_assert_cmpint (mkdir (path, 0755), ==, 0);
}

static const struct {
  const char *name;
  Replace replace;
} replacements[] = {
  { "symlink", by_symlink },           { "outside-symlink", by_outside_symlink },
  { "dangling", by_dangling_symlink }, { "fifo", by_fifo },
  { "directory", by_directory },
};

static const char *const files[] = { "head", "3.root", "3.sig" };

/* Loads the head or the version, whichever FILE is part of. */
static bool
read_file (Fixture *f, const char *file, GError **error)
{
  bool found;
  uint64_t version;
  g_autoptr (GBytes) root = NULL;
  g_autoptr (GBytes) sig = NULL;
  if (strcmp (file, "head") == 0)
    return vtree_refs_head (f->repo, "r", &found, &version, error);
  return vtree_refs_load (f->repo, "r", 3, &root, &sig, error);
}

/* None of them hangs, none is followed. */
static void
test_replaced_files (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "r", 3, "sig");
  set_head (f, "r", 3);
  for (size_t i = 0; i < G_N_ELEMENTS (files) * G_N_ELEMENTS (replacements); i++) {
    const char *file = files[i % G_N_ELEMENTS (files)];
    size_t row = i / G_N_ELEMENTS (files);
    g_test_message ("%s by %s", file, replacements[row].name);
    g_autofree char *name = g_build_filename ("r", file, NULL);
    g_autofree char *path = path_of (f, name);
    g_autofree char *aside = g_strconcat (path, ".aside", NULL);
    g_assert_cmpint (rename (path, aside), ==, 0);
    replacements[row].replace (path);
    g_autoptr (GError) error = NULL;
    g_assert_false (read_file (f, file, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, file);
    g_assert_cmpint (remove (path), ==, 0);
    g_assert_cmpint (rename (aside, path), ==, 0);
  }
}

static void
test_replaced_directory (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *elsewhere = vtree_test_make_dir ();
  g_autofree char *path = path_of (f, "r");
  g_assert_cmpint (symlink (elsewhere, path), ==, 0);
  g_autoptr (GError) error = NULL;
  bool found;
  uint64_t version;
  g_assert_false (vtree_refs_head (f->repo, "r", &found, &version, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "ref 'r'");
  g_clear_error (&error);
  assert_list (f, "");
  g_auto (VtreeFd) fd = -1;
  g_assert_false (vtree_refs_lock (f->repo, "r/x", 0, &fd, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "ref 'r/x'");
}

/* What lies among the refs, in the place of one or in that of its files. */
static const struct {
  const char *path; /* a '/' at its end: a directory */
  bool stray;
} strangers[] = {
  { "README", true },        { "a/notes", true },   { "a/b/c", true },
  { "a/.hidden", true },     { "5.root/", true },   { "head/", true },
  { "a/b/x y", true },       { "empty/", false },   { "a/b/2.root/", false },
  { "a/b/head.sig/", true }, { "a/.tmp-1", false }, { "a/b/3.sig", false },
};

static void
make_strangers (Fixture *f)
{
  for (size_t i = 0; i < G_N_ELEMENTS (strangers); i++) {
    g_autofree char *path = path_of (f, strangers[i].path);
    if (g_str_has_suffix (path, "/"))
      g_assert_cmpint (mkdir (path, 0755), ==, 0);
    else
      g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  }
}

static void
test_strays (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "a/b", 1, "sig");
  set_head (f, "a/b", 1);
  make_strangers (f);
  g_autofree char *head = path_of (f, "a/head");
  g_assert_cmpint (mkdir (head, 0755), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) strays = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) refs = vtree_refs_list (f->repo, strays, &error);
  g_assert_no_error (error);
  g_autofree char *joined = g_strjoinv (" ", refs);
  g_assert_cmpstr (joined, ==, "a a/b");
  guint expected = 0;
  for (size_t i = 0; i < G_N_ELEMENTS (strangers); i++) {
    g_autofree char *path = g_strdup (strangers[i].path);
    if (g_str_has_suffix (path, "/"))
      path[strlen (path) - 1] = '\0';
    g_test_message ("%s", path);
    g_assert_cmpint (g_ptr_array_find_with_equal_func (strays, path, g_str_equal, NULL),
                     ==, strangers[i].stray);
    expected += strangers[i].stray;
  }
  g_assert_cmpuint (strays->len, ==, expected);
  assert_head (f, "a/b", 1);
}

/* Signatures that lost their statement when a deletion was killed, and others. */
static void
test_clean (Fixture *f, gconstpointer unused)
{
  static const struct {
    const char *path;
    bool stays;
  } left[] = {
    { "r/1.sig", false }, { "r/2.sig", true },           { "r/3.sig", true },
    { "r/4.sig", true },  { "gone/below/7.sig", false }, { "odd/1.sig", true },
    { "odd/head", true }, { "r/notes", true },
  };
  (void) unused;
  put (f, "r", 2, "sig");
  put (f, "r", 3, "sig");
  set_head (f, "r", 3);
  for (size_t i = 0; i < G_N_ELEMENTS (left); i++) {
    g_autofree char *path = path_of (f, left[i].path);
    g_autofree char *dir = g_path_get_dirname (path);
    g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
    g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  }
  g_autoptr (GError) error = NULL;
  uint64_t count = 0;
  g_assert_true (vtree_refs_clean (f->repo, true, &count, &error));
  g_assert_cmpuint (count, ==, 2);
  g_assert_true (vtree_refs_clean (f->repo, false, &count, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (count, ==, 4);
  for (size_t i = 0; i < G_N_ELEMENTS (left); i++) {
    g_autofree char *path = path_of (f, left[i].path);
    g_test_message ("%s", left[i].path);
    g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, left[i].stays);
  }
  g_autofree char *gone = path_of (f, "gone");
  g_assert_false (g_file_test (gone, G_FILE_TEST_EXISTS));
}

static void
test_too_long (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "r", 3, "sig");
  g_autofree char *path = path_of (f, "r/3.root");
  g_autofree char *text = g_strnfill (VTREE_STATEMENT_MAX + 1, 'x');
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_autoptr (GError) error = NULL;
  g_assert_false (read_file (f, "3.root", &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "3.root");
}

static void
test_lock (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) first = -1;
  g_auto (VtreeFd) second = -1;
  g_auto (VtreeFd) other = -1;
  g_assert_true (vtree_refs_lock (f->repo, "a", 0, &first, &error));
  g_assert_false (vtree_refs_lock (f->repo, "a", 0, &second, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, "lock ref 'a'");
  g_clear_error (&error);
  g_assert_true (vtree_refs_lock (f->repo, "a/b", 0, &other, &error));
  vtree_fd_replace_take (&first, -1);
  g_assert_true (vtree_refs_lock (f->repo, "a", 0, &second, &error));
  g_assert_no_error (error);
}

static void
test_bad_names_make_nothing (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = -1;
  g_assert_false (vtree_refs_lock (f->repo, "../x", 0, &fd, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "../x");
  g_autofree char *path = g_build_filename (f->dir, "x", NULL);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_remove_version (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "r", 1, "sig");
  put (f, "r", 2, "sig");
  set_head (f, "r", 2);
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_refs_remove_version (f->repo, "r", 2, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "is its head");
  g_clear_error (&error);
  g_assert_true (vtree_refs_remove_version (f->repo, "r", 1, &error));
  g_assert_no_error (error);
  g_autoptr (GArray) versions = vtree_refs_versions (f->repo, "r", &error);
  g_assert_cmpuint (versions->len, ==, 1);
  g_autofree char *sig = path_of (f, "r/1.sig");
  g_assert_false (g_file_test (sig, G_FILE_TEST_EXISTS));
}

static void
test_remove (Fixture *f, gconstpointer unused)
{
  (void) unused;
  put (f, "a/b", 1, "sig");
  set_head (f, "a/b", 1);
  put (f, "a/b/c", 1, "sig");
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_refs_remove (f->repo, "a/b", &error));
  g_assert_no_error (error);
  assert_list (f, "a/b/c");
  g_assert_true (vtree_refs_remove (f->repo, "a/b/c", &error));
  assert_list (f, "");
  g_autofree char *path = path_of (f, "a");
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_autofree char *refs = path_of (f, "");
  g_assert_true (g_file_test (refs, G_FILE_TEST_IS_DIR));
  g_assert_false (vtree_refs_remove (f->repo, "a/b/c", &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no such ref");
}

#define ADD(name, func)                                                                \
  g_test_add ("/manifest/refs/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("put-and-load", test_put_and_load);
  ADD ("unsigned", test_unsigned);
  ADD ("modes-whatever-the-umask", test_modes_whatever_the_umask);
  ADD ("syncs", test_syncs);
  ADD ("a-statement-never-changes", test_a_statement_never_changes);
  ADD ("list", test_list);
  ADD ("versions", test_versions);
  ADD ("missing", test_missing);
  ADD ("malformed-head", test_malformed_head);
  ADD ("replaced-files", test_replaced_files);
  ADD ("replaced-directory", test_replaced_directory);
  ADD ("strays", test_strays);
  ADD ("clean", test_clean);
  ADD ("too-long", test_too_long);
  ADD ("lock", test_lock);
  ADD ("bad-names-make-nothing", test_bad_names_make_nothing);
  ADD ("remove-version", test_remove_version);
  ADD ("remove", test_remove);
  return vtree_test_run ();
}
