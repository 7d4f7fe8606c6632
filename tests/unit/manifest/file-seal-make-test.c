/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing and checking on a fake kernel that has fs-verity, on a fake filesystem that
 * is on the list; places; who has a file open for writing.
 */
#include "core/filesystem.h"
#include "core/writer.h"
#include "manifest/file-seal-check.h"
#include "manifest/file-seal-make.h"
#include "tests/unit/core/certificate.h"
#include "tests/unit/core/fake-kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the place of core/filesystem.c, whatever the tests' directory is on. */
bool
vtree_filesystem_enforces_verity (int fd, bool *enforces, GError **error)
{
  (void) fd;
  (void) error;
  *enforces = true;
  return true;
}

char *
vtree_filesystem_name (int fd)
{
  (void) fd;
  return g_strdup ("fakefs");
}

typedef struct {
  char *dir;
  char *file; /* in DIR, with the contents "text" */
  VtreePaths *paths;
  VtreeTrust *trust;
  GPtrArray *signers;
  VtreeObjectSigner *object_signer; /* NULL but where a test makes one */
} Fixture;

static void
write_file (const char *path, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (
    g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, &error));
  g_assert_no_error (error);
  g_assert_cmpint (chmod (path, 0644), ==, 0);
}

static void
trust_key (Fixture *f, const VtreePrivateKey *key)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (key, &error);
  g_autofree char *pem = vtree_public_key_to_pem (public);
  g_autofree char *file
    = g_build_filename (vtree_paths_keys (f->paths), "key.pem", NULL);
  g_assert_cmpint (g_mkdir_with_parents (vtree_paths_keys (f->paths), 0755), ==, 0);
  write_file (file, pem);
  f->trust = vtree_trust_load (f->paths, NULL, &error);
  g_assert_no_error (error);
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  VtreePrivateKey *key = vtree_private_key_generate (NULL);
  fake_kernel_begin ();
  f->dir = vtree_test_make_dir ();
  f->file = g_build_filename (f->dir, "file", NULL);
  f->paths = vtree_paths_new_for_system (f->dir);
  trust_key (f, key);
  f->signers = vtree_signers_new ();
  g_ptr_array_add (f->signers, vtree_signer_new_for_key_take (key, NULL));
  write_file (f->file, "text");
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_ptr_array_unref (f->signers);
  vtree_object_signer_free (f->object_signer);
  vtree_trust_free (f->trust);
  vtree_paths_free (f->paths);
  g_free (f->file);
  g_free (f->dir);
  fake_kernel_end ();
}

static bool
seal (Fixture *f, VtreeFileSealResult *result, GError **error)
{
  const VtreeFileSealOptions options = { .paths = f->paths,
                                         .trust = f->trust,
                                         .signers = f->signers,
                                         .object_signer = f->object_signer };
  return vtree_file_seal_make (&options, f->file, result, error);
}

/* Seals, and expects that the kernel enforces it. */
static void
seal_well (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  g_assert_true (seal (f, &result, &error));
  g_assert_no_error (error);
  g_assert_true (result.enforced);
  g_assert_true (result.trusted);
  g_assert_null (result.not_enforced);
  g_assert_true (fake_kernel_enforces (f->file));
}

static void
assert_verdict (Fixture *f, VtreeFileSealVerdict verdict, bool enforced)
{
  const VtreeFileSealChecker checker = { .paths = f->paths, .trust = f->trust };
  g_auto (VtreeFileSealAnswer) answer = { .place = NULL };
  vtree_file_seal_check (&checker, f->file, &answer);
  g_assert_cmpstr (vtree_file_seal_verdict_name (answer.verdict), ==,
                   vtree_file_seal_verdict_name (verdict));
  g_assert_cmpint (answer.enforced, ==, enforced);
}

static void
test_enforced (Fixture *f, gconstpointer unused)
{
  (void) unused;
  seal_well (f);
  g_assert_cmpuint (fake_kernel.enabled, ==, 1);
  assert_verdict (f, VTREE_FILE_SEAL_SEALED, true);
  seal_well (f); /* again: it has verity already, with our parameters */
  g_assert_cmpuint (fake_kernel.enabled, ==, 1);
  assert_verdict (f, VTREE_FILE_SEAL_SEALED, true);
}

/* Where the kernel enforces, its word is all that is asked for: nothing is read. */
static void
test_only_measured (Fixture *f, gconstpointer unused)
{
  (void) unused;
  seal_well (f);
  int fd = open (f->file, O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (write (fd, "TEXT", 4), ==, 4);
  g_assert_cmpint (close (fd), ==, 0);
  assert_verdict (f, VTREE_FILE_SEAL_SEALED, true);
  fake_kernel_spoil (f->file);
  assert_verdict (f, VTREE_FILE_SEAL_ALTERED, true);
}

static void
test_other_parameters (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  seal_well (f);
  fake_kernel_spoil (f->file);
  g_assert_false (seal (f, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED, "a salt");
}

/* A file with verity and without a seal: what a kill leaves. */
static void
test_half_done (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_auto (VtreeFd) fd = open (f->file, O_RDONLY | O_CLOEXEC);
  g_assert_true (vtree_kernel_enable (fd, VTREE_DIGEST_SHA256, NULL));
  assert_verdict (f, VTREE_FILE_SEAL_UNSEALED, false);
  seal_well (f);
  assert_verdict (f, VTREE_FILE_SEAL_SEALED, true);
}

static const struct {
  GQuark (*domain) (void); /* NULL: it is signed only */
  const char *part;
  int errnum;
  int code;
} refusals[] = {
  { NULL, "this fakefs has no fs-verity", EOPNOTSUPP, 0 },
  { NULL, "this fakefs has no fs-verity", ENOTTY, 0 },
  { NULL, "this fakefs has no fs-verity", EINVAL, 0 },
  { vtree_error_quark, "immutable", EPERM, VTREE_ERROR_FAILED },
  { vtree_error_quark, "may not write", EACCES, VTREE_ERROR_FAILED },
  { vtree_errno_error_quark, "file: enable verity", ENOSPC, ENOSPC },
  { vtree_errno_error_quark, "file: enable verity", EIO, EIO },
};

/* Inability is said and the file signed; anything else is an error, and no seal. */
static void
test_refusals (Fixture *f, gconstpointer unused)
{
  (void) unused;
  for (size_t i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) error = NULL;
    g_auto (VtreeFileSealResult) result = { .seal = NULL };
    g_test_message ("%s", g_strerror (refusals[i].errnum));
    g_assert_cmpint (unlink (f->file), ==, 0);
    write_file (f->file, "text");
    fake_kernel.enable_errnum = refusals[i].errnum;
    bool ok = seal (f, &result, &error);
    g_assert_cmpint (ok, ==, refusals[i].domain == NULL);
    if (ok) {
      g_assert_cmpstr (result.not_enforced, ==, refusals[i].part);
      assert_verdict (f, VTREE_FILE_SEAL_SEALED, false);
    } else {
      vtree_test_assert_error (error, refusals[i].domain (), refusals[i].code,
                               refusals[i].part);
      assert_verdict (f, VTREE_FILE_SEAL_UNSEALED, false);
    }
  }
}

/* A seal is old as soon as its file was unsealed, whoever puts it back. */
static void
test_unsealed_is_old (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  VtreeUnsealResult result;
  g_autofree char *whole = NULL;
  g_autofree char *beside = g_strconcat (f->file, VTREE_FILE_SEAL_SUFFIX, NULL);
  const VtreeFileSealOptions options
    = { .paths = f->paths, .trust = f->trust, .detached = true, .signers = f->signers };
  g_auto (VtreeFileSealResult) sealed = { .seal = NULL };
  g_assert_true (vtree_file_seal_make (&options, f->file, &sealed, &error));
  g_assert_true (g_file_get_contents (beside, &whole, NULL, NULL));
  g_assert_true (
    vtree_file_seal_unmake (f->paths, f->trust, f->file, 0, &result, &error));
  g_assert_no_error (error);
  g_assert_false (result.gone);
  assert_verdict (f, VTREE_FILE_SEAL_UNSEALED, false);
  write_file (beside, whole);
  assert_verdict (f, VTREE_FILE_SEAL_OLDER, false);
}

/* --- built-in signatures ---------------------------------------------------------- */

/* False, and the test is skipped, without openssl. */
static bool
make_object_signer (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return false;
  g_autofree char *key = g_build_filename (f->dir, "object.pem", NULL);
  g_autofree char *cert = g_build_filename (f->dir, "object.crt", NULL);
  g_assert_cmpint (g_rename (certificate.key, key), ==, 0);
  g_assert_cmpint (g_rename (certificate.cert, cert), ==, 0);
  f->object_signer = vtree_object_signer_new (key, cert, &error);
  g_assert_no_error (error);
  return true;
}

/* What the kernel was handed is a signature over what it measures. */
static void
assert_built_in (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest;
  bool enforced;
  g_auto (VtreeFd) fd = open (f->file, O_RDONLY | O_CLOEXEC);
  g_assert_true (vtree_kernel_measure (fd, &enforced, &digest, &error));
  g_autoptr (GBytes) expected
    = vtree_object_signer_sign (f->object_signer, &digest, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) signature = fake_kernel_signature_of (f->file);
  g_assert_nonnull (signature);
  g_assert_true (g_bytes_equal (signature, expected)); /* RSA: always the same */
}

static void
test_signed (Fixture *f, gconstpointer unused)
{
  (void) unused;
  if (!make_object_signer (f))
    return;
  fake_kernel.requires_signatures = true;
  seal_well (f);
  assert_built_in (f);
  seal_well (f); /* it has one already */
  g_assert_cmpuint (fake_kernel.enabled, ==, 1);
  assert_verdict (f, VTREE_FILE_SEAL_SEALED, true);
  fake_kernel.requires_signatures = false;
  g_clear_pointer (&f->object_signer, vtree_object_signer_free);
  seal_well (f);
}

/* Seals, which has to fail and to say PART, and leaves neither seal nor verity. */
static void
refuse (Fixture *f, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  g_assert_false (seal (f, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
  assert_verdict (f, VTREE_FILE_SEAL_UNSEALED, false);
}

/* Asked for a signature, it does not go on without. */
static void
test_signed_impossible (Fixture *f, gconstpointer unused)
{
  (void) unused;
  if (!make_object_signer (f))
    return;
  fake_kernel.enable_errnum = EOPNOTSUPP;
  refuse (f, VTREE_ERROR_UNSUPPORTED,
          "to have a built-in signature, but this fakefs has no fs-verity");
  fake_kernel.enable_errnum = EPERM;
  refuse (f, VTREE_ERROR_FAILED, "immutable");
  fake_kernel.enable_errnum = 0;
  fake_kernel.supported = false;
  refuse (f, VTREE_ERROR_UNSUPPORTED, "no built-in fs-verity signatures");
  fake_kernel.supported = true;
  fake_kernel.lies = true;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  g_assert_false (seal (f, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "kernel measured");
}

/* A signature can't be added later; nor is one needed where nobody asks for it. */
static void
test_signed_too_late (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFileSealResult) result = { .seal = NULL };
  seal_well (f);
  if (!make_object_signer (f))
    return;
  g_assert_false (seal (f, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                           "no built-in signature that can be seen");
  assert_verdict (f, VTREE_FILE_SEAL_SEALED, true);
}

static void
test_signature_required (Fixture *f, gconstpointer unused)
{
  (void) unused;
  fake_kernel.requires_signatures = true;
  refuse (f, VTREE_ERROR_FAILED, "--object-key and --object-cert make one");
}

/* --- what was known --------------------------------------------------------------- */

static void
assert_known (Fixture *f, bool known)
{
  const VtreeFileSealChecker checker = { .paths = f->paths, .trust = f->trust };
  g_auto (VtreeFileSealAnswer) answer = { .place = NULL };
  vtree_file_seal_check (&checker, f->file, &answer);
  g_assert_cmpint (answer.known, ==, known);
}

/* A seal that was accepted is remembered by its name, whether the file is replaced or
 * gone; unsealing forgets it. */
static void
test_known (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  VtreeUnsealResult result;
  assert_known (f, false);
  seal_well (f);
  assert_known (f, false); /* it has its seal */
  g_assert_cmpint (unlink (f->file), ==, 0);
  assert_known (f, true);
  write_file (f->file, "other");
  assert_known (f, true);
  assert_verdict (f, VTREE_FILE_SEAL_UNSEALED, false);
  g_assert_true (
    vtree_file_seal_unmake (f->paths, f->trust, f->file, 0, &result, &error));
  assert_known (f, false);
}

/* --- places ----------------------------------------------------------------------- */

static void
test_places (void)
{
  static const struct {
    const char *path;
    const char *place;
  } rows[] = {
    { "/home/u/x", "~/x" },     { "/home/u/a/~/b", "~/a/~/b" },
    { "/home/u", "/home/u" },   { "/home/u2/x", "/home/u2/x" },
    { "/etc/~/x", "/etc/~/x" },
  };
  g_unsetenv ("XDG_CONFIG_HOME");
  g_unsetenv ("XDG_DATA_HOME");
  g_unsetenv ("XDG_STATE_HOME");
  g_autoptr (VtreePaths) paths = vtree_paths_new_for_user ("/home/u/", NULL);
  g_assert_cmpstr (vtree_paths_sealed (paths), ==, "/home/u/.local/state/vtree/sealed");
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *place = vtree_file_seal_place (paths, rows[i].path);
    g_assert_cmpstr (place, ==, rows[i].place);
    g_autofree char *path = vtree_file_seal_place_path (paths, place);
    g_assert_cmpstr (path, ==, rows[i].path);
  }
}

/* Root's are absolute; so are those of a user whose home is the root directory. */
static void
test_places_without_home (void)
{
  g_autoptr (VtreePaths) root = vtree_paths_new_for_system ("");
  g_autofree char *of_root = vtree_file_seal_place (root, "/root/x");
  g_assert_cmpstr (of_root, ==, "/root/x");
  g_autoptr (VtreePaths) user = vtree_paths_new_for_user ("/", NULL);
  g_autofree char *of_user = vtree_file_seal_place (user, "/x");
  g_assert_cmpstr (of_user, ==, "/x");
}

/* The home directory by its other name is the same place; the home can move. */
static void
test_home_through_a_symlink (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *real = g_build_filename (dir, "real", NULL);
  g_autofree char *home = g_build_filename (dir, "home", NULL);
  g_autofree char *file = g_build_filename (real, "x", NULL);
  g_autoptr (VtreePaths) paths = vtree_paths_new_for_user (home, NULL);
  g_assert_cmpint (g_mkdir (real, 0700), ==, 0);
  g_assert_cmpint (symlink ("real", home), ==, 0);
  g_autofree char *place = vtree_file_seal_place (paths, file);
  g_assert_cmpstr (place, ==, "~/x");
}

/* --- writers ---------------------------------------------------------------------- */

static void
test_writers (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *file = g_build_filename (dir, "x", NULL);
  struct stat st;
  int writer = open (file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (fstat (writer, &st), ==, 0);
  g_autofree char *who = vtree_writer_find (&st);
  g_autofree char *self = g_strdup_printf ("process %d (", (int) getpid ());
  g_assert_true (g_str_has_prefix (who, self));
  g_assert_cmpint (close (writer), ==, 0);
  int reader = open (file, O_RDONLY | O_CLOEXEC);
  g_assert_null (vtree_writer_find (&st));
  g_assert_cmpint (close (reader), ==, 0);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
#define ADD(name, test)                                                                \
  g_test_add ("/manifest/file-seal-make/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("enforced", test_enforced);
  ADD ("only-measured", test_only_measured);
  ADD ("other-parameters", test_other_parameters);
  ADD ("half-done", test_half_done);
  ADD ("refusals", test_refusals);
  ADD ("unsealed-is-old", test_unsealed_is_old);
  ADD ("signed", test_signed);
  ADD ("signed-impossible", test_signed_impossible);
  ADD ("signed-too-late", test_signed_too_late);
  ADD ("signature-required", test_signature_required);
  ADD ("known", test_known);
  g_test_add_func ("/manifest/file-seal-target/places", test_places);
  g_test_add_func ("/manifest/file-seal-target/without-home", test_places_without_home);
  g_test_add_func ("/manifest/file-seal-target/home-through-a-symlink",
                   test_home_through_a_symlink);
  g_test_add_func ("/core/writer", test_writers);
  return vtree_test_run ();
}
