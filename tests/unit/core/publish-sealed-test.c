/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small files that are sealed before they get their name, on a fake kernel.
 */
#include "core/beneath.h"
#include "core/publish.h"
#include "tests/unit/core/certificate.h"
#include "tests/unit/core/fake-kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define LIMIT 100

typedef struct {
  char *dir;
  char *path; /* of the file "x" in it */
  VtreeFd fd;
} Fixture;

static void
set_up (Fixture *fixture)
{
  fake_kernel_begin ();
  fixture->dir = vtree_test_make_dir ();
  fixture->path = g_build_filename (fixture->dir, "x", NULL);
  fixture->fd = open (fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
fixture_clear (Fixture *fixture)
{
  g_free (fixture->dir);
  g_free (fixture->path);
  vtree_fd_close (fixture->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static bool
publish (const Fixture *fixture, const char *text, const VtreeSeal *seal,
         GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (text, strlen (text));
  return vtree_publish_sealed (fixture->fd, "x", bytes, 0644, VTREE_PUBLISH_REPLACE,
                               seal, error);
}

static void
assert_contents (const Fixture *fixture, const char *text)
{
  g_autofree char *found = NULL;
  g_assert_true (g_file_get_contents (fixture->path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, text);
}

static const struct {
  const char *name;
  VtreeVerityPolicy policy;
  int errnum; /* of enabling */
  bool sealed;
  bool ok;
} rows[] = {
  { "auto", VTREE_VERITY_AUTO, 0, true, true },
  { "require", VTREE_VERITY_REQUIRE, 0, true, true },
  { "off", VTREE_VERITY_OFF, 0, false, true },
  { "no-feature", VTREE_VERITY_AUTO, EOPNOTSUPP, false, true },
  { "no-ioctl", VTREE_VERITY_REQUIRE, ENOTTY, false, true },
  { "block-size", VTREE_VERITY_AUTO, EINVAL, false, true },
  { "signed-ones-only", VTREE_VERITY_AUTO, EPERM, false, true },
  { "full-disk", VTREE_VERITY_AUTO, ENOSPC, false, false },
  { "bad-disk", VTREE_VERITY_AUTO, EIO, false, false },
};

/* Inability is no error; a full or a failing disk is, and leaves the old file. */
static void
test_policy (gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  g_auto (Fixture) fixture = { .fd = -1 };
  set_up (&fixture);
  g_autoptr (GError) error = NULL;
  VtreeSeal seal = { rows[row].policy, VTREE_DIGEST_SHA256, NULL };
  g_assert_true (publish (&fixture, "old", NULL, &error));
  g_assert_false (fake_kernel_enforces (fixture.path));
  fake_kernel.enable_errnum = rows[row].errnum;
  g_assert_cmpint (publish (&fixture, "new", &seal, &error), ==, rows[row].ok);
  g_assert_cmpint (fake_kernel_enforces (fixture.path), ==, rows[row].sealed);
  if (rows[row].ok)
    g_assert_no_error (error);
  else
    vtree_test_assert_error (error, VTREE_ERRNO_ERROR, rows[row].errnum, "seal x");
  assert_contents (&fixture, rows[row].ok ? "new" : "old");
}

static VtreeObjectSigner *
make_signer (void)
{
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return NULL;
  g_autoptr (GError) error = NULL;
  VtreeObjectSigner *signer
    = vtree_object_signer_new (certificate.key, certificate.cert, &error);
  g_assert_no_error (error);
  return signer;
}

/* With a signer there is no going on without. */
static void
test_signed (void)
{
  g_auto (Fixture) fixture = { .fd = -1 };
  set_up (&fixture);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeObjectSigner) signer = make_signer ();
  VtreeSeal seal = { VTREE_VERITY_AUTO, VTREE_DIGEST_SHA512, signer };
  if (signer == NULL)
    return;
  fake_kernel.requires_signatures = true;
  g_assert_true (publish (&fixture, "one", &seal, &error));
  g_autoptr (GBytes) signature = fake_kernel_signature_of (fixture.path);
  g_assert_nonnull (signature);
  fake_kernel.enable_errnum = EOPNOTSUPP;
  g_assert_false (publish (&fixture, "two", &seal, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EOPNOTSUPP, "seal x");
  assert_contents (&fixture, "one");
}

static bool
again (const Fixture *fixture, const VtreeSeal *seal)
{
  g_autoptr (GError) error = NULL;
  bool done = false;
  g_assert_true (vtree_publish_again (fixture->fd, "x", LIMIT, seal, &done, &error));
  g_assert_no_error (error);
  return done;
}

/* What is there is sealed once, with its bytes and its mode. */
static void
test_again (void)
{
  g_auto (Fixture) fixture = { .fd = -1 };
  set_up (&fixture);
  VtreeSeal seal = { VTREE_VERITY_AUTO, VTREE_DIGEST_SHA256, NULL };
  struct stat st;
  g_assert_false (again (&fixture, &seal)); /* there is no such file */
  g_assert_true (publish (&fixture, "one", NULL, NULL));
  g_assert_true (again (&fixture, &seal));
  g_assert_true (fake_kernel_enforces (fixture.path));
  assert_contents (&fixture, "one");
  g_assert_cmpint (stat (fixture.path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0644);
  g_assert_false (again (&fixture, &seal));
  g_assert_cmpuint (fake_kernel_inode (fixture.path), ==, st.st_ino);
}

static void
test_again_signed (void)
{
  g_auto (Fixture) fixture = { .fd = -1 };
  set_up (&fixture);
  g_autoptr (VtreeObjectSigner) signer = make_signer ();
  VtreeSeal plain = { VTREE_VERITY_AUTO, VTREE_DIGEST_SHA256, NULL };
  VtreeSeal seal = { VTREE_VERITY_AUTO, VTREE_DIGEST_SHA256, signer };
  if (signer == NULL)
    return;
  g_assert_true (publish (&fixture, "one", &plain, NULL));
  g_assert_true (again (&fixture, &seal));
  g_autoptr (GBytes) signature = fake_kernel_signature_of (fixture.path);
  g_assert_nonnull (signature);
  g_assert_false (again (&fixture, &seal));
  g_assert_false (again (&fixture, &plain));
}

static void
test_again_too_long (void)
{
  g_auto (Fixture) fixture = { .fd = -1 };
  set_up (&fixture);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strnfill (LIMIT + 1, 'x');
  VtreeSeal seal = { VTREE_VERITY_AUTO, VTREE_DIGEST_SHA256, NULL };
  bool done = true;
  g_assert_true (publish (&fixture, text, NULL, NULL));
  g_assert_false (vtree_publish_again (fixture.fd, "x", LIMIT, &seal, &done, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, NULL);
  g_assert_false (done);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name = g_strconcat ("/core/publish-sealed/", rows[i].name, NULL);
    g_test_add_data_func (name, GSIZE_TO_POINTER (i), test_policy);
  }
  g_test_add_func ("/core/publish-sealed/signed", test_signed);
  g_test_add_func ("/core/publish-sealed/again", test_again);
  g_test_add_func ("/core/publish-sealed/again-signed", test_again_signed);
  g_test_add_func ("/core/publish-sealed/again-too-long", test_again_too_long);
  int status = vtree_test_run ();
  fake_kernel_end ();
  return status;
}
