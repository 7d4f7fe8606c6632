/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Repack: which packs are folded, and that all that is alive stays readable.
 */
#include "manifest/gc.h"
#include "manifest/repack-private.h"
#include "tests/unit/manifest/repack-fixture.h"

#include <errno.h>
#include <sys/stat.h>

/* --- many and small --------------------------------------------------------------- */

static const struct {
  const char *name;
  uint64_t sizes[12];
  unsigned folds; /* how many, the smallest ones */
} folds[] = {
  { "none", { 0 }, 0 },
  { "one", { 7 }, 0 },
  { "equal", { 5, 5 }, 2 },
  { "half", { 10, 5 }, 0 },
  { "more-than-half", { 10, 6 }, 2 },
  { "odd", { 11, 5 }, 0 },
  { "odd-more", { 9, 5 }, 2 },
  { "powers", { 64, 32, 16, 8, 4, 2, 1 }, 7 },
  { "powers-of-three", { 729, 243, 81, 27, 9, 3, 1 }, 0 },
  { "two-small", { 100, 10, 8 }, 2 },
  { "any-order", { 8, 100, 10 }, 2 },
  { "small-add-up", { 100, 20, 20, 20 }, 4 },
  { "small-just-fit", { 100, 20, 15, 15 }, 3 },
  { "tail", { 1000, 300, 100, 30, 10, 9 }, 3 },
  { "many-equal", { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 12 },
  { "huge", { UINT64_C (1) << 62, UINT64_C (1) << 61, 1 }, 3 },
};

static void
test_fold_small (gconstpointer row)
{
  size_t n = GPOINTER_TO_SIZE (row);
  g_autoptr (GArray) packs = g_array_new (FALSE, FALSE, sizeof (VtreeRepackPack));
  for (size_t i = 0; i < G_N_ELEMENTS (folds[n].sizes); i++) {
    VtreeRepackPack pack = { .size = folds[n].sizes[i], .readable = true };
    pack.name.alg = VTREE_DIGEST_SHA256;
    pack.name.value[0] = (uint8_t) i;
    if (pack.size > 0)
      g_array_append_val (packs, pack);
  }
  vtree_repack_fold_small (packs);
  for (guint i = 0; i < packs->len; i++) {
    const VtreeRepackPack *pack = &g_array_index (packs, VtreeRepackPack, i);
    g_assert_cmpint (pack->folds, ==, i >= packs->len - folds[n].folds);
    g_assert_true (i == 0 || (pack - 1)->size >= pack->size);
  }
}

static void
test_pays (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  for (unsigned i = 1; i <= 10; i++) {
    uint64_t folded;
    bool pays;
    repack_put_version (&fixture, i, 10 * i, 3);
    g_autoptr (VtreeStore) store = repo_fixture_store (&fixture.repo);
    vtree_repack_pays (store, &pays, &folded, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (folded, ==, i > 1 ? i : 0);
    g_assert_cmpint (pays, ==, i >= 8);
  }
}

/* --- what stays readable ---------------------------------------------------------- */

static const struct {
  const char *name;
  VtreeRepackOptions options;
  unsigned packs;
} ways[] = {
  { "default", REPACK_OPTIONS, 1 }, /* they are of one size */
  { "all", { .min_live = VTREE_REPACK_MIN_LIVE, .all = true }, 1 },
  { "all-live", { .min_live = 100 }, 1 },
  { "less", { .all = true, .has_threshold = true, .threshold = REPACK_SIZE }, 1 },
  { "too-little",
    { .all = true, .has_threshold = true, .threshold = REPACK_SIZE - 1 },
    0 },
  { "unpack", { .all = true, .has_threshold = true }, 0 },
  { "most", { .all = true, .has_threshold = true, .threshold = 65536 }, 1 },
};

static void
test_readable (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (VersionsFixture) fixture = { 0 };
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  for (unsigned v = 1; v <= 6; v++)
    repack_put_version (&fixture, v, 10 * v, 14); /* four of which are the next one's */
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 6);
  VtreeRepackResult result = repack (&fixture, &ways[i].options);
  repack_check (&fixture, 10, 64);
  g_assert_cmpuint (repack_count_packs (&fixture), ==, ways[i].packs);
  g_assert_cmpuint (result.packs_before, ==, 6);
  g_assert_cmpuint (result.folded, ==, 6);
  g_assert_cmpuint (result.damaged, ==, 0);
  g_assert_cmpuint (result.moved, ==, 0);
  g_assert_cmpuint (result.unpacked, ==, ways[i].packs == 0 ? 64 : 0);
  for (unsigned n = 10; n < 74; n++) {
    VtreeDigest digest = repack_digest (n);
    g_assert_cmpint (versions_fixture_has (&fixture, &digest), ==, ways[i].packs == 0);
  }
}

static void
test_from_loose (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = { .min_live = VTREE_REPACK_MIN_LIVE,
                                 .has_threshold = true,
                                 .threshold = REPACK_THRESHOLD };
  versions_fixture_init (&fixture);
  VtreeDigest manifests[2] = { repack_put_version (&fixture, 1, 0, 20),
                               repack_put_version (&fixture, 2, 10, 20) };
  repack_put_loose (&fixture, 90, 1); /* nothing names it: it stays what it is */
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.moved, ==, 30);
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 1);
  repack_check (&fixture, 0, 30);
  for (unsigned n = 0; n < 30; n++) {
    VtreeDigest digest = repack_digest (n);
    g_assert_false (versions_fixture_has (&fixture, &digest));
  }
  VtreeDigest other = repack_digest (90);
  g_assert_true (versions_fixture_has (&fixture, &other));
  for (size_t i = 0; i < G_N_ELEMENTS (manifests); i++)
    g_assert_true (versions_fixture_has (&fixture, &manifests[i]));
}

static bool
announces_packs (const VersionsFixture *fixture)
{
  g_autofree char *path = repo_fixture_path (&fixture->repo, "config");
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return strstr (text, "\nfeatures=packs\n") != NULL
         && strstr (text, "\npack-threshold=0\n") != NULL;
}

/* Programs that know no packs are told before there is one. */
static void
test_announces_packs (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options
    = { .min_live = VTREE_REPACK_MIN_LIVE, .has_threshold = true, .dry_run = true };
  versions_fixture_init (&fixture);
  repack_put_version (&fixture, 1, 0, 20);
  g_assert_false (announces_packs (&fixture));
  options.threshold = REPACK_THRESHOLD;
  vtree_repack (fixture.repo.repo, &options, &(VtreeRepackResult){ 0 }, NULL);
  g_assert_false (announces_packs (&fixture));
  options.dry_run = false;
  repack (&fixture, &options);
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 1);
  g_assert_true (announces_packs (&fixture));
}

static void
test_no_pack_where_it_can_not_be_announced (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeRepackOptions options = { .min_live = VTREE_REPACK_MIN_LIVE,
                                 .has_threshold = true,
                                 .threshold = REPACK_THRESHOLD };
  VtreeRepackResult result;
  versions_fixture_init (&fixture);
  repack_put_version (&fixture, 1, 0, 20);
  g_autofree char *path = repo_fixture_path (&fixture.repo, "config");
  g_assert_true (g_file_set_contents (path, "[core]\nversion=2\n", -1, NULL));
  g_assert_false (vtree_repack (fixture.repo.repo, &options, &result, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED,
                           "that there are packs: ");
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 0);
  g_assert_cmpuint (repo_fixture_count (&fixture.repo, "tmp"), ==, 0);
  repack_check (&fixture, 0, 20);
}

/* What is packed and a file of its own loses the file, and is not packed again. */
static void
test_twice_there (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 20);
  repack_put_loose (&fixture, 5, 5);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.moved, ==, 5);
  g_assert_cmpuint (result.folded, ==, 0);
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 1);
  VtreeDigest digest = repack_digest (6);
  g_assert_false (versions_fixture_has (&fixture, &digest));
  repack_check (&fixture, 0, 20);
}

static void
test_dead (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeGcOptions gc = { .keep = 1 };
  VtreeGcResult collected;
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 10);
  repack_put_version (&fixture, 2, 8, 12);  /* new: 10 to 19 */
  repack_put_version (&fixture, 3, 15, 10); /* new: 20 to 24 */
  repack (&fixture, &options);
  repack_check (&fixture, 0, 25);
  g_assert_true (vtree_gc (fixture.repo.repo, &gc, &collected, &error));
  g_assert_cmpuint (collected.dead_bytes, ==, 15 * REPACK_SIZE);
  g_assert_cmpuint (collected.live_bytes, ==, 10 * REPACK_SIZE);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.folded, ==, 1);
  repack_check (&fixture, 15, 10);
  repack_check_none (&fixture, 0, 15);
  g_assert_true (vtree_gc (fixture.repo.repo, &gc, &collected, &error));
  g_assert_cmpuint (collected.dead_bytes, ==, 0);
}

/* A pack of which nothing is needed goes with gc alone. */
static void
test_dead_pack (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  VtreeGcOptions gc = { .keep = 1, .dry_run = true };
  VtreeGcResult collected;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 10);
  repack_put_version (&fixture, 2, 20, 10);
  for (unsigned i = 0; i < 2; i++, gc.dry_run = false) {
    g_assert_cmpuint (repack_count_packs (&fixture), ==, 2);
    g_assert_true (vtree_gc (fixture.repo.repo, &gc, &collected, &error));
    g_assert_cmpuint (collected.packs, ==, 1);
  }
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 1);
  repack_check (&fixture, 20, 10);
  repack_check_none (&fixture, 0, 10);
}

/* --- no change -------------------------------------------------------------------- */

static void
list_below (const char *path, GPtrArray *lines)
{
  struct stat st;
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_ptr_array_add (lines, g_strdup_printf ("%s %o %ld %ld %ld.%09ld", path, st.st_mode,
                                           (long) st.st_ino, (long) st.st_size,
                                           (long) st.st_mtim.tv_sec,
                                           (long) st.st_mtim.tv_nsec));
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree char *inner = g_build_filename (path, name, NULL);
    list_below (inner, lines);
  }
}

static gint
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Every file, with its number and its time. */
static char *
listing (const VersionsFixture *fixture)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  list_below (fixture->repo.path, lines);
  g_ptr_array_sort (lines, compare_lines);
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **) lines->pdata);
}

static void
test_dry_run (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options
    = { .min_live = VTREE_REPACK_MIN_LIVE, .all = true, .dry_run = true };
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_version (&fixture, 1, 0, 20);
  repack_put_version (&fixture, 2, 30, 20);
  repack_put_loose (&fixture, 5, 7);
  g_autofree char *before = listing (&fixture);
  VtreeRepackResult said = repack (&fixture, &options);
  g_autofree char *after = listing (&fixture);
  g_assert_cmpstr (before, ==, after);
  options.dry_run = false;
  VtreeRepackResult done = repack (&fixture, &options);
  g_assert_cmpuint (said.folded, ==, 2);
  g_assert_cmpuint (said.folded, ==, done.folded);
  g_assert_cmpuint (said.moved, ==, 7);
  g_assert_cmpuint (said.moved, ==, done.moved);
  g_assert_cmpuint (said.packs_before, ==, done.packs_before);
  g_assert_cmpuint (said.bytes_before, ==, done.bytes_before);
}

static void
test_idempotent (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  for (unsigned v = 1; v <= 5; v++)
    repack_put_version (&fixture, v, 10 * v, 10);
  repack (&fixture, &options);
  g_autofree char *before = listing (&fixture);
  VtreeRepackResult result = repack (&fixture, &options);
  g_autofree char *after = listing (&fixture);
  g_assert_cmpstr (before, ==, after);
  g_assert_cmpuint (result.folded, ==, 0);
  options.all = true; /* the same objects in the same order: the same pack */
  g_autofree char *pack = repack_pack_of (&fixture, 10);
  result = repack (&fixture, &options);
  g_autofree char *again = repack_pack_of (&fixture, 10);
  g_assert_cmpstr (pack, ==, again);
  g_assert_cmpuint (result.folded, ==, 0);
  repack_check (&fixture, 10, 50);
}

static void
test_empty (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = { .all = true };
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.packs_before + result.packs_after + result.folded, ==, 0);
}

/* A dead pack alone: it is folded into nothing. */
static void
test_only_dead (void)
{
  g_auto (VersionsFixture) fixture = { 0 };
  VtreeRepackOptions options = REPACK_OPTIONS;
  versions_fixture_init_packing (&fixture, REPACK_THRESHOLD);
  repack_put_pack (&fixture, 0, 10);
  VtreeRepackResult result = repack (&fixture, &options);
  g_assert_cmpuint (result.folded, ==, 1);
  g_assert_cmpuint (repack_count_packs (&fixture), ==, 0);
}

#define ADD_TABLE(prefix, table, function)                                             \
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++) {                                  \
    g_autofree char *path = g_strdup_printf (prefix "/%s", (table)[i].name);           \
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);                       \
  }

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD_TABLE ("/manifest/repack/fold-small", folds, test_fold_small);
  g_test_add_func ("/manifest/repack/pays", test_pays);
  ADD_TABLE ("/manifest/repack/readable", ways, test_readable);
  g_test_add_func ("/manifest/repack/from-loose", test_from_loose);
  g_test_add_func ("/manifest/repack/announces-packs", test_announces_packs);
  g_test_add_func ("/manifest/repack/not-announced",
                   test_no_pack_where_it_can_not_be_announced);
  g_test_add_func ("/manifest/repack/twice-there", test_twice_there);
  g_test_add_func ("/manifest/repack/dead", test_dead);
  g_test_add_func ("/manifest/repack/dead-pack", test_dead_pack);
  g_test_add_func ("/manifest/repack/dry-run", test_dry_run);
  g_test_add_func ("/manifest/repack/idempotent", test_idempotent);
  g_test_add_func ("/manifest/repack/empty", test_empty);
  g_test_add_func ("/manifest/repack/only-dead", test_only_dead);
  return vtree_test_run ();
}
