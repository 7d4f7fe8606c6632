/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects that the daemon verifies, on a filesystem whose measurements count for
 * nothing (memory): every read gives the contents or an error, whatever happens to the
 * file. What the kernel enforces is in object-kernel-test.c.
 */
#include "core/merkle.h"
#include "core/object.h"
#include "tests/lib/test.h"
#include "tests/unit/core/contents.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((uint64_t) VTREE_BLOCK_SIZE)
#define MIB ((uint64_t) 1024 * 1024)

typedef struct {
  const char *name;
  VtreeDigestAlg alg;
  uint64_t size;
} Row;

static const Row rows[] = {
  { "one-byte", VTREE_DIGEST_SHA256, 1 },
  { "one-block", VTREE_DIGEST_SHA256, BLOCK },
  { "two-blocks", VTREE_DIGEST_SHA256, BLOCK + 1 },
  { "small", VTREE_DIGEST_SHA256, 100 * BLOCK + 77 },
  { "small-sha512", VTREE_DIGEST_SHA512, 128 * BLOCK },
  { "least-large", VTREE_DIGEST_SHA256, 128 * BLOCK + 1 },
  { "large", VTREE_DIGEST_SHA256, 5 * MIB },
  { "large-sha512", VTREE_DIGEST_SHA512, 5 * MIB + 4095 },
};

typedef struct {
  Contents contents;
  int fd;        /* the object's, as long as it lives: for damage */
  int merkle_fd; /* likewise, or -1 */
  VtreeObject *object;
} Fixture;

static bool
is_small (const Fixture *fixture)
{
  return fixture->contents.size <= VTREE_MERKLE_MIN_BLOCKS * BLOCK;
}

static VtreeObject *
open_object (Fixture *fixture, int fd, int merkle_fd, VtreeVerityPolicy policy,
             GError **error)
{
  VtreeObjectSpec spec = { .digest = fixture->contents.digest,
                           .size = fixture->contents.size,
                           .policy = policy };
  fixture->fd = fd;
  fixture->merkle_fd = merkle_fd;
  return vtree_object_new_take (fd, merkle_fd, &spec, error);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GError) error = NULL;
  contents_init (&fixture->contents, row->alg, row->size);
  int merkle_fd = is_small (fixture) ? -1 : contents_merkle_file (&fixture->contents);
  fixture->object = open_object (fixture, contents_file (&fixture->contents), merkle_fd,
                                 VTREE_VERITY_AUTO, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_clear_pointer (&fixture->object, vtree_object_unref);
  contents_clear (&fixture->contents);
}

/* Reads the range and compares it; false with ERROR. */
static bool
read_range (Fixture *fixture, uint64_t offset, size_t size, GError **error)
{
  g_autofree uint8_t *data = g_malloc (MAX (size, 1));
  size_t got;
  if (!vtree_object_read (fixture->object, data, size, offset, &got, error))
    return false;
  uint64_t end = fixture->contents.size;
  uint64_t expected = offset < end ? MIN (size, end - offset) : 0;
  g_assert_cmpuint (got, ==, expected);
  if (got > 0)
    g_assert_true (memcmp (data, fixture->contents.data + offset, got) == 0);
  return true;
}

static void
assert_corrupt (Fixture *fixture, uint64_t offset, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (read_range (fixture, offset, size, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "object sha");
}

static void
test_reads (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  uint64_t size = fixture->contents.size;
  g_assert_cmpuint (vtree_object_size (fixture->object), ==, size);
  g_assert_cmpint (vtree_object_enforcer (fixture->object), ==, VTREE_ENFORCER_DAEMON);
  g_assert_cmpuint (vtree_object_descriptors (fixture->object), ==,
                    is_small (fixture) ? 1 : 2);
  g_assert_cmpint (vtree_object_peek_fd (fixture->object), ==, fixture->fd);
  for (int i = 0; i < 300; i++) {
    uint64_t offset = contents_random (size + 2);
    size_t length = (size_t) contents_random (1u << contents_random (21)) + 1;
    read_range (fixture, offset, length, &error);
    g_assert_no_error (error);
  }
  g_assert_true (read_range (fixture, 0, (size_t) size, &error));
  g_assert_true (read_range (fixture, 0, (size_t) size + 1000, &error));
  g_assert_true (read_range (fixture, size, 10, &error));
  g_assert_true (read_range (fixture, UINT64_MAX, 10, &error));
  g_assert_true (read_range (fixture, 0, 0, &error));
}

static void
test_measure (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_object_measure (fixture->object, &error));
  vtree_test_fault_clear ();
  g_assert_true (vtree_object_measure (fixture->object, &error));
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 0);
  g_assert_true (read_range (fixture, 0, (size_t) fixture->contents.size, &error));
}

/* The whole of a small object: one read, and no byte past the end of the buffer. */
static void
test_first_read_is_the_only_one (Fixture *fixture, gconstpointer data)
{
  (void) data;
  if (!is_small (fixture))
    return;
  g_autoptr (GError) error = NULL;
  vtree_test_fault_clear ();
  g_assert_true (read_range (fixture, 0, (size_t) fixture->contents.size, &error));
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 1);
  vtree_test_fault_clear ();
}

/* Any bit of the file, before it was first read: the block is an error, and so is all
 * of a small object. */
static void
test_flipped_before (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  uint64_t bad = contents_random (size);
  contents_flip (fixture->fd, bad);
  assert_corrupt (fixture, bad, 1);
  assert_corrupt (fixture, 0, (size_t) size);
  assert_corrupt (fixture, bad / BLOCK * BLOCK, 1);
  g_autoptr (GError) error = NULL;
  bool small = is_small (fixture);
  g_assert_cmpint (vtree_object_measure (fixture->object, &error), ==, !small);
  if (small)
    assert_corrupt (fixture, 0, 1);
  else
    g_assert_true (read_range (fixture, 0, (size_t) (bad / BLOCK * BLOCK), NULL));
}

/* The same after all has been read and was good. */
static void
test_flipped_later (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  g_assert_true (read_range (fixture, 0, (size_t) size, NULL));
  uint64_t bad = contents_random (size);
  contents_flip (fixture->fd, bad);
  assert_corrupt (fixture, bad, 1);
  assert_corrupt (fixture, 0, (size_t) size);
  uint64_t block = bad / BLOCK * BLOCK;
  g_assert_true (read_range (fixture, 0, (size_t) block, NULL));
  if (block + BLOCK < size)
    g_assert_true (read_range (fixture, block + BLOCK, (size_t) size, NULL));
}

static void
test_truncated (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  g_assert_true (read_range (fixture, 0, (size_t) size, NULL));
  g_assert_cmpint (ftruncate (fixture->fd, (off_t) size - 1), ==, 0);
  assert_corrupt (fixture, 0, (size_t) size);
  assert_corrupt (fixture, size - 1, 1);
  g_assert_cmpint (ftruncate (fixture->fd, 0), ==, 0);
  assert_corrupt (fixture, 0, 1);
  assert_corrupt (fixture, 0, (size_t) size + 100);
}

static void
test_truncated_before (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  g_assert_cmpint (ftruncate (fixture->fd, (off_t) size - 1), ==, 0);
  assert_corrupt (fixture, 0, (size_t) size);
  assert_corrupt (fixture, size - 1, 1);
}

static void
test_grown (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  uint64_t size = row->size;
  for (int first = 0; first < 2; first++) {
    g_assert_cmpint (ftruncate (fixture->fd, (off_t) size + 1), ==, 0);
    assert_corrupt (fixture, 0, (size_t) size);
    assert_corrupt (fixture, 0, (size_t) size + 1000);
    assert_corrupt (fixture, size - 1, 1000);
    g_assert_cmpint (ftruncate (fixture->fd, (off_t) size), ==, 0);
    g_assert_true (read_range (fixture, 0, (size_t) size, NULL));
  }
}

static void
test_read_error (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_false (read_range (fixture, 0, 1, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "object sha");
  g_assert_true (read_range (fixture, 0, 1, NULL));
}

/* Opens the contents again, for what happens at _new; NULL with ERROR. */
static bool
open_again (Fixture *fixture, int fd, int merkle_fd, VtreeVerityPolicy policy,
            GError **error)
{
  g_clear_pointer (&fixture->object, vtree_object_unref);
  fixture->object = open_object (fixture, fd, merkle_fd, policy, error);
  return fixture->object != NULL;
}

static void
test_another_file (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_auto (Contents) other = { 0 };
  /* of one random byte, one file in 256 is no other */
  do {
    contents_clear (&other);
    contents_init (&other, row->alg, row->size);
  } while (vtree_digest_equal (&other.digest, &fixture->contents.digest));
  int merkle_fd = is_small (fixture) ? -1 : contents_merkle_file (&other);
  g_autoptr (GError) error = NULL;
  /* its own Merkle file does not help it: the tree computed from it is another's */
  bool opened = open_again (fixture, contents_file (&other), merkle_fd,
                            VTREE_VERITY_AUTO, &error);
  g_assert_cmpint (opened, ==, is_small (fixture));
  if (opened)
    assert_corrupt (fixture, 0, (size_t) row->size);
  else
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "found sha");
}

static void
test_other_size (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  const uint64_t sizes[] = { row->size - 1, row->size + 1, row->size + BLOCK };
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (unsigned policy = VTREE_VERITY_AUTO; policy <= VTREE_VERITY_OFF; policy++) {
      g_autoptr (GError) error = NULL;
      int fd = contents_file (&fixture->contents);
      g_assert_cmpint (ftruncate (fd, (off_t) sizes[i]), ==, 0);
      g_assert_false (open_again (fixture, fd, -1, (VtreeVerityPolicy) policy, &error));
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "bytes");
    }
  }
}

static void
test_require (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  g_assert_false (open_again (fixture, contents_file (&fixture->contents), -1,
                              VTREE_VERITY_REQUIRE, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED, "tmpfs");
}

/* verity=off: what is there, but never more, and never less without an error. */
static void
test_off (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  size_t size = (size_t) row->size;
  g_assert_true (open_again (fixture, contents_file (&fixture->contents), -1,
                             VTREE_VERITY_OFF, NULL));
  g_assert_cmpint (vtree_object_enforcer (fixture->object), ==, VTREE_ENFORCER_NONE);
  g_assert_cmpuint (vtree_object_descriptors (fixture->object), ==, 1);
  g_assert_true (vtree_object_measure (fixture->object, NULL));
  g_assert_true (read_range (fixture, 0, size + 100, NULL));
  g_assert_cmpint (ftruncate (fixture->fd, (off_t) row->size + 100), ==, 0);
  g_assert_true (read_range (fixture, 0, size + 100, NULL));
  g_assert_cmpint (ftruncate (fixture->fd, (off_t) row->size - 1), ==, 0);
  assert_corrupt (fixture, 0, size);
}

/* Without a good Merkle file it is computed; the contents decide. */
static void
test_bad_merkle_file (Fixture *fixture, gconstpointer data)
{
  (void) data;
  size_t size = (size_t) fixture->contents.size;
  if (is_small (fixture))
    return;
  for (int i = 0; i < 3; i++) {
    int merkle_fd = i == 0 ? -1 : contents_merkle_file (&fixture->contents);
    if (i == 1)
      contents_flip (merkle_fd, 3); /* the header */
    if (i == 2)
      contents_flip (merkle_fd, BLOCK + 5); /* the root */
    g_autoptr (GError) error = NULL;
    open_again (fixture, contents_file (&fixture->contents), merkle_fd,
                VTREE_VERITY_AUTO, &error);
    g_assert_no_error (error);
    g_assert_true (read_range (fixture, 0, size, &error));
    contents_flip (fixture->fd, size / 2);
    assert_corrupt (fixture, size / 2, 1);
  }
}

/* Damage to a lower hash block shows only when it is needed. */
static void
test_merkle_file_damaged_later (Fixture *fixture, gconstpointer data)
{
  (void) data;
  size_t size = (size_t) fixture->contents.size;
  if (is_small (fixture))
    return;
  g_assert_cmpint (ftruncate (fixture->merkle_fd, 2 * VTREE_BLOCK_SIZE), ==, 0);
  g_autoptr (GError) error = NULL;
  read_range (fixture, 0, size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_object_descriptors (fixture->object), ==, 2);
  contents_flip (fixture->fd, size / 2);
  assert_corrupt (fixture, size / 2, 1);
  g_assert_true (read_range (fixture, 0, 1, NULL));
}

/* Contents and Merkle file are both bad: each read fails, and only the first one tries
 * to compute the tree. */
static void
test_both_bad (Fixture *fixture, gconstpointer data)
{
  (void) data;
  if (is_small (fixture))
    return;
  g_assert_cmpint (ftruncate (fixture->merkle_fd, 2 * VTREE_BLOCK_SIZE), ==, 0);
  contents_flip (fixture->fd, 0);
  assert_corrupt (fixture, fixture->contents.size - 1, 1);
  vtree_test_fault_clear ();
  assert_corrupt (fixture, fixture->contents.size - 1, 1);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), <=, 4);
  vtree_test_fault_clear ();
}

typedef struct {
  Fixture *fixture;
  uint64_t start;
} Reader;

static gpointer
read_from_a_thread (gpointer data)
{
  const Reader *reader = data;
  uint64_t size = reader->fixture->contents.size;
  g_autoptr (VtreeObject) object = vtree_object_ref (reader->fixture->object);
  for (uint64_t i = 0; i < 50; i++) {
    uint64_t offset = (reader->start + i * 65537) % size;
    if (!read_range (reader->fixture, offset, (size_t) (i * 3001 % 200000), NULL))
      return "failed";
  }
  return NULL;
}

/* First reads by several threads at once; of a large one, with a bad Merkle file. */
static void
test_threads (Fixture *fixture, gconstpointer data)
{
  (void) data;
  if (!is_small (fixture))
    g_assert_cmpint (ftruncate (fixture->merkle_fd, 2 * VTREE_BLOCK_SIZE), ==, 0);
  Reader readers[4];
  GThread *threads[G_N_ELEMENTS (readers)];
  for (size_t i = 0; i < G_N_ELEMENTS (readers); i++) {
    readers[i] = (Reader){ fixture, contents_random (fixture->contents.size) };
    threads[i] = g_thread_new ("reader", read_from_a_thread, &readers[i]);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (readers); i++)
    g_assert_null (g_thread_join (threads[i]));
}

static void
test_empty (void)
{
  g_autoptr (GError) error = NULL;
  Fixture fixture = { 0 };
  contents_init (&fixture.contents, VTREE_DIGEST_SHA256, 0);
  g_assert_true (open_again (&fixture, contents_file (&fixture.contents), -1,
                             VTREE_VERITY_AUTO, &error));
  g_assert_true (read_range (&fixture, 0, 10, &error));
  g_assert_true (vtree_object_measure (fixture.object, &error));
  fixture.contents.digest.value[0] ^= 1;
  g_assert_true (open_again (&fixture, contents_file (&fixture.contents), -1,
                             VTREE_VERITY_AUTO, &error));
  g_assert_false (vtree_object_measure (fixture.object, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
  tear_down (&fixture, NULL);
}

static const struct {
  const char *name;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "reads", test_reads },
  { "measure", test_measure },
  { "first-read", test_first_read_is_the_only_one },
  { "flipped-before", test_flipped_before },
  { "flipped-later", test_flipped_later },
  { "truncated", test_truncated },
  { "truncated-before", test_truncated_before },
  { "grown", test_grown },
  { "read-error", test_read_error },
  { "another-file", test_another_file },
  { "other-size", test_other_size },
  { "require", test_require },
  { "off", test_off },
  { "bad-merkle-file", test_bad_merkle_file },
  { "merkle-file-damaged-later", test_merkle_file_damaged_later },
  { "both-bad", test_both_bad },
  { "threads", test_threads },
};

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t row = 0; row < G_N_ELEMENTS (rows); row++) {
    for (size_t i = 0; i < G_N_ELEMENTS (tests); i++) {
      g_autofree char *path
        = g_strdup_printf ("/core/object/%s/%s", rows[row].name, tests[i].name);
      g_test_add (path, Fixture, &rows[row], set_up, tests[i].test, tear_down);
    }
  }
  g_test_add_func ("/core/object/empty", test_empty);
  return vtree_test_run ();
}
