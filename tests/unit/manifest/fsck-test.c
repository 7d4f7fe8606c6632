/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/fsck.h"
#include "tests/unit/manifest/versions-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE ((size_t) 1 << 20)

/* What fsck said, one line a problem: "kind ref object path" with "-" for none, the
 * object as its name in the test; the messages apart. */
typedef struct {
  GPtrArray *lines, *messages;
  GHashTable *names; /* digest text -> name */
  uint64_t done, total;
} Report;

static void
report_clear (Report *report)
{
  g_clear_pointer (&report->lines, g_ptr_array_unref);
  g_clear_pointer (&report->messages, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Report, report_clear)

static const char *
or_dash (const char *text)
{
  return text != NULL ? text : "-";
}

static void
note_problem (void *context, const VtreeFsckProblem *problem)
{
  static const char *const kinds[] = { [VTREE_FSCK_MISSING] = "missing",
                                       [VTREE_FSCK_CORRUPT] = "corrupt",
                                       [VTREE_FSCK_UNTRUSTED] = "untrusted",
                                       [VTREE_FSCK_REPAIRED] = "repaired",
                                       [VTREE_FSCK_UNSEALED] = "unsealed" };
  Report *report = context;
  const char *name = problem->object != NULL
                       ? g_hash_table_lookup (report->names, problem->object)
                       : NULL;
  g_assert_nonnull (problem->message);
  g_assert_null (strchr (problem->message, '\n'));
  g_ptr_array_add (report->lines,
                   g_strdup_printf ("%s %s %s %s", kinds[problem->kind],
                                    or_dash (problem->ref),
                                    problem->object != NULL ? or_dash (name) : "-",
                                    or_dash (problem->path)));
  g_ptr_array_add (report->messages, g_strdup (problem->message));
}

static void
note_progress (void *context, uint64_t done, uint64_t total)
{
  Report *report = context;
  g_assert_cmpuint (done, >, report->done);
  g_assert_cmpuint (done, <=, total);
  report->done = done;
  report->total = total;
}

/* --- a repository with two versions of one ref ------------------------------------ */

/* small is at two names of both versions, large only in the second. */
typedef struct {
  VersionsFixture versions;
  uint8_t *large;
  VtreeDigest object_small, object_large, manifest[2];
  GHashTable *names;
} Two;

static void
name_object (Two *two, const VtreeDigest *digest, const char *name)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_hash_table_insert (two->names, g_strdup (vtree_digest_format (digest, text)),
                       g_strdup (name));
}

static void
two_init (Two *two)
{
  versions_fixture_init (&two->versions);
  two->large = repo_fixture_bytes (LARGE, 1);
  VersionFile first[] = { { "small", "contents", 8 }, { "d/link", NULL, 0 }, { 0 } };
  VersionFile second[] = { { "small", "contents", 8 },
                           { "d/link", NULL, 0 },
                           { "d/large", two->large, LARGE },
                           { 0 } };
  VersionSpec specs[] = { { "app", 1, first, 0 }, { "app", 2, second, 0 } };
  for (size_t i = 0; i < 2; i++)
    two->manifest[i] = versions_fixture_put (&two->versions, &specs[i]);
  two->object_small = versions_fixture_digest ("contents", 8);
  two->object_large = versions_fixture_digest (two->large, LARGE);
  two->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  name_object (two, &two->object_small, "small");
  name_object (two, &two->object_large, "large");
  name_object (two, &two->manifest[0], "manifest1");
  name_object (two, &two->manifest[1], "manifest2");
}

static void
two_clear (Two *two)
{
  g_hash_table_unref (two->names);
  g_free (two->large);
  versions_fixture_clear (&two->versions);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Two, two_clear)

static bool
try_fsck (const Two *two, VtreeFsckOptions options, Report *report,
          VtreeFsckResult *result, GError **error)
{
  report_clear (report);
  report->lines = g_ptr_array_new_with_free_func (g_free);
  report->messages = g_ptr_array_new_with_free_func (g_free);
  report->names = two->names;
  report->done = report->total = 0;
  options.paths = two->versions.paths;
  options.problem = note_problem;
  options.progress = note_progress;
  options.context = report;
  return vtree_fsck (two->versions.repo.repo, &options, result, error);
}

static gint
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Runs it, and compares what it says with EXPECTED: lines, sorted. */
static VtreeFsckResult
expect (const Two *two, const char *repair_from, Report *report, const char *expected)
{
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result = { 0 };
  VtreeFsckOptions options = { .repair_from = repair_from };
  try_fsck (two, options, report, &result, &error);
  g_assert_no_error (error);
  g_ptr_array_sort (report->lines, compare_lines);
  g_ptr_array_add (report->lines, NULL);
  g_autofree char *lines = g_strjoinv ("\n", (char **) report->lines->pdata);
  g_assert_cmpstr (lines, ==, expected);
  return result;
}

/* The path of an object, or a Merkle file, by the name that the table has for it. */
static char *
place (const Two *two, const char *what)
{
  const RepoFixture *repo = &two->versions.repo;
  if (strcmp (what, "small") == 0)
    return repo_fixture_object (repo, &two->object_small);
  if (strcmp (what, "large") == 0)
    return repo_fixture_object (repo, &two->object_large);
  if (strcmp (what, "merkle") == 0)
    return repo_fixture_merkle (repo, &two->object_large);
  if (strcmp (what, "manifest1") == 0)
    return repo_fixture_object (repo, &two->manifest[0]);
  g_assert_cmpstr (what, ==, "manifest2");
  return repo_fixture_object (repo, &two->manifest[1]);
}

static void
test_clean (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (Report) report = { 0 };
  VtreeFsckResult result = expect (&two, NULL, &report, "");
  g_assert_cmpuint (result.refs, ==, 1);
  g_assert_cmpuint (result.versions, ==, 2);
  g_assert_cmpuint (result.manifests, ==, 2);
  g_assert_cmpuint (result.objects, ==, 4);
  g_assert_cmpuint (result.missing + result.corrupt + result.untrusted, ==, 0);
  g_assert_cmpuint (report.done, ==, report.total);
  g_assert_cmpuint (report.total, ==, result.bytes);
}

/* --- damage ----------------------------------------------------------------------- */

static void
damage_flip (const char *path)
{
  repo_fixture_flip (path, 7);
}

static void
damage_remove (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
damage_directory (const char *path)
{
  damage_remove (path);
  g_assert_cmpint (g_mkdir (path, 0755), ==, 0);
}

static void
damage_symlink (const char *path)
{
  damage_remove (path);
  g_assert_cmpint (symlink ("/etc/passwd", path), ==, 0);
}

static void
damage_truncate (const char *path)
{
  g_assert_cmpint (truncate (path, 1), ==, 0);
}

#define SMALL_HARMED(kind)                                                             \
  kind " app@1 small /d/link\n" kind " app@1 small /small\n" kind                      \
       " app@2 small /d/link\n" kind " app@2 small /small"

static const struct {
  const char *name;
  const char *what;
  void (*damage) (const char *path);
  const char *expected;
  uint64_t missing, corrupt;
} damages[] = {
  { "flip", "small", damage_flip, SMALL_HARMED ("corrupt"), 0, 1 },
  { "missing", "small", damage_remove, SMALL_HARMED ("missing"), 1, 0 },
  { "directory", "small", damage_directory, SMALL_HARMED ("corrupt"), 0, 1 },
  { "symlink", "small", damage_symlink, SMALL_HARMED ("corrupt"), 0, 1 },
  { "truncated", "small", damage_truncate, SMALL_HARMED ("corrupt"), 0, 1 },
  { "flip-large", "large", damage_flip, "corrupt app@2 large /d/large", 0, 1 },
  { "flip-merkle", "merkle", damage_flip, "corrupt - large -", 0, 1 },
  { "missing-merkle", "merkle", damage_remove, "", 0, 0 },
  { "flip-manifest", "manifest1", damage_flip, "corrupt app@1 manifest1 -", 0, 1 },
  { "missing-manifest", "manifest2", damage_remove, "missing app@2 manifest2 -", 1, 0 },
};

static void
test_damage (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *path = place (&two, damages[i].what);
  damages[i].damage (path);
  g_auto (Report) report = { 0 };
  VtreeFsckResult result = expect (&two, NULL, &report, damages[i].expected);
  g_assert_cmpuint (result.missing, ==, damages[i].missing);
  g_assert_cmpuint (result.corrupt, ==, damages[i].corrupt);
}

/* --- repair ----------------------------------------------------------------------- */

/* A directory with the files' contents under other names, and distractions. */
static char *
make_source (const Two *two)
{
  char *dir = vtree_test_make_dir ();
  g_autofree char *deep = g_build_filename (dir, "a", "b", NULL);
  g_autofree char *small = g_build_filename (deep, "x", NULL);
  g_autofree char *large = g_build_filename (dir, "y", NULL);
  g_autofree char *other = g_build_filename (dir, "a", "same-size", NULL);
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  g_autofree char *loop = g_build_filename (dir, "loop", NULL);
  g_assert_cmpint (g_mkdir_with_parents (deep, 0755), ==, 0);
  g_assert_true (g_file_set_contents (small, "contents", 8, NULL));
  g_assert_true (g_file_set_contents (other, "CONTENTS", 8, NULL));
  g_assert_true (
    g_file_set_contents (large, (const char *) two->large, (gssize) LARGE, NULL));
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (symlink (".", loop), ==, 0);
  return dir;
}

static const struct {
  const char *name;
  const char *what;
  void (*damage) (const char *path);
  const char *expected;
} repairs[] = {
  { "flip", "small", damage_flip, "repaired - small -" },
  { "missing", "small", damage_remove, "repaired - small -" },
  { "directory", "small", damage_directory, "repaired - small -" },
  { "symlink", "small", damage_symlink, "repaired - small -" },
  { "flip-large", "large", damage_flip, "repaired - large -" },
  { "flip-merkle", "merkle", damage_flip, "repaired - large -" },
};

static void
test_repair (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *source = make_source (&two);
  g_autofree char *path = place (&two, repairs[i].what);
  repairs[i].damage (path);
  g_auto (Report) report = { 0 };
  VtreeFsckResult result = expect (&two, source, &report, repairs[i].expected);
  g_assert_cmpuint (result.repaired, ==, 1);
  g_assert_cmpuint (result.missing + result.corrupt, ==, 0);
  expect (&two, NULL, &report, "");
  g_assert_cmpuint (repo_fixture_count (&two.versions.repo, "tmp"), ==, 0);
}

/* A repository has the manifest too; what it reaches is then repaired as well. */
static void
test_repair_from_repository (void)
{
  g_auto (Two) good = { 0 };
  g_auto (Two) bad = { 0 };
  two_init (&good);
  two_init (&bad);
  static const char *const all[] = { "manifest1", "manifest2", "small", "large" };
  for (size_t i = 0; i < G_N_ELEMENTS (all); i++) {
    g_autofree char *path = place (&bad, all[i]);
    (i % 2 ? damage_flip : damage_remove) (path);
  }
  g_auto (Report) report = { 0 };
  VtreeFsckResult result
    = expect (&bad, good.versions.repo.path, &report,
              "repaired - large -\nrepaired - manifest1 -\nrepaired - manifest2 -\n"
              "repaired - small -");
  g_assert_cmpuint (result.repaired, ==, 4);
  expect (&bad, NULL, &report, "");
}

static void
test_repair_in_vain (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *source = vtree_test_make_dir ();
  g_autofree char *path = place (&two, "large");
  g_autofree char *manifest = place (&two, "manifest1");
  damage_flip (path);
  damage_flip (manifest);
  g_auto (Report) report = { 0 };
  expect (&two, source, &report,
          "corrupt app@1 manifest1 -\ncorrupt app@2 large /d/large");
  for (guint i = 0; i < report.messages->len; i++) {
    const char *message = g_ptr_array_index (report.messages, i);
    const char *told = strstr (message, "does not have it");
    g_assert_nonnull (told);
    g_assert_null (strstr (told + 1, "does not have it")); /* once */
  }
}

static void
test_repair_from_nowhere (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *path = place (&two, "small");
  damage_flip (path);
  g_auto (Report) report = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result;
  VtreeFsckOptions options = { .repair_from = "/absent" };
  g_assert_false (try_fsck (&two, options, &report, &result, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOENT, "/absent");
}

/* --- statements ------------------------------------------------------------------- */

static void
move_in (const Two *two, const char *from, const char *to)
{
  g_autofree char *source = repo_fixture_path (&two->versions.repo, from);
  g_autofree char *target = repo_fixture_path (&two->versions.repo, to);
  g_autofree char *dir = g_path_get_dirname (target);
  g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
  g_assert_cmpint (g_rename (source, target), ==, 0);
}

static void
hurt_signature_missing (Two *two)
{
  g_autofree char *path = repo_fixture_path (&two->versions.repo, "refs/app/2.sig");
  damage_remove (path);
}

static void
hurt_statement (Two *two)
{
  g_autofree char *path = repo_fixture_path (&two->versions.repo, "refs/app/2.root");
  repo_fixture_flip (path, 20);
}

static void
hurt_signature (Two *two)
{
  g_autofree char *path = repo_fixture_path (&two->versions.repo, "refs/app/2.sig");
  g_assert_true (g_file_set_contents (path, "ed25519 nonsense\n", -1, NULL));
}

static void
hurt_version (Two *two)
{
  move_in (two, "refs/app/1.root", "refs/app/7.root");
  move_in (two, "refs/app/1.sig", "refs/app/7.sig");
}

static void
hurt_head (Two *two)
{
  g_autofree char *path = repo_fixture_path (&two->versions.repo, "refs/app/head");
  g_assert_true (g_file_set_contents (path, "9\n", -1, NULL));
}

static void
hurt_head_text (Two *two)
{
  g_autofree char *path = repo_fixture_path (&two->versions.repo, "refs/app/head");
  g_assert_true (g_file_set_contents (path, "nine\n", -1, NULL));
}

static void
hurt_trust (Two *two)
{
  g_autofree char *path
    = g_build_filename (vtree_paths_keys (two->versions.paths), "test.pem", NULL);
  damage_remove (path);
}

/* What a commit without --sign, or an interrupted one, leaves is no fault. */
static void
hurt_not (Two *two)
{
  VersionFile files[] = { { "small", "contents", 8 }, { 0 } };
  VersionSpec spec = { "app", 3, files, VERSION_UNSIGNED | VERSION_KEEP_HEAD };
  VtreeDigest digest = versions_fixture_put (&two->versions, &spec);
  name_object (two, &digest, "manifest3");
}

static const struct {
  const char *name;
  void (*hurt) (Two *two);
  const char *expected;
} statements[] = {
  { "unsigned-head", hurt_signature_missing, "untrusted app@2 - -" },
  { "unsigned-newer", hurt_not, "" },
  { "statement-flipped", hurt_statement, "corrupt app@2 - -\nuntrusted app@2 - -" },
  { "signature-malformed", hurt_signature, "corrupt app@2 - -" },
  { "other-version", hurt_version, "corrupt app@7 - -" },
  { "head-missing", hurt_head, "missing app - -" },
  { "head-malformed", hurt_head_text, "corrupt app - -" },
  { "nobody-trusted", hurt_trust, "untrusted app@1 - -\nuntrusted app@2 - -" },
};

static void
test_statement (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (Two) two = { 0 };
  two_init (&two);
  statements[i].hurt (&two);
  g_auto (Report) report = { 0 };
  expect (&two, NULL, &report, statements[i].expected);
}

/* --- the rest --------------------------------------------------------------------- */

static void
test_unreachable (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  VtreeDigest stray = repo_fixture_put (&two.versions.repo, "stray", 5);
  name_object (&two, &stray, "stray");
  g_auto (Report) report = { 0 };
  VtreeFsckResult result = expect (&two, NULL, &report, "");
  g_assert_cmpuint (result.objects, ==, 5);
  g_autofree char *path = repo_fixture_object (&two.versions.repo, &stray);
  repo_fixture_flip (path, 0);
  result = expect (&two, NULL, &report, "corrupt - stray -");
  g_assert_cmpuint (result.corrupt, ==, 1);
}

/* Objects that only another ref needs are not looked at. */
static void
test_chosen_refs (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  VersionFile files[] = { { "own", "own", 3 }, { 0 } };
  VersionSpec spec = { "other/ref", 1, files, 0 };
  versions_fixture_put (&two.versions, &spec);
  g_autofree char *path = place (&two, "small");
  damage_flip (path);
  g_auto (Report) report = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result;
  const char *const refs[] = { "other/ref", NULL };
  VtreeFsckOptions options = { .refs = refs };
  g_assert_true (try_fsck (&two, options, &report, &result, &error));
  g_assert_cmpuint (report.lines->len, ==, 0);
  g_assert_cmpuint (result.objects, ==, 2);
  const char *const absent[] = { "absent", NULL };
  options.refs = absent;
  g_assert_false (try_fsck (&two, options, &report, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "absent");
}

static void
test_stale_temporary (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_autofree char *dead = repo_fixture_path (&two.versions.repo, "tmp/dead");
  g_autofree char *half = repo_fixture_path (&two.versions.repo, "refs/app/.tmp-1");
  g_assert_cmpint (g_mkdir (dead, 0700), ==, 0);
  g_assert_true (g_file_set_contents (half, "x", 1, NULL));
  g_auto (Report) report = { 0 };
  VtreeFsckResult result = expect (&two, NULL, &report, "");
  g_assert_cmpuint (result.stale_temporary, ==, 2);
  g_assert_true (g_file_test (dead, G_FILE_TEST_IS_DIR));
}

static void
test_busy (void)
{
  g_auto (Two) two = { 0 };
  two_init (&two);
  g_auto (VtreeFd) lock = -1;
  g_auto (Report) report = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeFsckResult result;
  VtreeFsckOptions options = { .wait = 0 };
  g_assert_true (vtree_repo_lock (two.versions.repo.repo, VTREE_REPO_LOCK_EXCLUSIVE, 0,
                                  &lock, &error));
  g_assert_false (try_fsck (&two, options, &report, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, NULL);
}

#define ADD_TABLE(prefix, table, function)                                             \
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++) {                                  \
    g_autofree char *path = g_strdup_printf (prefix "/%s", (table)[i].name);           \
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);                       \
  }

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/fsck/clean", test_clean);
  ADD_TABLE ("/manifest/fsck/damage", damages, test_damage);
  ADD_TABLE ("/manifest/fsck/repair", repairs, test_repair);
  g_test_add_func ("/manifest/fsck/repair-from-repository",
                   test_repair_from_repository);
  g_test_add_func ("/manifest/fsck/repair-in-vain", test_repair_in_vain);
  g_test_add_func ("/manifest/fsck/repair-from-nowhere", test_repair_from_nowhere);
  ADD_TABLE ("/manifest/fsck/statement", statements, test_statement);
  g_test_add_func ("/manifest/fsck/unreachable", test_unreachable);
  g_test_add_func ("/manifest/fsck/chosen-refs", test_chosen_refs);
  g_test_add_func ("/manifest/fsck/stale-temporary", test_stale_temporary);
  g_test_add_func ("/manifest/fsck/busy", test_busy);
  return vtree_test_run ();
}
