/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects on a filesystem that enforces fs-verity: this file stands in the place of
 * kernel.c and answers as a kernel would.
 */
#include "core/object.h"
#include "tests/lib/test.h"
#include "tests/unit/core/contents.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIZE ((uint64_t) 1024 * 1024 + 5)

/* What the simulated kernel says of every file. */
static struct {
  int errnum; /* 0: it answers */
  bool enforced;
  VtreeDigest digest;
} answer;

bool
vtree_kernel_measure (int fd, bool *enforced, VtreeDigest *digest, GError **error)
{
  (void) fd;
  if (answer.errnum != 0)
    return vtree_error_set_errno (error, answer.errnum, "measure verity");
  *enforced = answer.enforced;
  if (answer.enforced)
    *digest = answer.digest;
  return true;
}

bool
vtree_kernel_probe (int dirfd, VtreeDigestAlg alg, bool *supported, GError **error)
{
  (void) dirfd, (void) alg, (void) error;
  *supported = true;
  return true;
}

bool
vtree_kernel_enable (int fd, VtreeDigestAlg alg, GError **error)
{
  (void) fd, (void) alg, (void) error;
  return true;
}

typedef struct {
  Contents contents;
  VtreeObject *object;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void) data;
  contents_init (&fixture->contents, VTREE_DIGEST_SHA256, SIZE);
  answer.errnum = 0;
  answer.enforced = true;
  answer.digest = fixture->contents.digest;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_clear_pointer (&fixture->object, vtree_object_unref);
  contents_clear (&fixture->contents);
}

static bool
open_object (Fixture *fixture, VtreeVerityPolicy policy, GError **error)
{
  VtreeObjectSpec spec
    = { .digest = fixture->contents.digest, .size = SIZE, .policy = policy };
  fixture->object
    = vtree_object_new_take (contents_file (&fixture->contents),
                             contents_merkle_file (&fixture->contents), &spec, error);
  return fixture->object != NULL;
}

/* Plain reads, one a call: the kernel has done the rest. */
static void
test_enforced (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (
    open_object (fixture, (VtreeVerityPolicy) GPOINTER_TO_INT (data), &error));
  g_assert_cmpint (vtree_object_enforcer (fixture->object), ==, VTREE_ENFORCER_KERNEL);
  g_assert_cmpuint (vtree_object_descriptors (fixture->object), ==, 1);
  vtree_test_fault_clear ();
  g_assert_true (vtree_object_measure (fixture->object, &error));
  uint8_t read[5000];
  size_t got;
  g_assert_true (
    vtree_object_read (fixture->object, read, sizeof read, SIZE - 4000, &got, &error));
  vtree_test_assert_bytes (read, got, fixture->contents.data + SIZE - 4000, 4000);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 1);
  vtree_test_fault_clear ();
}

/* The kernel's own EIO for a bad page comes through as it is. */
static void
test_page_fails (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_true (open_object (fixture, VTREE_VERITY_AUTO, &error));
  uint8_t read[10];
  size_t got;
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_false (
    vtree_object_read (fixture->object, read, sizeof read, 0, &got, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "object sha256:");
}

static void
test_truncated (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_true (open_object (fixture, VTREE_VERITY_AUTO, &error));
  g_assert_cmpint (ftruncate (vtree_object_peek_fd (fixture->object), 10), ==, 0);
  uint8_t read[20];
  size_t got;
  g_assert_false (
    vtree_object_read (fixture->object, read, sizeof read, 0, &got, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "ends at 10");
}

/* Verity of another file, of another algorithm, or with a salt: not this object, under
 * AUTO too. */
static void
test_other_digest (Fixture *fixture, gconstpointer data)
{
  uint8_t value[VTREE_DIGEST_MAX_SIZE] = { 0 };
  VtreeDigestAlg alg = (VtreeDigestAlg) GPOINTER_TO_INT (data);
  if (alg == VTREE_DIGEST_SHA512)
    memcpy (value, fixture->contents.digest.value, 32);
  vtree_digest_init (&answer.digest, alg, value);
  for (unsigned policy = VTREE_VERITY_AUTO; policy <= VTREE_VERITY_REQUIRE; policy++) {
    g_autoptr (GError) error = NULL;
    g_assert_false (open_object (fixture, (VtreeVerityPolicy) policy, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT,
                             "kernel measured");
  }
}

static void
test_no_verity (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  answer.enforced = false;
  g_assert_true (open_object (fixture, VTREE_VERITY_AUTO, &error));
  g_assert_cmpint (vtree_object_enforcer (fixture->object), ==, VTREE_ENFORCER_DAEMON);
  g_clear_pointer (&fixture->object, vtree_object_unref);
  g_assert_false (open_object (fixture, VTREE_VERITY_REQUIRE, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED, "require");
}

static void
test_measure_fails (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  answer.errnum = EIO;
  g_assert_false (open_object (fixture, VTREE_VERITY_AUTO, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "measure verity");
  g_clear_error (&error);
  g_assert_true (open_object (fixture, VTREE_VERITY_OFF, &error));
  g_assert_cmpint (vtree_object_enforcer (fixture->object), ==, VTREE_ENFORCER_NONE);
}

static void
add (const char *name, int value, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/core/object-kernel/", name, NULL);
  g_test_add (path, Fixture, GINT_TO_POINTER (value), set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("enforced/auto", VTREE_VERITY_AUTO, test_enforced);
  add ("enforced/require", VTREE_VERITY_REQUIRE, test_enforced);
  add ("page-fails", 0, test_page_fails);
  add ("truncated", 0, test_truncated);
  add ("other-digest", VTREE_DIGEST_SHA256, test_other_digest);
  add ("other-algorithm", VTREE_DIGEST_SHA512, test_other_digest);
  add ("no-verity", 0, test_no_verity);
  add ("measure-fails", 0, test_measure_fails);
  return vtree_test_run ();
}
