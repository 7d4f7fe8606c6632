/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/pages.h"
#include "tests/lib/test.h"
#include "tests/unit/core/contents.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((uint64_t) VTREE_BLOCK_SIZE)
#define RUN (16 * BLOCK)

typedef struct {
  Contents contents;
  int fd; /* the object's, for damage */
  VtreePages *pages;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  contents_init (&fixture->contents, VTREE_DIGEST_SHA256, GPOINTER_TO_SIZE (data));
  VtreeObjectSpec spec = { .digest = fixture->contents.digest,
                           .size = fixture->contents.size,
                           .policy = VTREE_VERITY_AUTO };
  fixture->fd = contents_file (&fixture->contents);
  g_autoptr (VtreeObject) object = vtree_object_new_take (
    fixture->fd, contents_merkle_file (&fixture->contents), &spec, &error);
  g_assert_no_error (error);
  fixture->pages = vtree_pages_new (object, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  vtree_pages_unref (fixture->pages);
  contents_clear (&fixture->contents);
}

/* False if the range can't be had; else it is compared. */
static bool
get (Fixture *fixture, uint64_t offset, uint64_t size, GError **error)
{
  VtreeSpan span;
  if (!vtree_pages_get (fixture->pages, offset, size, &span, error))
    return false;
  g_assert_cmpuint (span.size, ==, size);
  g_assert_true (memcmp (span.data, fixture->contents.data + offset, size) == 0);
  return true;
}

static void
test_random_ranges (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  uint64_t size = fixture->contents.size;
  g_assert_cmpuint (vtree_pages_size (fixture->pages), ==, size);
  for (int i = 0; i < 300; i++) {
    uint64_t offset = contents_random (size);
    get (fixture, offset, contents_random (MIN (size - offset, 20000)) + 1, &error);
    g_assert_no_error (error);
  }
  get (fixture, 0, size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_pages_loaded (fixture->pages), ==, size);
}

static void
test_addresses_are_stable (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t last = fixture->contents.size - 1;
  VtreeSpan one, all, again;
  g_assert_true (vtree_pages_get (fixture->pages, last, 1, &one, NULL));
  g_assert_true (vtree_pages_get (fixture->pages, 0, last + 1, &all, NULL));
  g_assert_true (vtree_pages_get (fixture->pages, last, 1, &again, NULL));
  g_assert_true (one.data == again.data);
  g_assert_true (one.data == all.data + last);
}

static void
test_reads_a_run_once (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t run = MIN (fixture->contents.size, RUN);
  g_assert_cmpuint (vtree_pages_loaded (fixture->pages), ==, 0);
  g_assert_true (get (fixture, 0, 1, NULL));
  g_assert_cmpuint (vtree_pages_loaded (fixture->pages), ==, run);
  vtree_test_fault_clear ();
  g_assert_true (get (fixture, 0, run, NULL));
  g_assert_cmpuint (vtree_pages_loaded (fixture->pages), ==, run);
  g_assert_cmpuint (vtree_test_fault_calls (VTREE_TEST_READ), ==, 0);
}

static void
test_out_of_range (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  const struct {
    uint64_t offset, size;
  } ranges[] = {
    { size, 1 },       { 0, size + 1 },   { size - 1, 2 },       { size + 1, 0 },
    { UINT64_MAX, 1 }, { 1, UINT64_MAX }, { UINT64_MAX - 1, 5 },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (ranges); i++) {
    g_autoptr (GError) error = NULL;
    VtreeSpan span = { NULL, 77 };
    g_assert_false (vtree_pages_get (fixture->pages, ranges[i].offset, ranges[i].size,
                                     &span, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "beyond the end");
    g_assert_cmpuint (span.size, ==, 77);
  }
  g_assert_true (get (fixture, size, 0, NULL));
  g_assert_true (get (fixture, size - 1, 1, NULL));
}

/* A bad block harms nothing but what needs it, in whatever order it is asked for. */
static void
test_bad_block (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  uint64_t blocks = (size + BLOCK - 1) / BLOCK;
  uint64_t bad = contents_random (blocks);
  contents_flip (fixture->fd, bad * BLOCK);
  for (uint64_t n = 0; n < 3 * blocks; n++) {
    uint64_t block = n < blocks ? n : contents_random (blocks);
    uint64_t length = MIN (BLOCK, size - block * BLOCK);
    g_autoptr (GError) error = NULL;
    g_assert_cmpint (get (fixture, block * BLOCK, length, &error), ==, block != bad);
    if (block == bad)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "is wrong");
  }
  g_assert_false (get (fixture, 0, size, NULL));
  /* mended, it is read after all */
  vtree_fd_pwrite (fixture->fd, fixture->contents.data, size, 0, NULL);
  g_assert_true (get (fixture, 0, size, NULL));
}

/* What has been read once does not change with the file. */
static void
test_kept (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t size = fixture->contents.size;
  g_assert_true (get (fixture, 0, size, NULL));
  g_assert_cmpint (ftruncate (fixture->fd, 0), ==, 0);
  g_assert_true (get (fixture, 0, size, NULL));
}

static void
test_read_error (Fixture *fixture, gconstpointer data)
{
  (void) data;
  g_autoptr (GError) error = NULL;
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_false (get (fixture, 0, 1, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, NULL);
  g_assert_true (get (fixture, 0, 1, NULL));
}

static gpointer
read_from_a_thread (gpointer data)
{
  Fixture *fixture = data;
  uint64_t size = fixture->contents.size;
  g_autoptr (VtreePages) pages = vtree_pages_ref (fixture->pages);
  for (uint64_t i = 0; i < 2000; i++) {
    uint64_t offset = i * 7919 % size;
    if (!get (fixture, offset, MIN (size - offset, 5000), NULL))
      return "failed";
  }
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  (void) data;
  GThread *threads[4];
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("reader", read_from_a_thread, fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_null (g_thread_join (threads[i]));
}

static void
test_bytes (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new ("0123456789", 10);
  g_autoptr (VtreePages) pages = vtree_pages_new_for_bytes (bytes);
  VtreeSpan span;
  g_assert_cmpuint (vtree_pages_size (pages), ==, 10);
  g_assert_true (vtree_pages_get (pages, 3, 7, &span, &error));
  vtree_test_assert_bytes (span.data, span.size, "3456789", 7);
  g_assert_false (vtree_pages_get (pages, 3, 8, &span, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, NULL);
  g_assert_cmpuint (vtree_pages_loaded (pages), ==, 0);
}

/* A file larger than any address space: an error, no crash. */
static void
test_too_large (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, VTREE_DIGEST_SHA256, 0);
  int fd = contents_file (&contents);
  uint64_t size = (uint64_t) 1 << 60;
  if (ftruncate (fd, (off_t) size) < 0) {
    close (fd);
    vtree_test_skip ("no file of 2^60 bytes here");
    return;
  }
  VtreeObjectSpec spec
    = { .digest = contents.digest, .size = size, .policy = VTREE_VERITY_OFF };
  g_autoptr (VtreeObject) object = vtree_object_new_take (fd, -1, &spec, &error);
  g_assert_no_error (error);
  g_assert_null (vtree_pages_new (object, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOMEM, "reserve");
}

static const uint64_t sizes[]
  = { 1, BLOCK, BLOCK + 1, RUN, RUN + 1, 64 * BLOCK + 5, 129 * BLOCK + 7, 700 * BLOCK };

static const struct {
  const char *name;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "random-ranges", test_random_ranges },
  { "stable", test_addresses_are_stable },
  { "reads-a-run-once", test_reads_a_run_once },
  { "out-of-range", test_out_of_range },
  { "kept", test_kept },
  { "read-error", test_read_error },
  { "threads", test_threads },
};

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t row = 0; row < G_N_ELEMENTS (sizes); row++) {
    for (size_t i = 0; i < G_N_ELEMENTS (tests); i++) {
      g_autofree char *path = g_strdup_printf ("/core/pages/%" G_GUINT64_FORMAT "/%s",
                                               sizes[row], tests[i].name);
      g_test_add (path, Fixture, GSIZE_TO_POINTER (sizes[row]), set_up, tests[i].test,
                  tear_down);
    }
  }
  /* a small object is measured whole: there, one bad block harms all */
  for (int i = 0; i < 10; i++) {
    g_autofree char *path = g_strdup_printf ("/core/pages/bad-block/%d", i);
    g_test_add (path, Fixture, GSIZE_TO_POINTER (129 * BLOCK + 1000 * (uint64_t) i),
                set_up, test_bad_block, tear_down);
  }
  g_test_add_func ("/core/pages/bytes", test_bytes);
  g_test_add_func ("/core/pages/too-large", test_too_large);
  return vtree_test_run ();
}
