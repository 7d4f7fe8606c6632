/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees of one to three levels, and one flipped bit anywhere: in the contents, in each
 * level, in the header.
 */
#include "core/merkle.h"
#include "tests/lib/test.h"
#include "tests/unit/core/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK ((uint64_t) VTREE_BLOCK_SIZE)
#define MAX_LEVELS 4

typedef struct {
  const char *name;
  uint64_t blocks;             /* of the contents; the last one is not full */
  uint64_t counts[MAX_LEVELS]; /* hash blocks of each level, the root first */
  VtreeDigestAlg alg;
  unsigned levels;
} Row;

static const Row trees[] = {
  { "sha256-least", 2, { 1 }, VTREE_DIGEST_SHA256, 1 },
  { "sha256-one-level", 128, { 1 }, VTREE_DIGEST_SHA256, 1 },
  { "sha256-two-levels-least", 129, { 1, 2 }, VTREE_DIGEST_SHA256, 2 },
  { "sha256-two-levels", 1000, { 1, 8 }, VTREE_DIGEST_SHA256, 2 },
  { "sha256-three-levels", 16385, { 1, 2, 129 }, VTREE_DIGEST_SHA256, 3 },
  { "sha512-one-level", 64, { 1 }, VTREE_DIGEST_SHA512, 1 },
  { "sha512-two-levels-least", 65, { 1, 2 }, VTREE_DIGEST_SHA512, 2 },
  { "sha512-three-levels", 4097, { 1, 2, 65 }, VTREE_DIGEST_SHA512, 3 },
};

typedef struct {
  Contents contents;
  const Row *row;
  uint8_t *padded; /* the contents in whole blocks */
  GBytes *tree;    /* the Merkle file */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GError) error = NULL;
  fixture->row = row;
  contents_init (&fixture->contents, row->alg,
                 row->blocks * BLOCK - 1 - contents_random (BLOCK - 1));
  fixture->padded = g_malloc0 (row->blocks * BLOCK);
  memcpy (fixture->padded, fixture->contents.data, fixture->contents.size);
  g_auto (VtreeFd) fd = contents_merkle_file (&fixture->contents);
  fixture->tree = vtree_fd_load (fd, SIZE_MAX, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  contents_clear (&fixture->contents);
  g_free (fixture->padded);
  g_bytes_unref (fixture->tree);
}

/* A new Merkle file of the contents. */
static int
tree_file (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  int fd = memfd_create ("tree", MFD_CLOEXEC);
  gsize size;
  const void *data = g_bytes_get_data (fixture->tree, &size);
  vtree_fd_pwrite (fd, data, size, 0, &error);
  g_assert_no_error (error);
  return fd;
}

static VtreeMerkle *
open_tree (Fixture *fixture, int fd, GError **error)
{
  return vtree_merkle_new_take (fd, &fixture->contents.digest, fixture->contents.size,
                                error);
}

static VtreeMerkle *
open_good_tree (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  VtreeMerkle *merkle = open_tree (fixture, tree_file (fixture), &error);
  g_assert_no_error (error);
  return merkle;
}

static bool
verify (Fixture *fixture, VtreeMerkle *merkle, uint64_t first, uint64_t count,
        GError **error)
{
  return vtree_merkle_verify (merkle, first, fixture->padded + first * BLOCK,
                              (size_t) count, error);
}

static void
test_everything (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeMerkle) merkle = open_good_tree (fixture);
  verify (fixture, merkle, 0, row->blocks, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 200; i++) {
    uint64_t first = contents_random (row->blocks);
    uint64_t count = contents_random (MIN (row->blocks - first, 300)) + 1;
    verify (fixture, merkle, first, count, &error);
    g_assert_no_error (error);
  }
  g_assert_true (verify (fixture, merkle, row->blocks - 1, 1, &error));
  g_assert_true (verify (fixture, merkle, row->blocks, 0, &error));
  g_assert_false (vtree_merkle_is_damaged (merkle));
}

static void
test_flipped_contents (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_autoptr (VtreeMerkle) merkle = open_good_tree (fixture);
  for (int i = 0; i < 20; i++) {
    g_autoptr (GError) error = NULL;
    uint64_t bad = contents_random (row->blocks);
    uint8_t *byte = &fixture->padded[bad * BLOCK + contents_random (BLOCK)];
    uint8_t bit = (uint8_t) (1 << contents_random (8));
    *byte ^= bit;
    g_assert_false (verify (fixture, merkle, bad, 1, &error));
    g_autofree char *message = g_strdup_printf ("block %" G_GUINT64_FORMAT " ", bad);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, message);
    uint64_t first = bad - MIN (bad, 3);
    g_assert_true (verify (fixture, merkle, first, bad - first, NULL));
    g_assert_false (verify (fixture, merkle, first, row->blocks - first, NULL));
    g_assert_true (verify (fixture, merkle, bad + 1, row->blocks - bad - 1, NULL));
    *byte ^= bit;
  }
  g_assert_false (vtree_merkle_is_damaged (merkle));
}

/* Blocks of the contents beneath one hash block of LEVEL (0: the root). */
static uint64_t
reach (const Row *row, unsigned level)
{
  uint64_t blocks = BLOCK / vtree_digest_alg_size (row->alg);
  for (unsigned i = level + 1; i < row->levels; i++)
    blocks *= BLOCK / vtree_digest_alg_size (row->alg);
  return blocks;
}

/* Flips a bit of hash block N of LEVEL: what is beneath it is not verified any more,
 * and the rest is. */
static void
flip_hash_block (Fixture *fixture, unsigned level, uint64_t n, uint64_t position)
{
  const Row *row = fixture->row;
  g_autoptr (GError) error = NULL;
  int fd = tree_file (fixture);
  contents_flip (fd, (1 + position) * BLOCK + contents_random (BLOCK));
  g_autoptr (VtreeMerkle) merkle = open_tree (fixture, fd, &error);
  if (level == 0) {
    g_assert_null (merkle);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "Merkle file");
    return;
  }
  g_assert_no_error (error);
  uint64_t first = n * reach (row, level);
  uint64_t last = MIN (first + reach (row, level), row->blocks) - 1;
  g_assert_false (vtree_merkle_is_damaged (merkle));
  g_assert_true (first == 0 || verify (fixture, merkle, first - 1, 1, NULL));
  g_assert_true (last + 1 == row->blocks
                 || verify (fixture, merkle, last + 1, 1, NULL));
  g_assert_false (vtree_merkle_is_damaged (merkle));
  g_assert_false (verify (fixture, merkle, last, 1, NULL));
  g_assert_false (verify (fixture, merkle, first, 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "hash block");
  g_assert_true (vtree_merkle_is_damaged (merkle));
}

static void
test_flipped_tree (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  uint64_t start = 0;
  for (unsigned level = 0; level < row->levels; level++) {
    uint64_t last = row->counts[level] - 1;
    uint64_t some = contents_random (last + 1);
    flip_hash_block (fixture, level, 0, start);
    flip_hash_block (fixture, level, some, start + some);
    flip_hash_block (fixture, level, last, start + last);
    start += row->counts[level];
  }
  g_assert_cmpuint ((1 + start) * BLOCK, ==,
                    vtree_merkle_file_size (row->alg, fixture->contents.size));
}

static void
assert_refused (Fixture *fixture, int fd)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (open_tree (fixture, fd, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "Merkle file");
}

static void
test_flipped_header (Fixture *fixture, gconstpointer data)
{
  (void) data;
  for (uint64_t i = 0; i < 40; i++) {
    int fd = tree_file (fixture);
    contents_flip (fd, i < 32 ? i : contents_random (VTREE_MERKLE_HEADER_SIZE));
    assert_refused (fixture, fd);
  }
}

static void
test_other_size (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = vtree_merkle_file_size (fixture->row->alg, fixture->contents.size);
  const uint64_t sizes[]
    = { 0, 1, BLOCK, 2 * BLOCK - 1, size - 1, size + 1, size + BLOCK };
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    int fd = tree_file (fixture);
    g_assert_cmpint (ftruncate (fd, (off_t) sizes[i]), ==, 0);
    assert_refused (fixture, fd);
  }
  assert_refused (fixture, open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void
test_of_another_file (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_auto (Contents) other = { 0 };
  contents_init (&other, row->alg, fixture->contents.size);
  assert_refused (fixture, contents_merkle_file (&other));
}

/* Truncated after it was opened: what is not in memory any more is not verified. */
static void
test_truncated_later (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  if (row->levels < 2)
    return;
  g_autoptr (GError) error = NULL;
  int fd = tree_file (fixture);
  g_autoptr (VtreeMerkle) merkle = open_tree (fixture, fd, &error);
  g_assert_cmpint (ftruncate (fd, 2 * VTREE_BLOCK_SIZE), ==, 0);
  g_assert_false (verify (fixture, merkle, row->blocks - 1, 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
  g_assert_true (vtree_merkle_is_damaged (merkle));
  vtree_merkle_replace_take (merkle, tree_file (fixture));
  g_assert_true (verify (fixture, merkle, 0, row->blocks, NULL));
}

static void
test_read_fails (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GError) error = NULL;
  int fd = tree_file (fixture);
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_null (open_tree (fixture, fd, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "Merkle file");
  if (row->levels < 2)
    return;
  g_clear_error (&error);
  g_autoptr (VtreeMerkle) merkle = open_good_tree (fixture);
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_false (verify (fixture, merkle, 0, 1, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "Merkle file");
  g_assert_true (vtree_merkle_is_damaged (merkle));
}

/* A sequential reader reads each hash block once. */
static void
test_reads_once (Fixture *fixture, gconstpointer data)
{
  const Row *row = data;
  g_autoptr (VtreeMerkle) merkle = open_good_tree (fixture);
  vtree_test_fault_clear ();
  for (uint64_t block = 0; block < row->blocks; block++)
    g_assert_true (verify (fixture, merkle, block, 1, NULL));
  uint64_t hash_blocks
    = vtree_merkle_file_size (row->alg, fixture->contents.size) / BLOCK;
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==,
                    hash_blocks - 2); /* less header and root */
  vtree_test_fault_clear ();
}

typedef struct {
  Fixture *fixture;
  VtreeMerkle *merkle;
  uint64_t first;
} Reader;

static gpointer
read_from_a_thread (gpointer data)
{
  const Reader *reader = data;
  uint64_t blocks = reader->fixture->row->blocks;
  for (uint64_t i = 0; i < 400; i++) {
    uint64_t first = (reader->first + i * 7919) % blocks;
    if (!verify (reader->fixture, reader->merkle, first, MIN (blocks - first, 9), NULL))
      return "failed";
  }
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (VtreeMerkle) merkle = open_good_tree (fixture);
  Reader readers[4];
  GThread *threads[G_N_ELEMENTS (readers)];
  for (size_t i = 0; i < G_N_ELEMENTS (readers); i++) {
    readers[i] = (Reader){ fixture, merkle, contents_random (fixture->row->blocks) };
    threads[i] = g_thread_new ("reader", read_from_a_thread, &readers[i]);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (readers); i++)
    g_assert_null (g_thread_join (threads[i]));
}

static const uint64_t small_sizes[] = { 0,
                                        1,
                                        4095,
                                        4096,
                                        4097,
                                        63 * BLOCK,
                                        64 * BLOCK,
                                        65 * BLOCK + 1,
                                        127 * BLOCK + 5,
                                        128 * BLOCK };

static void
check_from_data (VtreeDigestAlg alg, uint64_t size)
{
  g_autoptr (GError) error = NULL;
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, alg, size);
  uint64_t blocks = (size + BLOCK - 1) / BLOCK;
  g_autofree uint8_t *padded = g_malloc0 (blocks * BLOCK + 1);
  memcpy (padded, contents.data, size);
  g_autoptr (VtreeMerkle) merkle
    = vtree_merkle_new_from_data (contents.data, size, &contents.digest, &error);
  g_assert_no_error (error);
  g_assert_true (vtree_merkle_verify (merkle, 0, padded, blocks, &error));
  for (uint64_t block = 0; block < blocks; block++) {
    uint8_t *byte = &padded[block * BLOCK + contents_random (BLOCK)];
    *byte ^= 1;
    g_assert_false (
      vtree_merkle_verify (merkle, block, padded + block * BLOCK, 1, NULL));
    *byte ^= 1;
  }
  g_assert_false (vtree_merkle_is_damaged (merkle));
  if (size > 0) {
    contents.data[contents_random (size)] ^= 1;
    g_assert_null (
      vtree_merkle_new_from_data (contents.data, size, &contents.digest, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "expected sha");
  }
}

static void
test_from_data (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (small_sizes); i++) {
    check_from_data (VTREE_DIGEST_SHA256, small_sizes[i]);
    check_from_data (VTREE_DIGEST_SHA512, small_sizes[i]);
  }
}

static void
test_file_size (void)
{
  g_assert_cmpuint (vtree_merkle_file_size (VTREE_DIGEST_SHA256, 0), ==, 0);
  g_assert_cmpuint (vtree_merkle_file_size (VTREE_DIGEST_SHA256, BLOCK), ==, 0);
  g_assert_cmpuint (vtree_merkle_file_size (VTREE_DIGEST_SHA256, BLOCK + 1), ==,
                    2 * BLOCK);
  g_assert_cmpuint (vtree_merkle_file_size (VTREE_DIGEST_SHA512, 65 * BLOCK), ==,
                    4 * BLOCK);
  /* the largest there is: no overflow, and a bit more than a 127th */
  uint64_t largest = vtree_merkle_file_size (VTREE_DIGEST_SHA256, INT64_MAX);
  g_assert_cmpuint (largest, >, (uint64_t) INT64_MAX / 128);
  g_assert_cmpuint (largest, <, (uint64_t) INT64_MAX / 126);
  g_assert_cmpuint (vtree_merkle_file_size (VTREE_DIGEST_SHA512, UINT64_MAX), >,
                    UINT64_MAX / 64);
}

static const struct {
  const char *name;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "everything", test_everything },
  { "flipped-contents", test_flipped_contents },
  { "flipped-tree", test_flipped_tree },
  { "flipped-header", test_flipped_header },
  { "other-size", test_other_size },
  { "of-another-file", test_of_another_file },
  { "truncated-later", test_truncated_later },
  { "read-fails", test_read_fails },
  { "reads-once", test_reads_once },
  { "threads", test_threads },
};

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t row = 0; row < G_N_ELEMENTS (trees); row++) {
    for (size_t i = 0; i < G_N_ELEMENTS (tests); i++) {
      g_autofree char *path
        = g_strdup_printf ("/core/merkle/%s/%s", trees[row].name, tests[i].name);
      g_test_add (path, Fixture, &trees[row], set_up, tests[i].test, tear_down);
    }
  }
  g_test_add_func ("/core/merkle/from-data", test_from_data);
  g_test_add_func ("/core/merkle/file-size", test_file_size);
  return vtree_test_run ();
}
