/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The set of packs: what comes and goes is noticed, what is no pack is passed over, and
 * descriptors stay few.
 */
#include "core/packs.h"
#include "tests/unit/core/pack-fixture.h"
#include "tests/unit/core/repo-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *dir;
  VtreePacks *packs;
} Set;

static void
set_init (Set *set)
{
  set->dir = vtree_test_make_dir ();
  set->packs = vtree_packs_new_take (
    g_open (set->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), VTREE_DIGEST_SHA256);
}

static void
set_clear (Set *set)
{
  vtree_packs_free (set->packs);
  g_free (set->dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Set, set_clear)

static void
touch (const Set *set)
{
  g_assert_cmpint (utimensat (AT_FDCWD, set->dir, NULL, 0), ==, 0);
}

static void
refresh (const Set *set)
{
  g_autoptr (GError) error = NULL;
  vtree_packs_refresh (set->packs, &error);
  g_assert_no_error (error);
}

/* A pack of COUNT objects from SEED on. */
static void
add_pack (const Set *set, PackFixture *fixture, unsigned seed, unsigned count)
{
  pack_fixture_init (fixture, VTREE_DIGEST_SHA256);
  pack_fixture_add_many (fixture, seed, count);
  pack_fixture_put (fixture, set->dir);
  touch (set);
}

typedef struct {
  unsigned good, bad;
  bool all; /* look at every copy */
} Answers;

static bool
take_answer (void *context, VtreePack *pack, uint64_t index,
             const VtreePackEntry *entry)
{
  Answers *answers = context;
  uint8_t data[VTREE_PACK_OBJECT_MAX];
  bool ok = vtree_pack_read (pack, index, entry, VTREE_VERITY_AUTO, data, NULL);
  answers->good += ok;
  answers->bad += !ok;
  return answers->all || !ok;
}

static Answers
search (const Set *set, const VtreeDigest *digest, bool all)
{
  g_autoptr (GError) error = NULL;
  Answers answers = { .all = all };
  vtree_packs_find (set->packs, digest, VTREE_PACKS_ANY_SIZE, take_answer, &answers,
                    &error);
  g_assert_no_error (error);
  return answers;
}

static bool
has (const Set *set, const PackFixture *fixture, unsigned index)
{
  return search (set, &pack_fixture_item (fixture, index)->digest, false).good == 1;
}

/* --- coming and going ------------------------------------------------------------- */

static void
test_none (void)
{
  g_autoptr (VtreePacks) packs = vtree_packs_new_take (-1, VTREE_DIGEST_SHA256);
  g_autoptr (GError) error = NULL;
  Answers answers = { 0 };
  VtreeDigest digest = { .alg = VTREE_DIGEST_SHA256 };
  g_assert_true (vtree_packs_find (packs, &digest, 1, take_answer, &answers, &error));
  g_assert_true (vtree_packs_refresh (packs, &error));
  g_assert_true (vtree_packs_remove (packs, &digest, &error));
  g_autoptr (GArray) names = vtree_packs_list (packs, &error);
  g_assert_cmpuint (names->len, ==, 0);
  g_assert_null (vtree_packs_open (packs, &digest, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "not there");
}

/* As fast as it goes: within one tick of the filesystem's clock, as a rule. */
static void
test_refresh (void)
{
  g_auto (Set) set = { 0 };
  set_init (&set);
  refresh (&set);
  for (unsigned i = 0; i < 40; i++) {
    g_auto (PackFixture) fixture = { 0 };
    g_autoptr (GError) error = NULL;
    guint before = vtree_packs_generation (set.packs);
    add_pack (&set, &fixture, i * 10, 3);
    refresh (&set);
    g_assert_cmpuint (vtree_packs_generation (set.packs), !=, before);
    g_assert_true (has (&set, &fixture, 2));
    before = vtree_packs_generation (set.packs);
    g_assert_true (vtree_packs_remove (set.packs, &fixture.name, &error));
    g_assert_true (vtree_packs_remove (set.packs, &fixture.name, &error));
    refresh (&set);
    g_assert_cmpuint (vtree_packs_generation (set.packs), !=, before);
    g_assert_false (has (&set, &fixture, 2));
  }
}

/* Times of whole seconds, as of ext4 with small inodes, of NFS or of FAT: what comes
 * in the same second is seen all the same. */
static void
test_coarse_clock (void)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) first = { 0 };
  g_auto (PackFixture) second = { 0 };
  struct timespec now;
  set_init (&set);
  clock_gettime (CLOCK_REALTIME, &now);
  const struct timespec second_ago[] = { { now.tv_sec - 1, 0 }, { now.tv_sec - 1, 0 } };
  add_pack (&set, &first, 1, 3);
  g_assert_cmpint (utimensat (AT_FDCWD, set.dir, second_ago, 0), ==, 0);
  refresh (&set);
  g_assert_true (has (&set, &first, 0));
  add_pack (&set, &second, 10, 3);
  g_assert_cmpint (utimensat (AT_FDCWD, set.dir, second_ago, 0), ==, 0);
  refresh (&set);
  g_assert_true (has (&set, &second, 0));
}

/* What has not changed is not listed again, and nobody thinks that it has. */
static void
test_quiet (void)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) fixture = { 0 };
  g_auto (PackFixture) hidden = { 0 };
  static const struct timespec past[] = { { 1000000000, 5 }, { 1000000000, 5 } };
  set_init (&set);
  add_pack (&set, &fixture, 1, 3);
  g_assert_cmpint (utimensat (AT_FDCWD, set.dir, past, 0), ==, 0);
  refresh (&set);
  guint generation = vtree_packs_generation (set.packs);
  add_pack (&set, &hidden, 10, 3);
  g_assert_cmpint (utimensat (AT_FDCWD, set.dir, past, 0), ==, 0);
  refresh (&set);
  g_assert_false (has (&set, &hidden, 0));
  g_assert_cmpuint (vtree_packs_generation (set.packs), ==, generation);
  touch (&set);
  refresh (&set);
  refresh (&set);
  g_assert_true (has (&set, &hidden, 0));
  g_assert_cmpuint (vtree_packs_generation (set.packs), ==, generation + 1);
}

/* A damaged pack is written again under the same name: whoever has the old file open,
 * or knows it for no pack, turns to the new one. */
static void
test_replaced (gconstpointer row)
{
  bool garbage = GPOINTER_TO_SIZE (row) != 0;
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) fixture = { 0 };
  g_auto (PackFixture) again = { 0 };
  set_init (&set);
  add_pack (&set, &fixture, 1, 3);
  repo_fixture_flip (fixture.path, garbage ? 0 : VTREE_PACK_HEADER_SIZE);
  refresh (&set);
  g_assert_false (has (&set, &fixture, 0));
  guint generation = vtree_packs_generation (set.packs);
  add_pack (&set, &again, 1, 3);
  vtree_test_assert_digest_equal (&again.name, &fixture.name);
  refresh (&set);
  g_assert_cmpuint (vtree_packs_generation (set.packs), !=, generation);
  g_assert_true (has (&set, &fixture, 0));
}

/* --- copies ----------------------------------------------------------------------- */

static void
test_two_copies (void)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) a = { 0 };
  g_auto (PackFixture) b = { 0 };
  set_init (&set);
  add_pack (&set, &a, 1, 3);
  add_pack (&set, &b, 1, 4);
  for (unsigned i = 0; i < 3; i++)
    g_assert_cmpuint (search (&set, &pack_fixture_item (&a, i)->digest, true).good, ==,
                      2);
  repo_fixture_flip (a.path, VTREE_PACK_HEADER_SIZE);
  g_assert_true (has (&set, &a, 0));
  Answers answers = search (&set, &pack_fixture_item (&a, 0)->digest, true);
  g_assert_cmpuint (answers.good, ==, 1);
  g_assert_cmpuint (answers.bad, ==, 1);
  repo_fixture_flip (a.path, VTREE_PACK_HEADER_SIZE);
  repo_fixture_flip (b.path, VTREE_PACK_HEADER_SIZE);
  g_assert_true (has (&set, &a, 0));
}

static void
test_size (void)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  set_init (&set);
  add_pack (&set, &fixture, 1, 10);
  const VtreePackItem *item = pack_fixture_item (&fixture, 4);
  static const struct {
    uint64_t more;
    unsigned good;
  } rows[] = { { 0, 1 }, { 1, 0 }, { UINT64_MAX, 0 }, { 1000, 0 }, { 1 << 20, 0 } };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    Answers answers = { 0 };
    g_assert_true (vtree_packs_find (set.packs, &item->digest,
                                     item->size + rows[i].more, take_answer, &answers,
                                     &error));
    g_assert_cmpuint (answers.good, ==, rows[i].good);
    g_assert_cmpuint (answers.bad, ==, 0);
  }
}

/* --- what is no pack -------------------------------------------------------------- */

static void
spoil_empty (const char *path)
{
  g_assert_cmpint (truncate (path, 0), ==, 0);
}

static void
spoil_magic (const char *path)
{
  repo_fixture_flip (path, 0);
}

static void
spoil_version (const char *path)
{
  repo_fixture_flip (path, 8);
}

static void
spoil_index (const char *path)
{
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  for (off_t at = st.st_size - 12; at > st.st_size - 12 - 3 * 44; at -= 44)
    repo_fixture_flip (path, (size_t) at + 6); /* offsets */
}

static void
spoil_directory (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_mkdir (path, 0755), ==, 0);
}

static void
spoil_fifo (const char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (mkfifo (path, 0644), ==, 0);
}

static void
spoil_symlink (const char *path)
{
  g_autofree char *other = g_strconcat (path, "-moved", NULL);
  g_assert_cmpint (g_rename (path, other), ==, 0);
  g_assert_cmpint (symlink (other, path), ==, 0);
}

static void
spoil_fanout (const char *path)
{
  g_autofree char *fanout = g_path_get_dirname (path);
  g_autofree char *other = g_strconcat (fanout, "-moved", NULL);
  g_assert_cmpint (g_rename (fanout, other), ==, 0);
  g_assert_cmpint (symlink (other, fanout), ==, 0);
}

static void
spoil_fanout_file (const char *path)
{
  g_autofree char *fanout = g_path_get_dirname (path);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (fanout), ==, 0);
  g_assert_true (g_file_set_contents (fanout, "x", 1, NULL));
}

static const struct {
  const char *name;
  void (*spoil) (const char *path);
} garbage[] = {
  { "empty", spoil_empty },         { "magic", spoil_magic },
  { "version", spoil_version },     { "index", spoil_index },
  { "directory", spoil_directory }, { "fifo", spoil_fifo },
  { "symlink", spoil_symlink },     { "fanout-symlink", spoil_fanout },
  { "fanout", spoil_fanout_file },
};

static void
test_garbage (gconstpointer row)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) good = { 0 };
  g_auto (PackFixture) bad = { 0 };
  set_init (&set);
  add_pack (&set, &good, 1, 3);
  add_pack (&set, &bad, 10, 3);
  garbage[GPOINTER_TO_SIZE (row)].spoil (bad.path);
  touch (&set);
  for (unsigned i = 0; i < 3; i++) {
    g_assert_true (has (&set, &good, i));
    Answers answers = search (&set, &pack_fixture_item (&bad, i)->digest, true);
    g_assert_cmpuint (answers.good + answers.bad, ==, 0);
  }
}

static void
test_strangers (void)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  set_init (&set);
  add_pack (&set, &fixture, 1, 3);
  static const char *const names[] = { "readme", "aa/short", "zz/x", "AB/x", "a/x" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (set.dir, names[i], NULL);
    g_autofree char *dir = g_path_get_dirname (path);
    g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
    g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  }
  g_autoptr (GArray) all = vtree_packs_list (set.packs, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (all->len, ==, 1);
  vtree_test_assert_digest_equal (&g_array_index (all, VtreeDigest, 0), &fixture.name);
}

/* --- many ------------------------------------------------------------------------- */

static unsigned
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  unsigned count = 0;
  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

#define MANY 150
#define OPEN_MAX_PACKS 64

static void
test_many (void)
{
  g_auto (Set) set = { 0 };
  g_autofree PackFixture *all = g_new0 (PackFixture, MANY);
  set_init (&set);
  for (unsigned i = 0; i < MANY; i++)
    add_pack (&set, &all[i], 1000 * i, 2);
  unsigned before = count_descriptors ();
  for (unsigned round = 0; round < 3; round++)
    for (unsigned i = 0; i < MANY; i++) {
      unsigned which = round == 1 ? MANY - 1 - i : i;
      g_assert_true (has (&set, &all[which], which % 2));
      g_assert_cmpuint (count_descriptors (), <=, before + OPEN_MAX_PACKS);
    }
  for (unsigned i = 0; i < MANY; i += 2)
    g_assert_true (vtree_packs_remove (set.packs, &all[i].name, NULL));
  refresh (&set);
  for (unsigned i = 0; i < MANY; i++)
    g_assert_cmpint (has (&set, &all[i], 0), ==, i % 2 == 1);
  g_assert_cmpuint (count_descriptors (), <=, before + OPEN_MAX_PACKS);
  for (unsigned i = 0; i < MANY; i++)
    pack_fixture_clear (&all[i]);
}

/* Without a descriptor to spare it is an error, not an object that is absent. */
static void
test_no_descriptors (void)
{
  g_auto (Set) set = { 0 };
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GError) error = NULL;
  Answers answers = { 0 };
  set_init (&set);
  add_pack (&set, &fixture, 1, 2);
  refresh (&set);
  int taken[1024];
  unsigned count = 0;
  struct rlimit limit, low;
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  low = limit;
  low.rlim_cur = MIN (limit.rlim_cur, 200);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &low), ==, 0);
  while ((taken[count] = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    count++;
  bool ok = vtree_packs_find (set.packs, &pack_fixture_item (&fixture, 0)->digest,
                              VTREE_PACKS_ANY_SIZE, take_answer, &answers, &error);
  for (unsigned i = 0; i < count; i++)
    close (taken[i]);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_false (ok);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EMFILE, NULL);
  g_assert_true (has (&set, &fixture, 0));
}

/* --- threads ---------------------------------------------------------------------- */

#define STEADY 8
#define ROUNDS 60

typedef struct {
  const Set *set;
  const PackFixture *steady;
  gint stop; /* atomic */
  gint found;
} Crowd;

/* What is in packs that stay is found whatever comes and goes. */
static gpointer
run_searches (gpointer data)
{
  Crowd *crowd = data;
  for (unsigned i = 0; !g_atomic_int_get (&crowd->stop); i++) {
    g_assert_true (has (crowd->set, &crowd->steady[i % STEADY], i % 3));
    VtreeDigest absent = pack_fixture_item (&crowd->steady[0], 0)->digest;
    absent.value[31] ^= 1;
    g_assert_cmpuint (search (crowd->set, &absent, true).good, ==, 0);
    if (i % 5 == 0)
      refresh (crowd->set);
    g_atomic_int_inc (&crowd->found);
  }
  return NULL;
}

static void
test_threads (void)
{
  g_auto (Set) set = { 0 };
  PackFixture steady[STEADY];
  GThread *threads[3];
  set_init (&set);
  for (unsigned i = 0; i < STEADY; i++)
    add_pack (&set, &steady[i], 100 * i, 3);
  refresh (&set);
  Crowd crowd = { .set = &set, .steady = steady };
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("search", run_searches, &crowd);
  for (unsigned i = 0; i < ROUNDS; i++) {
    g_auto (PackFixture) passing = { 0 };
    add_pack (&set, &passing, 5000 + 10 * i, 4);
    refresh (&set);
    g_assert_true (has (&set, &passing, 1));
    g_assert_true (vtree_packs_remove (set.packs, &passing.name, NULL));
    refresh (&set);
    g_assert_false (has (&set, &passing, 1));
  }
  g_atomic_int_set (&crowd.stop, 1);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (crowd.found, >, 0);
  for (unsigned i = 0; i < STEADY; i++)
    pack_fixture_clear (&steady[i]);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/packs/none", test_none);
  g_test_add_func ("/core/packs/refresh", test_refresh);
  g_test_add_func ("/core/packs/coarse-clock", test_coarse_clock);
  g_test_add_func ("/core/packs/quiet", test_quiet);
  g_test_add_data_func ("/core/packs/replaced", GSIZE_TO_POINTER (0), test_replaced);
  g_test_add_data_func ("/core/packs/replaced-garbage", GSIZE_TO_POINTER (1),
                        test_replaced);
  g_test_add_func ("/core/packs/two-copies", test_two_copies);
  g_test_add_func ("/core/packs/size", test_size);
  for (size_t i = 0; i < G_N_ELEMENTS (garbage); i++) {
    g_autofree char *path = g_strdup_printf ("/core/packs/garbage/%s", garbage[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_garbage);
  }
  g_test_add_func ("/core/packs/strangers", test_strangers);
  g_test_add_func ("/core/packs/many", test_many);
  g_test_add_func ("/core/packs/no-descriptors", test_no_descriptors);
  g_test_add_func ("/core/packs/threads", test_threads);
  return vtree_test_run ();
}
