/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests and Merkle files against those of the fsverity tool.
 */
#include "core/merkle.h"
#include "core/pool.h"
#include "core/verity-crew.h"
#include "tests/lib/test.h"
#include "tests/unit/core/contents.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK ((uint64_t) VTREE_BLOCK_SIZE)
#define MIB ((uint64_t) 1024 * 1024)

typedef struct {
  VtreeDigestAlg alg;
  uint64_t size;
} Row;

static const uint64_t sizes[] = {
  0,
  1,
  4095,
  4096,
  4097,
  64 * BLOCK,
  65 * BLOCK,
  127 * BLOCK,
  128 * BLOCK - 1,
  128 * BLOCK,
  128 * BLOCK + 1,
  129 * BLOCK,
  MIB - 1,
  MIB,
  MIB + 1,
  4096 * BLOCK + 1,
  16384 * BLOCK + 1,
};

/* Runs fsverity over CONTENTS: its digest, and its tree into TREE (may be empty). False
 * where there is no such tool. */
static bool
ask_tool (const Contents *contents, char **digest, GBytes **tree)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *directory = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (directory, "file", NULL);
  g_autofree char *tree_path = g_build_filename (directory, "tree", NULL);
  g_autofree char *tree_option = g_strconcat ("--out-merkle-tree=", tree_path, NULL);
  g_autofree char *alg_option
    = g_strconcat ("--hash-alg=", vtree_digest_alg_name (contents->digest.alg), NULL);
  g_file_set_contents (path, (const char *) contents->data, (gssize) contents->size,
                       &error);
  g_assert_no_error (error);
  const char *argv[] = { "fsverity", "digest", alg_option, tree_option, path, NULL };
  g_autofree char *output = NULL;
  int status;
  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                     &output, NULL, &status, &error)) {
    vtree_test_skip ("no fsverity");
    return false;
  }
  g_assert_true (g_spawn_check_wait_status (status, &error));
  *strchr (output, ' ') = '\0';
  *digest = g_steal_pointer (&output);
  char *bytes;
  gsize size;
  g_file_get_contents (tree_path, &bytes, &size, &error);
  g_assert_no_error (error);
  *tree = g_bytes_new_take (bytes, size);
  return true;
}

/* FD holds a header and TREE; nothing for contents of one block. */
static void
assert_merkle_file (int fd, const Contents *contents, GBytes *tree)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) file = vtree_fd_load (fd, SIZE_MAX, &error);
  g_assert_no_error (error);
  size_t size = g_bytes_get_size (file);
  g_assert_cmpuint (size, ==,
                    vtree_merkle_file_size (contents->digest.alg, contents->size));
  if (contents->size <= VTREE_BLOCK_SIZE) {
    g_assert_cmpuint (size, ==, 0);
    return;
  }
  VtreeSpan span = { g_bytes_get_data (file, NULL), size };
  vtree_test_assert_bytes (span.data, 8, "VTREEMKL", 8);
  g_assert_cmpuint (vtree_span_u32 (span, 8), ==, 1);
  g_assert_cmpuint (vtree_span_u32 (span, 12), ==, contents->digest.alg);
  g_assert_cmpuint (vtree_span_u64 (span, 16), ==, contents->size);
  g_assert_true (vtree_span_is_zero ((VtreeSpan){ span.data + 24, 4096 - 24 }));
  vtree_test_assert_bytes (span.data + 4096, size - 4096, g_bytes_get_data (tree, NULL),
                           g_bytes_get_size (tree));
}

static void
test_against_the_tool (gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GError) error = NULL;
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, row->alg, row->size);
  g_autofree char *expected = NULL;
  g_autoptr (GBytes) tree = NULL;
  if (!ask_tool (&contents, &expected, &tree))
    return;
  vtree_test_assert_digest_text (&contents.digest, expected);

  g_auto (VtreeFd) fd = contents_file (&contents);
  VtreeVerityHelpers helpers = { 0 };
  VtreeVerityParams params = { row->alg, row->size, -1, &helpers };
  VtreeDigest digest;
  g_assert_true (vtree_verity_compute_fd (&params, fd, &digest, &error));
  vtree_test_assert_digest_equal (&digest, &contents.digest);

  g_auto (VtreeFd) merkle_fd = contents_merkle_file (&contents);
  assert_merkle_file (merkle_fd, &contents, tree);
}

static void
test_empty_file (void)
{
  /* As Documentation/filesystems/fsverity.rst has it: an all-zero root hash. */
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, VTREE_DIGEST_SHA256, 0);
  vtree_test_assert_digest_text (
    &contents.digest,
    "sha256:3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95");
}

static void
test_short_file (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, VTREE_DIGEST_SHA256, MIB);
  g_auto (VtreeFd) fd = contents_file (&contents);
  VtreeVerityParams params = { VTREE_DIGEST_SHA256, MIB + 1, -1, NULL };
  VtreeDigest digest;
  g_assert_false (vtree_verity_compute_fd (&params, fd, &digest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "ends early");
}

static void
test_faults (void)
{
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, VTREE_DIGEST_SHA256, MIB);
  g_auto (VtreeFd) fd = contents_file (&contents);
  g_auto (VtreeFd) merkle_fd = contents_merkle_file (&contents);
  VtreeVerityParams params = { VTREE_DIGEST_SHA256, MIB, merkle_fd, NULL };
  VtreeDigest digest;
  g_autoptr (GError) error = NULL;

  vtree_test_fault_short (VTREE_TEST_READ, 1000);
  vtree_test_fault_short (VTREE_TEST_WRITE, 1000);
  g_assert_true (vtree_verity_compute_fd (&params, fd, &digest, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_digest_equal (&digest, &contents.digest);

  vtree_test_fault_fail (VTREE_TEST_READ, 1, EIO);
  g_assert_false (vtree_verity_compute_fd (&params, fd, &digest, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "read at");
  for (unsigned writes = 0; writes < 3; writes++) {
    g_clear_error (&error);
    vtree_test_fault_fail (VTREE_TEST_WRITE, writes, ENOSPC);
    g_assert_false (vtree_verity_compute_fd (&params, fd, &digest, &error));
    vtree_test_fault_clear ();
    vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOSPC, "write Merkle file");
  }
}

/* The source is asked for long runs, not for blocks, and once for each of them. */
typedef struct {
  atomic_uint calls;
  atomic_uint runs[64]; /* how often each was asked for */
  uint64_t fails_at;
  atomic_uint failed;
} Asked;

static bool
count_and_fill (void *context, void *data, size_t size, uint64_t offset, GError **error)
{
  Asked *asked = context;
  uint64_t run = offset / VTREE_CREW_RUN;
  atomic_fetch_add (&asked->calls, 1);
  g_assert_cmpuint (offset % VTREE_CREW_RUN, ==, 0);
  g_assert_cmpuint (run, <, G_N_ELEMENTS (asked->runs));
  atomic_fetch_add (&asked->runs[run], 1);
  memset (data, 0, size);
  if (offset < asked->fails_at)
    return true;
  return vtree_error_set (error, VTREE_ERROR_BUSY, "failure %u",
                          atomic_fetch_add (&asked->failed, 1));
}

static void
test_long_runs (void)
{
  g_autoptr (GError) error = NULL;
  Asked asked = { .fails_at = UINT64_MAX };
  VtreeVerityHelpers helpers = { 0 };
  VtreeVerityParams params = { VTREE_DIGEST_SHA256, 4 * MIB + 5, -1, &helpers };
  VtreeDigest digest;
  g_assert_true (
    vtree_verity_compute (&params, count_and_fill, &asked, &digest, &error));
  g_assert_cmpuint (asked.calls, ==, 17);
  for (unsigned i = 0; i < 17; i++)
    g_assert_cmpuint (asked.runs[i], ==, 1);
}

/* One error comes back, whichever thread met it, and ends the others' work. */
static void
test_failing_source (void)
{
  static const uint64_t places[] = { 0, VTREE_CREW_RUN, 8 * MIB, 16 * MIB - 1 };
  VtreeVerityHelpers helpers = { 0 };
  VtreeVerityParams params = { VTREE_DIGEST_SHA256, 16 * MIB, -1, &helpers };
  VtreeDigest digest;
  for (size_t i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autoptr (GError) error = NULL;
    Asked asked = { .fails_at = places[i] / VTREE_CREW_RUN * VTREE_CREW_RUN };
    g_assert_false (
      vtree_verity_compute (&params, count_and_fill, &asked, &digest, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, "failure");
    g_assert_cmpuint (asked.failed, <=, vtree_pool_default_threads ());
    g_assert_cmpuint (asked.runs[0], ==, 1);
  }
}

typedef struct {
  const Contents *contents;
  VtreeVerityHelpers *helpers;
  bool ok;
} Many;

static gpointer
compute_again (gpointer data)
{
  Many *many = data;
  VtreeVerityParams params
    = { many->contents->digest.alg, many->contents->size, -1, many->helpers };
  many->ok = true;
  for (unsigned i = 0; i < 20; i++) {
    VtreeDigest digest;
    many->ok
      = many->ok
        && vtree_verity_compute_data (&params, many->contents->data, &digest, NULL)
        && vtree_digest_equal (&digest, &many->contents->digest);
  }
  return NULL;
}

/* Computations side by side have the helpers between them, and are right. */
static void
test_side_by_side (void)
{
  g_auto (Contents) contents = { 0 };
  contents_init (&contents, VTREE_DIGEST_SHA256, 5 * MIB + 1);
  VtreeVerityHelpers helpers = { 0 };
  GThread *threads[6];
  Many many[G_N_ELEMENTS (threads)];
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++) {
    many[i] = (Many){ &contents, &helpers, false };
    threads[i] = g_thread_new ("computes", compute_again, &many[i]);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++) {
    g_thread_join (threads[i]);
    g_assert_true (many[i].ok);
  }
  g_assert_cmpuint (atomic_load (&helpers.busy), ==, 0);
}

static void
add_rows (VtreeDigestAlg alg, Row *rows)
{
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    rows[i] = (Row){ alg, sizes[i] };
    g_autofree char *path = g_strdup_printf ("/core/verity/tool/%s/%" G_GUINT64_FORMAT,
                                             vtree_digest_alg_name (alg), sizes[i]);
    g_test_add_data_func (path, &rows[i], test_against_the_tool);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  Row rows[2][G_N_ELEMENTS (sizes)];
  add_rows (VTREE_DIGEST_SHA256, rows[0]);
  add_rows (VTREE_DIGEST_SHA512, rows[1]);
  g_test_add_func ("/core/verity/empty", test_empty_file);
  g_test_add_func ("/core/verity/short-file", test_short_file);
  g_test_add_func ("/core/verity/faults", test_faults);
  g_test_add_func ("/core/verity/long-runs", test_long_runs);
  g_test_add_func ("/core/verity/failing-source", test_failing_source);
  g_test_add_func ("/core/verity/side-by-side", test_side_by_side);
  return vtree_test_run ();
}
