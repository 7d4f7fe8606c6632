/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checkouts where the kernel enforces fs-verity: a fake one. Who is sealed, signed and
 * linked, and that nothing is seen of what fails.
 */
#include "tests/unit/core/certificate.h"
#include "tests/unit/core/fake-kernel.h"
#include "tests/unit/manifest/checkout-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
setup (CheckoutFixture *fixture)
{
  fake_kernel_begin ();
  checkout_fixture_init (fixture);
}

/* How many of DIR's regular files have verity, and how many have not. */
static struct {
  unsigned sealed, open;
} tally;

static int
tally_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) ftw;
  if (type == FTW_F && S_ISREG (st->st_mode)) {
    tally.sealed += fake_kernel_enforces (path) ? 1 : 0;
    tally.open += fake_kernel_enforces (path) ? 0 : 1;
  }
  return 0;
}

static void
count_sealed (const char *dir)
{
  tally.sealed = tally.open = 0;
  g_assert_cmpint (nftw (dir, tally_one, 20, FTW_PHYS), ==, 0);
}

static unsigned
count_names (const char *dir)
{
  g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
  g_assert_nonnull (open);
  unsigned count = 0;
  while (g_dir_read_name (open) != NULL)
    count++;
  return count;
}

static void
check_text (const char *dir, const char *path, const char *expected)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (full, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

static ino_t
inode_of (const char *dir, const char *path)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  return fake_kernel_inode (full);
}

static bool
is_sealed (const char *dir, const char *path)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  return fake_kernel_enforces (full);
}

static void
make_source (const char *dir)
{
  tree_fixture_text (dir, "a/file", "text");
  tree_fixture_mode (dir, "a/file", 0444);
  tree_fixture_text (dir, "a/tool", "program");
  tree_fixture_mode (dir, "a/tool", 0755);
  tree_fixture_symlink (dir, "a/link", "file");
  tree_fixture_file (dir, "b/one", 700000, 9);
  tree_fixture_link (dir, "b/two", "b/one");
  tree_fixture_text (dir, "empty", "");
}

/* --- who is sealed ---------------------------------------------------------------- */

/* All kinds of files, set-id bits, xattrs and read-only ones included, keep what they
 * have. */
static void
test_everything (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_fill (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  static const unsigned threads[] = { 1, 8 };
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++) {
    g_autofree char *target = checkout_fixture_target ();
    fixture.checkout.threads = threads[i];
    checkout_fixture_get (&fixture, manifest, target);
    count_sealed (target);
    g_assert_cmpuint (tally.open, ==, 0);
    g_assert_cmpuint (fixture.report.sealed, >, 10);
    g_assert_true (fixture.report.sealing);
    if (geteuid () == 0)
      checkout_fixture_rsync (dir, target);
  }
}

/* A plain user may enable verity on what he may write, before it gets its mode. */
static void
test_everything_as_user (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  bool became = tree_fixture_become_user (dir);
  {
    g_auto (CheckoutFixture) fixture;
    setup (&fixture);
    g_autofree char *source = tree_fixture_path (dir, "source");
    g_autofree char *target = tree_fixture_path (dir, "target");
    tree_fixture_directory (dir, "source");
    tree_fixture_fill (source);
    g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, source);
    checkout_fixture_get (&fixture, manifest, target);
    count_sealed (target);
    g_assert_cmpuint (tally.open, ==, 0);
    checkout_fixture_rsync (source, target);
  }
  tree_fixture_become_root (became);
}

static const struct {
  const char *name;
  VtreeVerityPolicy policy;
  bool supported;
  bool sealed; /* afterwards */
  bool fails;
} policies[] = {
  { "auto", VTREE_VERITY_AUTO, true, true, false },
  { "auto-without-support", VTREE_VERITY_AUTO, false, false, false },
  { "require", VTREE_VERITY_REQUIRE, true, true, false },
  { "require-without-support", VTREE_VERITY_REQUIRE, false, false, true },
  { "off", VTREE_VERITY_OFF, true, false, false },
};

/* To a new directory, an empty one, one to update, and a single file. */
static void
test_policy (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  static const char *const targets[] = { "new", "empty", "old", "file" };
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  fake_kernel.supported = policies[i].supported;
  fixture.checkout.verity = policies[i].policy;
  for (size_t n = 0; n < G_N_ELEMENTS (targets); n++) {
    g_autofree char *parent = vtree_test_make_dir ();
    g_autofree char *target = tree_fixture_path (parent, targets[n]);
    g_autoptr (GError) error = NULL;
    if (n == 1 || n == 2)
      tree_fixture_directory (parent, targets[n]);
    if (n == 2)
      tree_fixture_text (target, "other", "x");
    fixture.checkout.update = n == 2;
    fixture.checkout.path = n == 3 ? "a/file" : "";
    bool ok = checkout_fixture_try (&fixture, manifest, target, &error);
    g_assert_cmpint (ok, ==, !policies[i].fails);
    if (!ok) {
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                               "verity=require, but ");
      g_assert_cmpuint (count_names (parent), ==, n == 1 || n == 2);
      g_assert_cmpuint (n == 1 || n == 2 ? count_names (target) : n == 2, ==, n == 2);
      continue;
    }
    count_sealed (target);
    g_assert_cmpuint (tally.sealed, ==, policies[i].sealed ? (n == 3 ? 1 : 5) : 0);
    g_assert_cmpuint (fixture.report.sealed, ==,
                      policies[i].sealed ? (n == 3 ? 1 : 4) : 0);
    g_assert_cmpint (fixture.report.sealing, ==, policies[i].sealed);
  }
}

/* --- updates ---------------------------------------------------------------------- */

/* What became of FILE, and whether an update makes it anew. */
static const struct {
  const char *name;
  VtreeVerityPolicy before;
  VtreeVerityPolicy after;
  bool spoil; /* it is sealed with another digest */
  bool made;
} updates[] = {
  { "sealed", VTREE_VERITY_AUTO, VTREE_VERITY_AUTO, false, false },
  { "sealed-and-required", VTREE_VERITY_AUTO, VTREE_VERITY_REQUIRE, false, false },
  { "sealed-is-right-anyway", VTREE_VERITY_AUTO, VTREE_VERITY_OFF, false, false },
  { "unsealed", VTREE_VERITY_OFF, VTREE_VERITY_AUTO, false, true },
  { "unsealed-is-wanted", VTREE_VERITY_OFF, VTREE_VERITY_OFF, false, false },
  { "other-digest", VTREE_VERITY_AUTO, VTREE_VERITY_AUTO, true, true },
  { "other-digest-off", VTREE_VERITY_AUTO, VTREE_VERITY_OFF, true, true },
};

static void
test_update (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "d/file", "text");
  tree_fixture_text (dir, "d/empty", "");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  fixture.checkout.verity = updates[i].before;
  checkout_fixture_get (&fixture, manifest, target);
  g_autofree char *file = tree_fixture_path (target, "d/file");
  g_autofree char *empty = tree_fixture_path (target, "d/empty");
  if (updates[i].spoil) {
    fake_kernel_spoil (file);
    fake_kernel_spoil (empty);
  }
  ino_t before = fake_kernel_inode (file);
  fixture.checkout.update = true;
  fixture.checkout.verity = updates[i].after;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.files, ==, updates[i].made ? 2 : 0);
  g_assert_cmpuint (fixture.report.kept, ==, updates[i].made ? 0 : 2);
  g_assert_cmpint (fake_kernel_inode (file) != before, ==, updates[i].made);
  if (updates[i].after != VTREE_VERITY_OFF)
    g_assert_true (fake_kernel_enforces (file) && fake_kernel_enforces (empty));
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.files, ==, 0);
}

/* What is sealed is measured, and not read. */
static void
test_update_reads_nothing (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  g_autoptr (GError) error = NULL;
  unsigned enabled = fake_kernel.enabled;
  fixture.checkout.update = true;
  vtree_test_fault_clear ();
  vtree_checkout (view, fixture.store, target, &fixture.checkout, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 0);
  g_assert_cmpuint (fake_kernel.enabled, ==, enabled);
  g_assert_cmpuint (fixture.report.kept, ==, 6);
}

static void
test_single_file (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  g_autoptr (GError) error = NULL;
  fixture.checkout.path = "b/two";
  fixture.checkout.update = true;
  checkout_fixture_try (&fixture, manifest, target, &error);
  g_assert_no_error (error);
  g_assert_true (fake_kernel_enforces (target));
  ino_t before = fake_kernel_inode (target);
  checkout_fixture_try (&fixture, manifest, target, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fixture.report.kept, ==, 1);
  g_assert_cmpuint (fixture.report.files, ==, 0);
  g_assert_cmpuint (fake_kernel_inode (target), ==, before);
  fake_kernel_spoil (target);
  checkout_fixture_try (&fixture, manifest, target, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fake_kernel_inode (target), !=, before);
}

/* --- failures --------------------------------------------------------------------- */

/* Whatever fails in sealing fails before any name is given. */
static void
test_enable_fails (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  g_autofree char *file = tree_fixture_path (target, "a/file");
  g_assert_cmpint (unlink (file), ==, 0);
  tree_fixture_text (target, "a/file", "old");
  tree_fixture_text (target, "extra", "old");
  fixture.checkout.update = true;
  fake_kernel.enable_errnum = ENOSPC;
  g_autoptr (GError) error = NULL;
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOSPC, "a/file: object sha256:");
  check_text (target, "a/file", "old");
  check_text (target, "extra", "old");
  g_assert_cmpuint (count_names (target), ==, 4);
  g_autofree char *fresh = checkout_fixture_target ();
  g_autofree char *parent = g_path_get_dirname (fresh);
  g_clear_error (&error);
  fixture.checkout.update = false;
  g_assert_false (checkout_fixture_try (&fixture, manifest, fresh, &error));
  g_assert_cmpuint (count_names (parent), ==, 0);
}

/* The kernel measures what was really written. */
static void
test_corrupt_object (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "file", "text");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  VtreeInode inode = tree_fixture_inode (manifest, "file");
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeDigest digest;
  uint64_t size;
  char path[VTREE_DIGEST_PATH_MAX];
  g_assert_true (vtree_view_object (view, inode.object, &digest, &size, NULL));
  vtree_digest_path (&digest, path);
  g_autofree char *object = g_build_filename (fixture.path, "objects", path, NULL);
  g_assert_cmpint (chmod (object, 0644), ==, 0);
  g_autoptr (GError) error = NULL;
  g_assert_true (
    g_file_set_contents_full (object, "tExt", 4, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
  g_autofree char *target = checkout_fixture_target ();
  g_autofree char *parent = g_path_get_dirname (target);
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                           "file: object sha256:");
  g_assert_cmpuint (count_names (parent), ==, 0);
}

/* --- signatures ------------------------------------------------------------------- */

static bool
is_signed (const char *dir, const char *path)
{
  g_autofree char *full = tree_fixture_path (dir, path);
  g_autoptr (GBytes) signature = fake_kernel_signature_of (full);
  return signature != NULL;
}

static void
test_signatures (void)
{
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate.key, certificate.cert, &error);
  g_assert_no_error (error);
  g_autofree char *dir = vtree_test_make_dir ();
  make_source (dir);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_false (is_signed (target, "a/file"));
  fixture.checkout.update = true;
  fixture.checkout.signer = signer;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_true (is_signed (target, "a/file"));
  g_assert_true (is_signed (target, "empty"));
  g_assert_cmpuint (fixture.report.sealed, ==, 4);
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.files, ==, 0);
  fixture.checkout.hard_links = true; /* not to an object that is not signed */
  tree_fixture_mode (target, "a/file", 0400);
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.linked, ==, 0);
  g_assert_true (is_signed (target, "a/file"));
  fixture.checkout.verity = VTREE_VERITY_OFF;
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "verity=off");
  g_clear_error (&error);
  fixture.checkout.verity = VTREE_VERITY_AUTO;
  fake_kernel.supported = false;
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
}

/* --- hard links ------------------------------------------------------------------- */

static void
make_marked (const char *dir)
{
  tree_fixture_text (dir, "f", "x");
  tree_fixture_xattr (dir, "f", "user.a", "1", 1);
}

static void
make_twice (const char *dir)
{
  tree_fixture_text (dir, "f", "x");
  tree_fixture_link (dir, "g", "f");
}

static const struct {
  const char *name;
  unsigned mode;
  bool linked;
  void (*make) (const char *dir); /* NULL: a plain file */
} links[] = {
  { "read-only", 0444, true, NULL },        { "writable", 0644, true, NULL },
  { "for-the-group", 0664, true, NULL },    { "program", 0755, false, NULL },
  { "private", 0600, false, NULL },         { "group-only", 0440, false, NULL },
  { "set-gid", 02644, false, NULL },        { "xattr", 0644, false, make_marked },
  { "two-names", 0644, false, make_twice },
};

static struct stat
object_of (const CheckoutFixture *fixture, GBytes *manifest, const char *path)
{
  VtreeInode inode = tree_fixture_inode (manifest, path);
  g_autoptr (VtreeView) view = tree_fixture_view (manifest);
  VtreeDigest digest;
  uint64_t size;
  char name[VTREE_DIGEST_PATH_MAX];
  struct stat st;
  g_assert_true (vtree_view_object (view, inode.object, &digest, &size, NULL));
  vtree_digest_path (&digest, name);
  g_autofree char *object = g_build_filename (fixture->path, "objects", name, NULL);
  g_assert_cmpint (stat (object, &st), ==, 0);
  return st;
}

static void
test_link (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  if (links[i].make != NULL)
    links[i].make (dir);
  else
    tree_fixture_text (dir, "f", "x");
  tree_fixture_mode (dir, "f", links[i].mode);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  g_autoptr (GError) error = NULL;
  fixture.checkout.hard_links = true;
  fixture.checkout.update = true;
  struct stat object = object_of (&fixture, manifest, "f");
  for (unsigned round = 0; round < 2; round++) {
    checkout_fixture_try (&fixture, manifest, target, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (fixture.report.linked, ==, round == 0 && links[i].linked);
    g_assert_cmpuint (fixture.report.kept > 0, ==, round > 0);
    g_assert_cmpint (inode_of (target, "f") == object.st_ino, ==, links[i].linked);
    g_assert_true (is_sealed (target, "f"));
  }
  struct stat after = object_of (&fixture, manifest, "f");
  g_assert_cmpuint (after.st_mode, ==, object.st_mode);
  g_assert_cmpint (after.st_mtim.tv_nsec, ==, object.st_mtim.tv_nsec);
  fixture.checkout.hard_links = false;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (inode_of (target, "f"), !=, object.st_ino);
}

/* Whoever could write to the link could write to the store. */
static void
test_no_link_to_what_nobody_enforces (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  fake_kernel.supported = false;
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  fixture.checkout.hard_links = true;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.linked, ==, 0);
  struct stat object = object_of (&fixture, manifest, "f");
  g_assert_cmpuint (object.st_nlink, ==, 1);
}

static void
test_link_needs_the_owner (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root keeps owners");
    return;
  }
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  g_autofree char *path = tree_fixture_path (dir, "f");
  g_assert_cmpint (chown (path, 5, 6), ==, 0);
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  fixture.checkout.hard_links = true;
  checkout_fixture_get (&fixture, manifest, target);
  g_assert_cmpuint (fixture.report.linked, ==, 0);
}

/* An object that was changed under its name is measured before it is linked. */
static void
test_no_link_to_another_object (void)
{
  g_auto (CheckoutFixture) fixture;
  setup (&fixture);
  g_autofree char *dir = vtree_test_make_dir ();
  tree_fixture_text (dir, "f", "x");
  g_autoptr (GBytes) manifest = checkout_fixture_put (&fixture, dir);
  g_autofree char *target = checkout_fixture_target ();
  g_autoptr (GError) error = NULL;
  fixture.checkout.hard_links = true;
  fake_kernel.lies = true;
  g_assert_false (checkout_fixture_try (&fixture, manifest, target, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "f: ");
}

static void
add (const char *group, const char *name, size_t i, GTestDataFunc test)
{
  g_autofree char *path
    = g_strdup_printf ("/manifest/checkout-kernel/%s/%s", group, name);
  g_test_add_data_func (path, GSIZE_TO_POINTER (i), test);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (policies); i++)
    add ("policy", policies[i].name, i, test_policy);
  for (size_t i = 0; i < G_N_ELEMENTS (updates); i++)
    add ("update", updates[i].name, i, test_update);
  for (size_t i = 0; i < G_N_ELEMENTS (links); i++)
    add ("link", links[i].name, i, test_link);
  g_test_add_func ("/manifest/checkout-kernel/everything", test_everything);
  g_test_add_func ("/manifest/checkout-kernel/everything-as-user",
                   test_everything_as_user);
  g_test_add_func ("/manifest/checkout-kernel/update-reads-nothing",
                   test_update_reads_nothing);
  g_test_add_func ("/manifest/checkout-kernel/single-file", test_single_file);
  g_test_add_func ("/manifest/checkout-kernel/enable-fails", test_enable_fails);
  g_test_add_func ("/manifest/checkout-kernel/corrupt-object", test_corrupt_object);
  g_test_add_func ("/manifest/checkout-kernel/signatures", test_signatures);
  g_test_add_func ("/manifest/checkout-kernel/no-link-to-what-nobody-enforces",
                   test_no_link_to_what_nobody_enforces);
  g_test_add_func ("/manifest/checkout-kernel/link-needs-the-owner",
                   test_link_needs_the_owner);
  g_test_add_func ("/manifest/checkout-kernel/no-link-to-another-object",
                   test_no_link_to_another_object);
  int status = vtree_test_run ();
  fake_kernel_end ();
  return status;
}
