/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a name resolves to, and every way in which it must not. */
#include "tests/lib/test.h"
#include "tests/unit/manifest/release-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define NAME RELEASE_REF

static const VtreeResolveOptions forced = { .raise_mark = true, .force = true };

/* --- what is accepted ------------------------------------------------------------- */

static void
test_accepted (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 3, .signers = 1u << BOB | 1u << MALLORY });
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved = release_resolve (f, NAME, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (resolved->statement->ref, ==, NAME);
  g_assert_cmpstr (resolved->key_name, ==, "bob");
  g_autoptr (VtreePublicKey) bob = vtree_private_key_public (f->key[BOB], NULL);
  g_assert_true (vtree_key_id_equal (&resolved->key, vtree_public_key_id (bob)));
  vtree_test_assert_digest_equal (&resolved->manifest, &f->manifest[0]);
  g_assert_cmpuint (resolved->manifest_size, ==, f->size[0]);
  g_assert_cmpuint (resolved->notes->len, ==, 0);
  release_assert_mark (f, 3);
}

static void
test_looking_raises_no_mark (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  VtreeResolveOptions looking = { .raise_mark = false };
  release_put (f, &(Release){ .version = 3 });
  release_assert_accepted (f, NAME, &looking, 3, NULL);
  release_assert_mark (f, 0);
}

static void
test_newer_raises (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_accept_five (f);
  release_put (f, &(Release){ .version = 9, .manifest = 1 });
  release_assert_accepted (f, NAME, NULL, 9, NULL);
  release_assert_mark (f, 9);
}

static void
test_named_newer_raises (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_accept_five (f);
  release_put (f, &(Release){ .version = 9 });
  release_set_head (f, NAME, 5);
  release_assert_accepted (f, NAME "@9", NULL, 9, NULL);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_ROLLBACK, "older than version 9");
}

static void
test_no_such_thing (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_assert_refused (f, "none", NULL, VTREE_ERROR_MISSING, "no such ref");
  release_assert_refused (f, "none@3", NULL, VTREE_ERROR_MISSING, "no such ref");
  release_put (f, &(Release){ .version = 5 });
  release_assert_refused (f, NAME "@3", NULL, VTREE_ERROR_MISSING, "no version 3");
  g_autofree char *head
    = g_build_filename (vtree_repo_path (f->repo), "refs", NAME, "head", NULL);
  g_assert_cmpint (unlink (head), ==, 0);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_MISSING, "no signed version yet");
}

/* --- signatures and keys ---------------------------------------------------------- */

static void
test_unsigned (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  release_put_bytes (f, NAME, 1, root, NULL);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not signed");
  release_assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "is not signed");
}

static void
test_unknown_key (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .signers = 1u << MALLORY });
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not trusted here");
  release_assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED,
                          "is not trusted here");
  release_assert_mark (f, 0);
}

static void
test_revoked_key (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  release_write (vtree_paths_revoked (f->paths), "alice.pem", f->pem[ALICE]);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "which is revoked");
  release_assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "which is revoked");
}

static void
test_key_for_another_prefix (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_write (vtree_paths_keys (f->paths), "apps/mallory.pem", f->pem[MALLORY]);
  release_put (f, &(Release){ .signers = 1u << MALLORY });
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED,
                          "only refs under 'apps'");
  release_put (f, &(Release){ .ref = "apps/x", .signers = 1u << MALLORY });
  release_assert_accepted (f, "apps/x", NULL, 1, NULL);
}

/* A key of one prefix can't pass its release off as another ref's. */
static void
test_prefix_key_by_another_name (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_write (vtree_paths_keys (f->paths), "apps/mallory.pem", f->pem[MALLORY]);
  Release release = { .signers = 1u << MALLORY };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, release.signers);
  release_put_bytes (f, "apps/x", 1, root, sig);
  release_assert_refused (f, "apps/x", NULL, VTREE_ERROR_UNTRUSTED,
                          "signed for another ref, '" NAME "'");
}

static void
test_signature_over_other_bytes (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 }, altered = { .version = 2 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  g_autoptr (GBytes) other = release_statement (f, &altered);
  release_put_bytes (f, NAME, 2, other, sig);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED,
                          "is not over this statement");
  release_assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "is not over this");
}

/* The file alone is not what is signed: a signature made for something else does not
 * become one for a statement. */
static void
test_signature_without_context (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  g_autoptr (VtreePublicKey) alice = vtree_private_key_public (f->key[ALICE], NULL);
  uint8_t value[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (f->key[ALICE], g_bytes_get_data (root, NULL),
                                         g_bytes_get_size (root), value, NULL));
  g_assert_true (
    vtree_signatures_add (signatures, vtree_public_key_id (alice), value, NULL));
  g_autoptr (GBytes) sig = vtree_signatures_serialize (signatures);
  release_put_bytes (f, NAME, 1, root, sig);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED,
                          "is not over this statement");
}

static void
test_malformed_signatures (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .version = 1 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = g_bytes_new_static ("rubbish\n", 8);
  release_put_bytes (f, NAME, 1, root, sig);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "signature file, line 1");
}

/* Rubbish is only called malformed when somebody who is trusted signed it. */
static void
test_nothing_is_parsed_before_it_is_verified (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GBytes) root = g_bytes_new_static ("vtree-root 1\nrubbish\n", 21);
  g_autoptr (GBytes) untrusted = release_sign (f, root, 1u << MALLORY);
  release_put_bytes (f, NAME, 1, root, untrusted);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED, "is not trusted here");
  g_autoptr (GBytes) trusted = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 1, root, trusted);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_CORRUPT, "root statement, line 2");
}

static void
test_key_file (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .signers = 1u << MALLORY });
  release_write (f->dir, "mallory.pub", f->pem[MALLORY]);
  g_autofree char *path = g_build_filename (f->dir, "mallory.pub", NULL);
  VtreeResolveOptions options = { .key_file = path };
  release_assert_accepted (f, NAME, &options, 1, NULL);
  release_put (f, &(Release){ .signers = 1u << ALICE });
  release_assert_refused (f, NAME, &options, VTREE_ERROR_UNTRUSTED,
                          "is not trusted here");
}

static void
test_another_ref (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  Release release = { .ref = "os/testing", .version = 5 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  release_put_bytes (f, NAME, 5, root, sig);
  release_assert_refused (f, NAME, NULL, VTREE_ERROR_UNTRUSTED,
                          "signed for another ref, 'os/testing'");
  release_assert_refused (f, NAME, &forced, VTREE_ERROR_UNTRUSTED, "another ref");
  release_assert_mark (f, 0);
}

/* --- other ways in ---------------------------------------------------------------- */

static void
test_digest_spec (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  char text[VTREE_DIGEST_TEXT_MAX];
  vtree_digest_format (&f->manifest[0], text);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved = release_resolve (f, text, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (resolved->statement);
  vtree_test_assert_digest_equal (&resolved->manifest, &f->manifest[0]);
  g_assert_cmpuint (resolved->manifest_size, ==, f->size[0]);
  VtreeResolveOptions other = { .digest = &f->manifest[1] };
  VtreeResolveOptions bounded = { .min_version = 1 };
  release_assert_refused (f, text, &other, VTREE_ERROR_CORRUPT, "digest= wants");
  release_assert_refused (f, text, &bounded, VTREE_ERROR_INVALID, "has no version");
  text[7] = text[7] == '0' ? '1' : '0';
  release_assert_refused (f, text, NULL, VTREE_ERROR_MISSING, "there is no manifest");
}

static void
test_statement_outside (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  VtreeResolveOptions options = { .paths = f->paths, .raise_mark = true };
  Release release = { .version = 4 };
  g_autoptr (GBytes) root = release_statement (f, &release);
  g_autoptr (GBytes) sig = release_sign (f, root, 1u << ALICE);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved
    = vtree_resolve_statement (NAME, root, sig, &options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (resolved->statement->version, ==, 4);
  release_assert_mark (f, 4);
  g_assert_null (vtree_resolve_statement (NAME, root, NULL, &options, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "is not signed");
  g_clear_error (&error);
  g_assert_null (vtree_resolve_statement ("os/testing", root, sig, &options, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "another ref");
}

/* --- opening ---------------------------------------------------------------------- */

static char *
object_path (ReleaseFixture *f)
{
  char path[VTREE_DIGEST_PATH_MAX];
  return g_build_filename (vtree_repo_path (f->repo), "objects",
                           vtree_digest_path (&f->manifest[0], path), NULL);
}

static VtreeView *
open_view (ReleaseFixture *f, uint64_t size, GError **error)
{
  g_autoptr (VtreeStore) store = vtree_store_new (f->repo, NULL);
  g_autoptr (VtreeResolved) resolved = release_resolve (f, NAME, NULL, NULL);
  g_assert_nonnull (resolved);
  resolved->manifest_size = size;
  return vtree_resolved_open (resolved, store, VTREE_VERITY_AUTO, error);
}

/* What gc asks: can it have the manifest for itself? */
static bool
is_held (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  bool held = flock (fd, LOCK_EX | LOCK_NB) < 0;
  close (fd);
  return held;
}

static void
test_open_holds_the_manifest (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  g_autofree char *path = object_path (f);
  g_autoptr (GError) error = NULL;
  VtreeView *view = open_view (f, f->size[0], &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_view_totals (view)->inodes, ==, 1);
  g_assert_true (is_held (path));
  vtree_view_unref (view);
  g_assert_false (is_held (path));
}

/* Waits until so many of our descriptors are open on the file of ST. */
static void
wait_for_descriptors (const struct stat *st, unsigned wanted)
{
  for (unsigned count = 0; count < wanted; g_usleep (1000)) {
    g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
    const char *name;
    count = 0;
    while ((name = g_dir_read_name (dir)) != NULL) {
      /* By name: another thread's descriptors are nobody's to use. */
      g_autofree char *link = g_build_filename ("/proc/self/fd", name, NULL);
      struct stat other;
      count += stat (link, &other) == 0 && other.st_ino == st->st_ino
               && other.st_dev == st->st_dev;
    }
  }
}

static gpointer
open_in_thread (gpointer data)
{
  ReleaseFixture *f = data;
  g_autoptr (GError) error = NULL;
  VtreeView *view = open_view (f, f->size[0], &error);
  g_assert_no_error (error);
  return view;
}

/* Another file takes the manifest's place while it is being opened, under the lock of
 * whoever replaces it: what is held in the end is the new one. */
static void
test_open_while_it_is_replaced (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  g_autofree char *path = object_path (f);
  g_autofree char *other = g_strconcat (path, ".new", NULL);
  g_autofree char *bytes = NULL;
  gsize size;
  struct stat st;
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  g_assert_true (g_file_set_contents (other, bytes, (gssize) size, NULL));
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  GThread *thread = g_thread_new ("open", open_in_thread, f);
  wait_for_descriptors (&st, 2);
  g_assert_cmpint (rename (other, path), ==, 0);
  vtree_fd_replace_take (&fd, -1);
  VtreeView *view = g_thread_join (thread);
  g_assert_true (is_held (path));
  vtree_view_unref (view);
}

static void
test_open_checks_the_object (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  release_put (f, &(Release){ .version = 1 });
  g_autofree char *path = object_path (f);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_view (f, f->size[0] + 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "manifest sha256:");
  g_assert_null (strstr (error->message, "object ")); /* the same digest again */
  g_clear_error (&error);
  g_assert_cmpint (chmod (path, 0644), ==, 0);
  g_auto (VtreeFd) fd = open (path, O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, "X", 1, 100), ==, 1);
  g_assert_null (open_view (f, f->size[0], &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "manifest sha256:");
  g_clear_error (&error);
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_null (open_view (f, f->size[0], &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "manifest sha256:");
}

#define ADD(name, func)                                                                \
  g_test_add ("/manifest/resolve/" name, ReleaseFixture, NULL, release_set_up, func,   \
              release_tear_down)

static void
add_trust (void)
{
  ADD ("unsigned", test_unsigned);
  ADD ("unknown-key", test_unknown_key);
  ADD ("revoked-key", test_revoked_key);
  ADD ("key-for-another-prefix", test_key_for_another_prefix);
  ADD ("prefix-key-by-another-name", test_prefix_key_by_another_name);
  ADD ("signature-over-other-bytes", test_signature_over_other_bytes);
  ADD ("signature-without-context", test_signature_without_context);
  ADD ("malformed-signatures", test_malformed_signatures);
  ADD ("nothing-is-parsed-before-it-is-verified",
       test_nothing_is_parsed_before_it_is_verified);
  ADD ("key-file", test_key_file);
  ADD ("another-ref", test_another_ref);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("accepted", test_accepted);
  ADD ("looking-raises-no-mark", test_looking_raises_no_mark);
  ADD ("newer-raises", test_newer_raises);
  ADD ("named-newer-raises", test_named_newer_raises);
  ADD ("no-such-thing", test_no_such_thing);
  add_trust ();
  ADD ("digest-spec", test_digest_spec);
  ADD ("statement-outside", test_statement_outside);
  ADD ("open-holds-the-manifest", test_open_holds_the_manifest);
  ADD ("open-while-it-is-replaced", test_open_while_it_is_replaced);
  ADD ("open-checks-the-object", test_open_checks_the_object);
  return vtree_test_run ();
}
