/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commits: what they publish, what they refuse, and that a failed one changes
 * nothing. */
#include "core/mark.h"
#include "manifest/commit.h"
#include "manifest/present.h"
#include "tests/unit/manifest/checkout-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REF "os/test"

typedef struct {
  CheckoutFixture base;
  VtreePaths *paths;
  GPtrArray *signers;
  char *dir; /* to commit */
  VtreeCommitOptions options;
} CommitFixture;

static void
add_signer (GPtrArray *signers)
{
  g_autoptr (GError) error = NULL;
  VtreePrivateKey *key = vtree_private_key_generate (&error);
  g_assert_no_error (error);
  VtreeSigner *signer = vtree_signer_new_for_key_take (key, &error);
  g_assert_no_error (error);
  g_ptr_array_add (signers, signer);
}

static void
set_up (CommitFixture *f)
{
  *f = (CommitFixture){ .signers = vtree_signers_new () };
  checkout_fixture_init (&f->base);
  g_autofree char *home = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (home);
  add_signer (f->signers);
  add_signer (f->signers);
  f->dir = vtree_test_make_dir ();
  tree_fixture_text (f->dir, "etc/motd", "welcome");
  tree_fixture_file (f->dir, "bin/sh", 600 * 1024, 3);
  f->options = (VtreeCommitOptions){
    .ref = REF, .signers = f->signers, .paths = f->paths, .wait = 0
  };
}

static void
tear_down (CommitFixture *f)
{
  checkout_fixture_clear (&f->base);
  g_clear_pointer (&f->paths, vtree_paths_free);
  g_clear_pointer (&f->signers, g_ptr_array_unref);
  g_clear_pointer (&f->dir, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CommitFixture, tear_down)

static bool
try_commit (CommitFixture *f, VtreeCommitResult *result, GError **error)
{
  g_auto (VtreeCommitResult) done = { 0 };
  if (!vtree_commit (f->base.repo, f->dir, &f->options, &f->base.capture, &done, error))
    return false;
  *result = done;
  result->replaced = NULL;
  return true;
}

static VtreeCommitResult
commit (CommitFixture *f)
{
  g_autoptr (GError) error = NULL;
  VtreeCommitResult result = { 0 };
  try_commit (f, &result, &error);
  g_assert_no_error (error);
  return result;
}

static void
expect_failure (CommitFixture *f, GQuark domain, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  VtreeCommitResult result = { 0 };
  g_assert_false (try_commit (f, &result, &error));
  vtree_test_assert_error (error, domain, code, part);
}

/* The head's version; 0 for none. */
static uint64_t
head_of (const CommitFixture *f)
{
  g_autoptr (GError) error = NULL;
  bool found;
  uint64_t version = 0;
  vtree_refs_head (f->base.repo, REF, &found, &version, &error);
  g_assert_no_error (error);
  return found ? version : 0;
}

static VtreeStatement *
statement_of (const CommitFixture *f, uint64_t version, GBytes **sig)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) root = NULL;
  vtree_refs_load (f->base.repo, REF, version, &root, sig, &error);
  g_assert_no_error (error);
  size_t size;
  const void *data = g_bytes_get_data (root, &size);
  VtreeStatement *statement = vtree_statement_parse (data, size, &error);
  g_assert_no_error (error);
  return statement;
}

static void
test_publishes (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  f.options.message = "the first one";
  f.options.expires = g_get_real_time () / G_USEC_PER_SEC + 1000;
  VtreeCommitResult result = commit (&f);
  g_assert_cmpuint (result.version, ==, 1);
  g_assert_cmpuint (head_of (&f), ==, 1);
  g_assert_cmpuint (result.totals.regular, ==, 2);
  g_assert_cmpuint (result.totals.directories, ==, 3);
  g_assert_cmpuint (result.stats.new_objects, ==, 3); /* the manifest too */
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (f.dir, &f.base.capture);
  g_autofree char *digest = tree_fixture_digest (manifest);
  vtree_test_assert_digest_text (&result.manifest, digest);
  g_autoptr (GBytes) sig = NULL;
  g_autoptr (VtreeStatement) statement = statement_of (&f, 1, &sig);
  g_assert_cmpstr (statement->ref, ==, REF);
  g_assert_cmpuint (statement->size, ==, g_bytes_get_size (manifest));
  g_assert_cmpint (statement->expires, ==, f.options.expires);
  g_assert_cmpstr (vtree_statement_extra (statement, "x-message"), ==, "the first one");
  g_assert_false (statement->has_parent);
  vtree_test_assert_digest_equal (&statement->manifest, &result.manifest);
  size_t size;
  const void *data = g_bytes_get_data (sig, &size);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_parse (data, size, NULL);
  g_assert_cmpuint (vtree_signatures_count (signatures), ==, 2);
  VtreeMark mark;
  bool found;
  g_assert_true (vtree_mark_load (f.paths, REF, &found, &mark, NULL));
  g_assert_true (found);
  g_assert_cmpuint (mark.version, ==, 1);
  vtree_test_assert_digest_equal (&mark.manifest, &result.manifest);
}

static void
test_again_is_the_same_manifest (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  VtreeCommitResult first = commit (&f);
  VtreeCommitResult second = commit (&f);
  g_assert_cmpuint (second.version, ==, 2);
  vtree_test_assert_digest_equal (&first.manifest, &second.manifest);
  g_assert_cmpuint (second.stats.new_objects, ==, 0);
  g_assert_cmpuint (second.stats.shared_objects, ==, 3);
  g_autoptr (GBytes) sig = NULL;
  g_autoptr (VtreeStatement) statement = statement_of (&f, 2, &sig);
  g_assert_true (statement->has_parent);
  vtree_test_assert_digest_equal (&statement->parent, &first.manifest);
}

static void
test_versions (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  f.options.version = 7;
  g_assert_cmpuint (commit (&f).version, ==, 7);
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_ROLLBACK, "version 7 is not above 7");
  f.options.version = 6;
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_ROLLBACK, "which is the head");
  f.options.version = 0;
  g_assert_cmpuint (commit (&f).version, ==, 8);
  VtreeMark mark = { .version = 100, .manifest = { .alg = VTREE_DIGEST_SHA256 } };
  g_assert_true (vtree_mark_raise (f.paths, REF, &mark, NULL));
  f.options.version = 50;
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_ROLLBACK, "which is the mark");
  f.options.version = 0;
  g_assert_cmpuint (commit (&f).version, ==, 101);
  f.options.version = UINT64_MAX;
  g_assert_cmpuint (commit (&f).version, ==, UINT64_MAX);
  f.options.version = 0;
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_LIMIT, "no version above");
}

static void
write_statement (const CommitFixture *f, const char *version, const char *text)
{
  g_autofree char *name = g_strdup_printf ("refs/" REF "/%s.root", version);
  g_autofree char *path = g_build_filename (vtree_repo_path (f->base.repo), name, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* What looks like versions above the head and is none stops nobody, and is left; nor
 * does one that leaves no number above it. */
static void
test_versions_malformed (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  g_assert_cmpuint (commit (&f).version, ==, 1);
  write_statement (&f, "2", "vtree-root 1\n");
  write_statement (&f, "18446744073709551615", "");
  g_autofree char *path
    = g_build_filename (vtree_repo_path (f.base.repo), "refs/" REF "/3.root", NULL);
  g_assert_cmpint (mkdir (path, 0755), ==, 0);
  g_assert_cmpuint (commit (&f).version, ==, 4);
  g_autofree char *other
    = g_strdup_printf ("vtree-root 1\nref: %s\nversion: 18446744073709551615\ncreated: "
                       "2020-01-01T00:00:00Z\nmanifest: sha256:%064d\nsize: 1\n",
                       REF, 0);
  write_statement (&f, "18446744073709551615", other);
  g_assert_cmpuint (commit (&f).version, ==, 5);
}

/* What nobody has signed is not the head, and its number is not used again. */
static void
test_unsigned (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  commit (&f);
  f.options.signers = NULL;
  g_assert_cmpuint (commit (&f).version, ==, 2);
  g_assert_cmpuint (head_of (&f), ==, 1);
  g_autoptr (GBytes) sig = NULL;
  g_autoptr (VtreeStatement) statement = statement_of (&f, 2, &sig);
  g_assert_null (sig);
  f.options.signers = f.signers;
  g_assert_cmpuint (commit (&f).version, ==, 3);
  g_assert_cmpuint (head_of (&f), ==, 3);
}

static void
test_refusals (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  f.options.ref = "../x";
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_INVALID, "../x");
  f.options.ref = REF;
  f.options.message = "two\nlines";
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_INVALID, NULL);
  f.options.message = NULL;
  f.options.expires = 1;
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_INVALID, "have expired already");
  f.options.expires = 0;
  g_autofree char *dir = g_steal_pointer (&f.dir);
  f.dir = tree_fixture_path (dir, "missing");
  expect_failure (&f, VTREE_ERRNO_ERROR, ENOENT, "missing");
  g_free (f.dir);
  f.dir = g_path_get_dirname (f.base.path);
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_INVALID, "--exclude=/repo");
  g_assert_cmpuint (head_of (&f), ==, 0);
}

static void
test_shared_repository (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  g_autoptr (GError) error = NULL;
  g_autofree char *home = vtree_test_make_dir ();
  g_autofree char *path = tree_fixture_path (home, "shared");
  VtreeRepoOptions shared = { .digest = VTREE_DIGEST_SHA256, .shared = true };
  g_assert_true (vtree_repo_init (path, &shared, NULL));
  vtree_repo_free (f.base.repo);
  f.base.repo = vtree_repo_open (path, &error);
  g_assert_no_error (error);
  tree_fixture_mode (f.dir, ".", 0755);
  tree_fixture_mode (f.dir, "etc/motd", 0600);
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_FAILED, "etc/motd: not readable by");
  f.options.allow_secret = true;
  g_assert_cmpuint (commit (&f).version, ==, 1);
}

/* What counts is who can enter it, not what its configuration says. */
static void
test_opened_repository (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  tree_fixture_mode (f.dir, ".", 0755);
  tree_fixture_mode (f.dir, "etc/motd", 0600);
  g_assert_cmpuint (commit (&f).version, ==, 1);
  g_assert_no_errno (chmod (vtree_repo_path (f.base.repo), 0711));
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_FAILED, "etc/motd: not readable by");
}

static void
test_busy (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  commit (&f);
  g_auto (VtreeFd) lock = -1;
  g_assert_true (vtree_refs_lock (f.base.repo, REF, 0, &lock, NULL));
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_BUSY, NULL);
  vtree_fd_replace_take (&lock, -1);
  g_assert_true (
    vtree_repo_lock (f.base.repo, VTREE_REPO_LOCK_EXCLUSIVE, 0, &lock, NULL));
  expect_failure (&f, VTREE_ERROR, VTREE_ERROR_BUSY, NULL);
}

/* A corrupt object is replaced, and said. */
static void
test_replaces_bad_objects (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  VtreeCommitResult first = commit (&f);
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (f.dir, &f.base.capture);
  VtreeInode inode = tree_fixture_inode (manifest, "etc/motd");
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeDigest digest;
  uint64_t size;
  g_assert_true (vtree_view_object (view, inode.object, &digest, &size, NULL));
  char name[VTREE_DIGEST_PATH_MAX];
  g_autofree char *path
    = g_strconcat (f.base.path, "/objects/", vtree_digest_path (&digest, name), NULL);
  g_assert_cmpint (chmod (path, 0644), ==, 0);
  g_assert_true (g_file_set_contents (path, "WELCOME", -1, NULL));
  g_autoptr (GError) error = NULL;
  g_auto (VtreeCommitResult) second = { 0 };
  vtree_commit (f.base.repo, f.dir, &f.options, &f.base.capture, &second, &error);
  g_assert_no_error (error);
  vtree_test_assert_digest_equal (&first.manifest, &second.manifest);
  g_assert_cmpuint (second.replaced->len, ==, 1);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&f.base, manifest, target);
}

typedef struct {
  const char *name;
  VtreeTestCall call;
  int errnum;
} FaultRow;

static const FaultRow faults[] = {
  { "full-disk", VTREE_TEST_WRITE, ENOSPC },
  { "bad-disk", VTREE_TEST_SYNC, EIO },
};

/* Every write, and every sync, of a commit fails in turn: the old release stays as it
 * was until the new one is whole, and the next commit just works. */
static void
test_fault (gconstpointer data)
{
  const FaultRow *row = data;
  g_auto (CommitFixture) f;
  set_up (&f);
  commit (&f);
  bool failed = true;
  for (unsigned allowed = 0; failed; allowed++) {
    tree_fixture_file (f.dir, "new", 1000, allowed);
    uint64_t before = head_of (&f);
    vtree_test_fault_fail (row->call, allowed, row->errnum);
    g_autoptr (GError) error = NULL;
    VtreeCommitResult result = { 0 };
    failed = !try_commit (&f, &result, &error);
    vtree_test_fault_clear ();
    if (failed) {
      g_assert_error (error, VTREE_ERRNO_ERROR, row->errnum);
      bool published = strstr (error->message, "is committed, but") != NULL;
      g_assert_true (published ? head_of (&f) > before : head_of (&f) == before);
    }
    g_assert_cmpuint (allowed, <, 200);
  }
  VtreeCommitResult last = commit (&f);
  g_autoptr (GBytes) manifest = tree_fixture_capture_ok (f.dir, &f.base.capture);
  g_autofree char *digest = tree_fixture_digest (manifest);
  vtree_test_assert_digest_text (&last.manifest, digest);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&f.base, manifest, target);
}

/* A version is seen only when the objects (one sync), their names (another) and its own
 * bytes (a third) are on the disk: a power cut before leaves none that a gc would stop
 * at. */
static void
test_no_statement_before_its_objects (void)
{
  for (unsigned allowed = 0; allowed < 3; allowed++) {
    g_auto (CommitFixture) f;
    set_up (&f);
    commit (&f);
    tree_fixture_text (f.dir, "new", "file");
    vtree_test_fault_fail (VTREE_TEST_SYNC, allowed, EIO);
    g_autoptr (GError) error = NULL;
    VtreeCommitResult result = { 0 };
    bool ok = try_commit (&f, &result, &error);
    vtree_test_fault_clear ();
    g_assert_false (ok);
    g_assert_error (error, VTREE_ERRNO_ERROR, EIO);
    g_autoptr (GArray) versions = vtree_refs_versions (f.base.repo, REF, NULL);
    g_assert_cmpuint (versions->len, ==, 1);
  }
}

/* Two of the whole filesystem, and those of statement, signatures, head and mark,
 * however many files. */
static void
test_syncs_are_few (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  vtree_test_fault_clear ();
  commit (&f);
  unsigned few = vtree_test_fault_calls (VTREE_TEST_SYNC);
  for (unsigned i = 0; i < 100; i++) {
    g_autofree char *name = g_strdup_printf ("many/%u", i);
    tree_fixture_file (f.dir, name, 100 + i * 50, i);
  }
  vtree_test_fault_clear ();
  commit (&f);
  unsigned many = vtree_test_fault_calls (VTREE_TEST_SYNC);
  vtree_test_fault_clear ();
  g_assert_cmpuint (many, <=, few);
}

/* Whether there is a thread for it or not. */
static void
test_present (void)
{
  g_auto (CommitFixture) f;
  set_up (&f);
  VtreeCommitResult result = commit (&f);
  for (unsigned allowed = 0; allowed < 2; allowed++) {
    vtree_test_fault_clear ();
    vtree_test_fault_fail (VTREE_TEST_THREAD, allowed, EAGAIN);
    g_autoptr (VtreePresent) present
      = vtree_present_new (f.base.repo, &result.manifest, result.manifest_size);
    g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_THREAD), ==, 1);
    vtree_test_fault_clear ();
    GHashTable *digests = vtree_present_wait (present);
    g_assert_cmpuint (g_hash_table_size (digests), ==, 2);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/manifest/commit/publishes", test_publishes);
  g_test_add_func ("/manifest/commit/again-is-the-same-manifest",
                   test_again_is_the_same_manifest);
  g_test_add_func ("/manifest/commit/versions", test_versions);
  g_test_add_func ("/manifest/commit/versions-malformed", test_versions_malformed);
  g_test_add_func ("/manifest/commit/unsigned", test_unsigned);
  g_test_add_func ("/manifest/commit/refusals", test_refusals);
  g_test_add_func ("/manifest/commit/shared-repository", test_shared_repository);
  g_test_add_func ("/manifest/commit/opened-repository", test_opened_repository);
  g_test_add_func ("/manifest/commit/busy", test_busy);
  g_test_add_func ("/manifest/commit/replaces-bad-objects", test_replaces_bad_objects);
  g_test_add_func ("/manifest/commit/no-statement-before-its-objects",
                   test_no_statement_before_its_objects);
  g_test_add_func ("/manifest/commit/syncs-are-few", test_syncs_are_few);
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autofree char *name = g_strconcat ("/manifest/commit/", faults[i].name, NULL);
    g_test_add_data_func (name, &faults[i], test_fault);
  }
  g_test_add_func ("/manifest/commit/present", test_present);
  return vtree_test_run ();
}
