/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deltas whose chunks are real, in an order that no writer gives them, or with a head
 * that says something else: taken, or refused for the reason that is the case.
 */
#include "core/bytes.h"
#include "manifest/delta-private.h"
#include "tests/fuzz/delta-make.h"
#include "tests/fuzz/delta-trees.h"
#include "tests/lib/test.h"

#include <sys/mman.h>
#include <xxhash.h>

typedef struct {
  VtreeRepo *source, *target; /* the target has the base alone */
  VtreeStore *store;          /* the source's */
  VtreeStatement *statements[DELTA_TREES];
} Fixture;

static VtreeRepo *
new_repo (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "repo", NULL);
  return vtree_fuzz_delta_repo_new (path, VTREE_DIGEST_SHA256);
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->source = new_repo ();
  f->target = new_repo ();
  for (unsigned i = 0; i < DELTA_TREES; i++)
    f->statements[i] = vtree_fuzz_delta_put (f->source, i);
  g_autoptr (VtreeStatement) base = vtree_fuzz_delta_put (f->target, DELTA_TREE_BASE);
  f->store = vtree_store_new (f->source, NULL);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_store_free (f->store);
  for (unsigned i = 0; i < DELTA_TREES; i++)
    vtree_statement_free (f->statements[i]);
  vtree_repo_free (f->source);
  vtree_repo_free (f->target);
}

/* Gives the delta its checksum, and tries it. */
static bool
try (const Fixture *f, const GByteArray *delta, GError **error)
{
  g_auto (VtreeFd) fd = memfd_create ("delta", MFD_CLOEXEC);
  XXH128_canonical_t sum;
  XXH128_canonicalFromHash (&sum, XXH3_128bits (delta->data, delta->len));
  g_assert_true (vtree_fd_pwrite (fd, delta->data, delta->len, 0, NULL));
  g_assert_true (vtree_fd_pwrite (fd, sum.digest, sizeof sum.digest, delta->len, NULL));
  return vtree_delta_try (f->target, fd, error);
}

/* --- orders ----------------------------------------------------------------------- */

static const struct {
  const char *name;
  DeltaWay way;
  int code;            /* -1: it is taken */
  const char *message; /* part of it */
} orders[] = {
  { "planned", DELTA_AS_PLANNED, -1, NULL },
  { "cut", DELTA_CUT, -1, NULL },
  { "cut-once", DELTA_CUT_ONCE, -1, NULL },
  { "reversed", DELTA_REVERSED, VTREE_ERROR_CORRUPT, "should not have" },
  { "twice", DELTA_TWICE, VTREE_ERROR_CORRUPT, "more than one manifest" },
  { "cut-twice", DELTA_CUT_TWICE, VTREE_ERROR_CORRUPT, "more than one manifest" },
  { "without-last", DELTA_WITHOUT_LAST, VTREE_ERROR_MISSING, "not there" },
  { "objects-first", DELTA_OBJECTS_FIRST, VTREE_ERROR_CORRUPT, "should not have" },
  { "left-open", DELTA_LEFT_OPEN, VTREE_ERROR_CORRUPT, "lacks the rest" },
  { "swapped", DELTA_SWAPPED, VTREE_ERROR_CORRUPT, "not in their order" },
};

static const unsigned trees[]
  = { DELTA_TREE_CHANGED, DELTA_TREE_LARGE, DELTA_TREE_MANY };

/* From nothing, and from the base. */
static void
test_order (Fixture *f, gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  for (unsigned k = 0; k < 2; k++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) delta = vtree_fuzz_delta_make (
      f->store, f->statements[DELTA_TREE_CHANGED],
      k == 0 ? NULL : f->statements[DELTA_TREE_BASE], orders[i].way);
    bool ok = try (f, delta, &error);
    if (orders[i].code < 0)
      g_assert_no_error (error);
    else
      vtree_test_assert_error (error, VTREE_ERROR, orders[i].code, orders[i].message);
    g_assert_cmpint (ok, ==, error == NULL);
  }
}

static void
test_trees (Fixture *f, gconstpointer unused)
{
  (void) unused;
  for (size_t i = 0; i < 3 * G_N_ELEMENTS (trees); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) delta
      = vtree_fuzz_delta_make (f->store, f->statements[trees[i / 3]],
                               f->statements[DELTA_TREE_BASE], (DeltaWay) (i % 3));
    try (f, delta, &error);
    g_assert_no_error (error);
  }
}

/* --- heads ------------------------------------------------------------------------ */

static const struct {
  const char *name;
  unsigned offset, size;
  uint64_t value;
  int code;
  const char *message;
} heads[] = {
  { "from-larger", 96, 8, 1 << 20, VTREE_ERROR_CORRUPT, NULL },
  { "from-huge", 96, 8, UINT64_MAX, VTREE_ERROR_CORRUPT, NULL },
  { "from-nothing", 96, 8, 0, VTREE_ERROR_CORRUPT, NULL },
  { "from-none", 28, 4, 0, VTREE_ERROR_CORRUPT, "does not start from" },
  { "flags", 28, 4, 3, VTREE_ERROR_CORRUPT, "its head" },
  { "other-from", 32, 8, 1, VTREE_ERROR_MISSING, "not here" },
  { "chunks-none", 104, 8, 0, VTREE_ERROR_CORRUPT, "its head" },
  { "chunks-less", 104, 8, 1, VTREE_ERROR_CORRUPT, "checksum" },
  { "chunks-many", 104, 8, UINT64_MAX, VTREE_ERROR_CORRUPT, NULL },
  { "statement-huge", 20, 4, UINT32_MAX, VTREE_ERROR_CORRUPT, "its head" },
  { "signature-huge", 24, 4, UINT32_MAX, VTREE_ERROR_CORRUPT, "its head" },
  { "algorithm", 12, 4, 2, VTREE_ERROR_INVALID, "sha512" },
  { "version", 8, 4, 2, VTREE_ERROR_UNSUPPORTED, "newer" },
  { "features", 16, 4, 1, VTREE_ERROR_UNSUPPORTED, "newer" },
  { "reserved", 120, 8, 1, VTREE_ERROR_CORRUPT, "its head" },
};

static void
test_head (Fixture *f, gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) delta
    = vtree_fuzz_delta_make (f->store, f->statements[DELTA_TREE_CHANGED],
                             f->statements[DELTA_TREE_BASE], DELTA_AS_PLANNED);
  if (heads[i].size == 8)
    vtree_bytes_put_u64 (delta->data + heads[i].offset, heads[i].value);
  else
    vtree_bytes_put_u32 (delta->data + heads[i].offset, (uint32_t) heads[i].value);
  g_assert_false (try (f, delta, &error));
  vtree_test_assert_error (error, VTREE_ERROR, heads[i].code, heads[i].message);
}

/* --- the whole -------------------------------------------------------------------- */

/* A pipe gives what it has; a signal may come in between. */
static void
test_short_reads (Fixture *f, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) delta
    = vtree_fuzz_delta_make (f->store, f->statements[DELTA_TREE_CHANGED],
                             f->statements[DELTA_TREE_BASE], DELTA_AS_PLANNED);
  (void) unused;
  vtree_test_fault_short (VTREE_TEST_READ, 7);
  try (f, delta, &error);
  vtree_test_fault_clear ();
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (orders); i++) {
    g_autofree char *path
      = g_strdup_printf ("/manifest/delta-hostile/order/%s", orders[i].name);
    g_test_add (path, Fixture, GSIZE_TO_POINTER (i), set_up, test_order, tear_down);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (heads); i++) {
    g_autofree char *path
      = g_strdup_printf ("/manifest/delta-hostile/head/%s", heads[i].name);
    g_test_add (path, Fixture, GSIZE_TO_POINTER (i), set_up, test_head, tear_down);
  }
  g_test_add ("/manifest/delta-hostile/trees", Fixture, NULL, set_up, test_trees,
              tear_down);
  g_test_add ("/manifest/delta-hostile/short-reads", Fixture, NULL, set_up,
              test_short_reads, tear_down);
  return vtree_test_run ();
}
