/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deferred objects: nothing that takes long is done but by vtree_object_prepare().
 */
#include "core/object.h"
#include "tests/lib/test.h"
#include "tests/unit/core/contents.h"

#include <errno.h>
#include <unistd.h>

#define BLOCK VTREE_BLOCK_SIZE
/* Two levels of hash blocks: the root and three of 128 leaves each. */
#define SIZE ((uint64_t) 300 * BLOCK + 5)
/* Of the Merkle file: header, root, then the leaves of the first 128 blocks. */
#define LEAVES_OFFSET ((uint64_t) 2 * BLOCK)

typedef struct {
  Contents contents;
  int fd; /* the object's */
  int merkle_fd;
  VtreeObject *object;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void) data;
  contents_init (&fixture->contents, VTREE_DIGEST_SHA256, SIZE);
  fixture->fd = contents_file (&fixture->contents);
  fixture->merkle_fd = contents_merkle_file (&fixture->contents);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  vtree_object_unref (fixture->object);
  vtree_fd_close (fixture->fd);
  vtree_fd_close (fixture->merkle_fd);
  contents_clear (&fixture->contents);
}

static void
open_object (Fixture *fixture, bool with_merkle)
{
  g_autoptr (GError) error = NULL;
  VtreeObjectSpec spec = { .digest = fixture->contents.digest,
                           .size = fixture->contents.size,
                           .policy = VTREE_VERITY_AUTO,
                           .deferred = true };
  int merkle_fd = with_merkle ? dup (fixture->merkle_fd) : -1;
  fixture->object = vtree_object_new_take (dup (fixture->fd), merkle_fd, &spec, &error);
  g_assert_no_error (error);
}

/* Reads one block and compares it; the error's code, or -1. */
static int
read_block (Fixture *fixture, uint64_t block)
{
  g_autoptr (GError) error = NULL;
  uint8_t data[BLOCK];
  size_t got;
  if (!vtree_object_read (fixture->object, data, BLOCK, block * BLOCK, &got, &error)) {
    vtree_test_assert_error (error, VTREE_ERROR, error->code, "object sha256:");
    return error->code;
  }
  vtree_test_assert_bytes (data, got, fixture->contents.data + block * BLOCK, BLOCK);
  return -1;
}

static void
prepare (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  vtree_object_prepare (fixture->object, NULL, &error);
  g_assert_no_error (error);
}

static void
test_missing (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  vtree_test_fault_clear ();
  open_object (fixture, false);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  g_assert_false (vtree_object_measure (fixture->object, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, "Merkle file");
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 0);
  prepare (fixture);
  g_assert_cmpint (read_block (fixture, 0), ==, -1);
  g_assert_cmpint (read_block (fixture, 299), ==, -1);
  g_clear_error (&error);
  g_assert_true (vtree_object_measure (fixture->object, &error));
  vtree_test_fault_clear ();
  prepare (fixture);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 0);
  vtree_test_fault_clear ();
}

static void
test_bad_root (Fixture *fixture, gconstpointer data)
{
  (void) data;
  contents_flip (fixture->merkle_fd, BLOCK);
  open_object (fixture, true);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  prepare (fixture);
  g_assert_cmpint (read_block (fixture, 0), ==, -1);
}

/* What the Merkle file is good for can be read; the rest later. */
static void
test_bad_leaves (Fixture *fixture, gconstpointer data)
{
  (void) data;
  open_object (fixture, true);
  contents_flip (fixture->merkle_fd, LEAVES_OFFSET);
  g_assert_cmpint (read_block (fixture, 200), ==, -1);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  prepare (fixture);
  g_assert_cmpint (read_block (fixture, 0), ==, -1);
  g_assert_cmpint (read_block (fixture, 299), ==, -1);
}

static void
test_bad_contents (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  contents_flip (fixture->fd, 200 * BLOCK);
  open_object (fixture, false);
  g_assert_false (vtree_object_prepare (fixture->object, NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "object sha256:");
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
}

/* Both bad: what can't be verified is corrupt, once that has been tried. */
static void
test_all_bad (Fixture *fixture, gconstpointer data)
{
  (void) data;
  open_object (fixture, true);
  contents_flip (fixture->merkle_fd, LEAVES_OFFSET);
  contents_flip (fixture->fd, 200 * BLOCK);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  prepare (fixture);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_CORRUPT);
  g_assert_cmpint (read_block (fixture, 200), ==, VTREE_ERROR_CORRUPT);
  g_assert_cmpint (read_block (fixture, 299), ==, -1);
}

static bool
give_up (void *context)
{
  unsigned *questions = context;
  return (*questions)-- > 0;
}

static void
test_given_up (Fixture *fixture, gconstpointer data)
{
  bool damaged = data != NULL;
  g_autoptr (GError) error = NULL;
  unsigned questions = 2;
  const VtreeWhile wanted = { give_up, &questions };
  open_object (fixture, damaged);
  contents_flip (fixture->merkle_fd, LEAVES_OFFSET);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  g_assert_false (vtree_object_prepare (fixture->object, &wanted, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EINTR, "object sha256:");
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  prepare (fixture);
  g_assert_cmpint (read_block (fixture, 0), ==, -1);
}

static bool
use_meanwhile (void *context)
{
  Fixture *fixture = context;
  g_assert_cmpint (read_block (fixture, 200), ==, -1);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  return true;
}

/* Readers neither wait nor fail while it is being prepared. */
static void
test_meanwhile (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  const VtreeWhile wanted = { use_meanwhile, fixture };
  open_object (fixture, true);
  contents_flip (fixture->merkle_fd, LEAVES_OFFSET);
  g_assert_cmpint (read_block (fixture, 0), ==, VTREE_ERROR_BUSY);
  g_assert_true (vtree_object_prepare (fixture->object, &wanted, &error));
  g_assert_cmpint (read_block (fixture, 0), ==, -1);
}

static void
add (const char *name, const void *data, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/core/object-deferred/", name, NULL);
  g_test_add (path, Fixture, data, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("missing", NULL, test_missing);
  add ("bad-root", NULL, test_bad_root);
  add ("bad-leaves", NULL, test_bad_leaves);
  add ("bad-contents", NULL, test_bad_contents);
  add ("all-bad", NULL, test_all_bad);
  add ("given-up/missing", NULL, test_given_up);
  add ("given-up/damaged", "", test_given_up);
  add ("meanwhile", NULL, test_meanwhile);
  return vtree_test_run ();
}
