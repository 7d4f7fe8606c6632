/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is pushed for which reader, over a real store, to a kernel that only takes
 * notes. Nothing here depends on time but where a test says so: a test waits until
 * what must come has come, and what must not come is shown by what came after it.
 */
#include "fuse/prefetch.h"

#include "tests/lib/test.h"
#include "tests/unit/fuse/tree.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NODES_MAX 256

/* The kernel: what it has been given. */
static struct {
  GMutex lock;
  GCond changed;
  bool refuses_store; /* nothing can be pushed */
  bool unknown[NODES_MAX];
  unsigned pushes[NODES_MAX];
  unsigned refused[NODES_MAX];
  uint64_t order[4 * NODES_MAX];
  unsigned count, began, ended, judged;
  VtreeContentionLevel contention;
  bool is_open; /* false: pushes wait */
} kernel;

typedef struct {
  TestTree tree;
  VtreeFs *fs;
  VtreePrefetch *prefetch;
} Fixture;

static VtreeStore *
begin (void *context)
{
  const Fixture *fixture = context;
  g_autoptr (GError) error = NULL;
  kernel.began++;
  if (kernel.refuses_store)
    return NULL;
  VtreeStore *store = vtree_store_dup (fixture->tree.store, &error);
  g_assert_no_error (error);
  return store;
}

/* All of NODE, and nothing that is not in the tree. */
static void
check_contents (const Fixture *fixture, uint64_t node, const void *data, size_t size)
{
  struct stat st;
  g_autofree uint8_t *expected = g_malloc (VTREE_PREFETCH_FILE_MAX);
  g_assert_cmpint (vtree_fs_getattr (fixture->fs, node, &st), ==, 0);
  g_assert_cmpint (
    vtree_fs_read (fixture->fs, node, expected, VTREE_PREFETCH_FILE_MAX, 0), ==,
    st.st_size);
  vtree_test_assert_bytes (data, size, expected, (size_t) st.st_size);
}

static int
push (void *context, uint64_t node, const void *data, size_t size)
{
  g_assert_cmpuint (node, <, NODES_MAX);
  check_contents (context, node, data, size);
  g_mutex_lock (&kernel.lock);
  while (!kernel.is_open)
    g_cond_wait (&kernel.changed, &kernel.lock);
  bool unknown = kernel.unknown[node];
  if (unknown)
    kernel.refused[node]++;
  else
    kernel.pushes[node]++;
  if (!unknown && kernel.count < G_N_ELEMENTS (kernel.order))
    kernel.order[kernel.count++] = node;
  g_cond_broadcast (&kernel.changed);
  g_mutex_unlock (&kernel.lock);
  return unknown ? -ENOENT : 0;
}

static VtreeContentionLevel
contention (void *context)
{
  (void) context;
  g_mutex_lock (&kernel.lock);
  VtreeContentionLevel level = kernel.contention;
  kernel.judged++;
  g_cond_broadcast (&kernel.changed);
  g_mutex_unlock (&kernel.lock);
  return level;
}

static void
end (void *context)
{
  (void) context;
  kernel.ended++;
}

static void
fixture_init (Fixture *fixture, uint64_t limit)
{
  static const VtreePrefetchCalls calls = { begin, push, contention, end };
  VtreeFsIdentity identity = { .ref = "app", .key = "", .source = "x" };
  VtreeFsOptions options = { .descriptors = 8 };
  memset (&kernel.unknown, 0, sizeof kernel.unknown);
  memset (&kernel.pushes, 0, sizeof kernel.pushes);
  memset (&kernel.refused, 0, sizeof kernel.refused);
  kernel.count = kernel.began = kernel.ended = kernel.judged = 0;
  kernel.contention = VTREE_CONTENTION_UNKNOWN;
  kernel.refuses_store = false;
  kernel.is_open = true;
  test_tree_init (&fixture->tree);
  fixture->fs = vtree_fs_new (fixture->tree.view, fixture->tree.store,
                              fixture->tree.log, &identity, &options);
  fixture->prefetch = vtree_prefetch_new (fixture->fs, &calls, fixture, limit);
  g_assert_nonnull (fixture->prefetch);
}

static void
fixture_clear (Fixture *fixture)
{
  vtree_prefetch_free (fixture->prefetch);
  vtree_fs_free (fixture->fs);
  test_tree_clear (&fixture->tree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static uint64_t
node_of (const Fixture *fixture, const char *path)
{
  return (uint64_t) test_tree_inode (&fixture->tree, path).index + 1;
}

/* The node of /dir/fNNN. */
static uint64_t
file (const Fixture *fixture, unsigned number)
{
  g_autofree char *path = g_strdup_printf ("dir/f%03u", number);
  return node_of (fixture, path);
}

static void
know_all (const Fixture *fixture)
{
  for (uint64_t node = 1; node <= vtree_fs_inodes (fixture->fs); node++)
    vtree_prefetch_known (fixture->prefetch, node);
}

static void
wait_for_count (unsigned count)
{
  g_mutex_lock (&kernel.lock);
  while (kernel.count < count)
    g_cond_wait (&kernel.changed, &kernel.lock);
  g_mutex_unlock (&kernel.lock);
}

/* Waits until all that was asked for has been pushed: COUNT files in all. */
static void
assert_pushed (const Fixture *fixture, unsigned count)
{
  struct vtree_status status = { 0 };
  wait_for_count (count);
  vtree_prefetch_end (fixture->prefetch);
  while (!vtree_prefetch_has_ended (fixture->prefetch))
    g_usleep (100);
  g_assert_cmpuint (kernel.count, ==, count);
  g_assert_cmpuint (kernel.ended, ==, 1);
  vtree_prefetch_status (fixture->prefetch, &status);
  g_assert_cmpuint (status.prefetched_files, ==, count);
}

/* --- what follows a READ ---------------------------------------------------------- */

/* What follows in the directory, to the end of it, and then its beginning. */
static void
test_order (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  know_all (&fixture);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 70));
  wait_for_count (VTREE_PREFETCH_COUNT_MAX);
  for (unsigned i = 0; i < VTREE_PREFETCH_COUNT_MAX; i++)
    g_assert_cmpuint (kernel.order[i], ==, file (&fixture, (71 + i) % TEST_FILES));
  assert_pushed (&fixture, VTREE_PREFETCH_COUNT_MAX);
  g_assert_true (vtree_prefetch_has_done (fixture.prefetch, file (&fixture, 71)));
  g_assert_true (vtree_prefetch_has_done (fixture.prefetch, file (&fixture, 70)));
  g_assert_false (vtree_prefetch_has_done (fixture.prefetch, file (&fixture, 69)));
}

/* Nothing twice: the second READ gets what is left. */
static void
test_rest (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  know_all (&fixture);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 0));
  wait_for_count (VTREE_PREFETCH_COUNT_MAX);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 65));
  /* All but the two that were read. */
  assert_pushed (&fixture, TEST_FILES - 2);
  for (unsigned i = 0; i < TEST_FILES; i++)
    g_assert_cmpuint (kernel.pushes[file (&fixture, i)], ==, i == 0 || i == 65 ? 0 : 1);
}

/* Neither the large file nor an empty one, a symlink or a device; a file with two names
 * once. */
static void
test_kinds (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  know_all (&fixture);
  vtree_prefetch_read (fixture.prefetch, node_of (&fixture, "large"));
  assert_pushed (&fixture, 1);
  g_assert_cmpuint (kernel.order[0], ==, node_of (&fixture, "data"));
}

/* Only what the kernel knows. */
static void
test_known (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  for (unsigned i = 10; i < 20; i++)
    vtree_prefetch_known (fixture.prefetch, file (&fixture, i));
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 9));
  assert_pushed (&fixture, 10);
}

/* What the kernel has forgotten is asked about a few times, and not pushed. */
static void
test_forgotten (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  for (unsigned i = 10; i < 20; i++)
    vtree_prefetch_known (fixture.prefetch, file (&fixture, i));
  kernel.unknown[file (&fixture, 12)] = true;
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 9));
  assert_pushed (&fixture, 9);
  g_assert_cmpuint (kernel.refused[file (&fixture, 12)], >, 0);
  g_assert_false (vtree_prefetch_has_done (fixture.prefetch, file (&fixture, 12)));
}

/* At most LIMIT bytes for one READ, and the file that reaches it. */
static void
test_limit (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, 250);
  know_all (&fixture);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 0));
  assert_pushed (&fixture, 3);
}

/* --- who else wants a processor --------------------------------------------------- */

static unsigned
kernel_count (void)
{
  g_mutex_lock (&kernel.lock);
  unsigned count = kernel.count;
  g_mutex_unlock (&kernel.lock);
  return count;
}

static void
say_contention (VtreeContentionLevel level)
{
  g_mutex_lock (&kernel.lock);
  kernel.contention = level;
  g_mutex_unlock (&kernel.lock);
}

/* Where others want it, what had been asked for is pushed all the same, later, and then
 * it goes on. */
static void
test_contention (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  know_all (&fixture);
  say_contention (VTREE_CONTENTION_HIGH);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 0));
  g_mutex_lock (&kernel.lock);
  while (kernel.judged < 2)
    g_cond_wait (&kernel.changed, &kernel.lock);
  g_assert_cmpuint (kernel.count, <, VTREE_PREFETCH_COUNT_MAX / 2);
  g_mutex_unlock (&kernel.lock);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 90)); /* while it rests */
  wait_for_count (VTREE_PREFETCH_COUNT_MAX);
  for (unsigned i = 0; i < VTREE_PREFETCH_COUNT_MAX; i++)
    g_assert_cmpuint (kernel.order[i], ==, file (&fixture, 1 + i));
  say_contention (VTREE_CONTENTION_LOW);
  while (kernel_count () == VTREE_PREFETCH_COUNT_MAX) {
    vtree_prefetch_read (fixture.prefetch, file (&fixture, 90));
    g_usleep (1000);
  }
}

/* --- damage ----------------------------------------------------------------------- */

/* What is not what was signed is not pushed, nor is it anybody's failure yet. */
static void
test_damaged (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  g_autofree char *damaged = test_tree_object_path (&fixture.tree, "dir/f012");
  g_autofree char *missing = test_tree_object_path (&fixture.tree, "dir/f013");
  g_assert_cmpint (truncate (damaged, 99), ==, 0);
  g_assert_cmpint (unlink (missing), ==, 0);
  for (unsigned i = 10; i < 20; i++)
    vtree_prefetch_known (fixture.prefetch, file (&fixture, i));
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 9));
  assert_pushed (&fixture, 8);
  g_assert_cmpuint (kernel.pushes[file (&fixture, 12)], ==, 0);
  g_assert_cmpuint (kernel.pushes[file (&fixture, 13)], ==, 0);
  g_autofree char *log = test_tree_read_log (&fixture.tree);
  g_assert_cmpstr (log, ==, "");
}

/* --- listing ---------------------------------------------------------------------- */

/* A listing alone is no reader. */
static void
test_listed_only (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  know_all (&fixture);
  vtree_prefetch_listed (fixture.prefetch, 1);
  vtree_prefetch_listed (fixture.prefetch, node_of (&fixture, "dir"));
  vtree_prefetch_listed (fixture.prefetch, file (&fixture, 3));
  vtree_prefetch_listed (fixture.prefetch, UINT64_MAX);
  g_assert_cmpuint (kernel.began, ==, 0);
}

/* Who reads what he has listed gets the next directory as he lists it, from its first
 * file on. */
static void
test_listed_and_read (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  know_all (&fixture);
  vtree_prefetch_listed (fixture.prefetch, 1);
  vtree_prefetch_read (fixture.prefetch, node_of (&fixture, "large"));
  wait_for_count (1);
  vtree_prefetch_listed (fixture.prefetch, node_of (&fixture, "dir"));
  assert_pushed (&fixture, 1 + VTREE_PREFETCH_COUNT_MAX);
  g_assert_cmpuint (kernel.order[1], ==, file (&fixture, 0));
}

/* --- life ------------------------------------------------------------------------- */

static void
test_nothing (void)
{
  struct vtree_status status = { 0 };
  vtree_prefetch_known (NULL, 1);
  vtree_prefetch_read (NULL, 1);
  vtree_prefetch_listed (NULL, 1);
  vtree_prefetch_status (NULL, &status);
  vtree_prefetch_end (NULL);
  g_assert_true (vtree_prefetch_has_ended (NULL));
  g_assert_false (vtree_prefetch_has_done (NULL, 1));
}

/* Nodes that there are none of. */
static void
test_strange_nodes (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  static const uint64_t nodes[] = { 0, NODES_MAX, UINT32_MAX, UINT64_MAX };
  for (size_t i = 0; i < G_N_ELEMENTS (nodes); i++) {
    vtree_prefetch_known (fixture.prefetch, nodes[i]);
    vtree_prefetch_read (fixture.prefetch, nodes[i]);
    vtree_prefetch_listed (fixture.prefetch, nodes[i]);
  }
  g_assert_cmpuint (kernel.began, ==, 0);
}

/* Where nothing can be pushed, requests go on without. */
static void
test_refused (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  kernel.refuses_store = true;
  know_all (&fixture);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 0));
  while (!vtree_prefetch_has_ended (fixture.prefetch))
    g_usleep (100);
  vtree_prefetch_read (fixture.prefetch, file (&fixture, 1));
  g_assert_cmpuint (kernel.began, ==, 1);
  g_assert_cmpuint (kernel.ended, ==, 0);
  g_assert_cmpuint (kernel.count, ==, 0);
}

/* Nobody who tells of a request waits for a push; the end waits for the one that is
 * under way, and for no other. */
static void
test_stuck (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  kernel.is_open = false;
  know_all (&fixture);
  for (unsigned i = 0; i < TEST_FILES; i++)
    vtree_prefetch_read (fixture.prefetch, file (&fixture, i));
  vtree_prefetch_end (fixture.prefetch);
  g_mutex_lock (&kernel.lock);
  kernel.is_open = true;
  g_cond_broadcast (&kernel.changed);
  g_mutex_unlock (&kernel.lock);
  while (!vtree_prefetch_has_ended (fixture.prefetch))
    g_usleep (100);
  g_assert_cmpuint (kernel.count, <=, 1);
}

static gpointer
read_all (gpointer data)
{
  const Fixture *fixture = data;
  for (unsigned i = 0; i < 3 * TEST_FILES; i++) {
    uint64_t node = file (fixture, i * 37 % TEST_FILES);
    vtree_prefetch_known (fixture->prefetch, node);
    vtree_prefetch_read (fixture->prefetch, node);
    vtree_prefetch_listed (fixture->prefetch, node_of (fixture, "dir"));
  }
  return NULL;
}

static void
test_threads (void)
{
  g_auto (Fixture) fixture = { 0 };
  fixture_init (&fixture, VTREE_PREFETCH_AUTO);
  GThread *threads[4];
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("reader", read_all, &fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/prefetch/order", test_order);
  g_test_add_func ("/fuse/prefetch/rest", test_rest);
  g_test_add_func ("/fuse/prefetch/kinds", test_kinds);
  g_test_add_func ("/fuse/prefetch/known", test_known);
  g_test_add_func ("/fuse/prefetch/forgotten", test_forgotten);
  g_test_add_func ("/fuse/prefetch/limit", test_limit);
  g_test_add_func ("/fuse/prefetch/contention", test_contention);
  g_test_add_func ("/fuse/prefetch/damaged", test_damaged);
  g_test_add_func ("/fuse/prefetch/listed-only", test_listed_only);
  g_test_add_func ("/fuse/prefetch/listed-and-read", test_listed_and_read);
  g_test_add_func ("/fuse/prefetch/nothing", test_nothing);
  g_test_add_func ("/fuse/prefetch/strange-nodes", test_strange_nodes);
  g_test_add_func ("/fuse/prefetch/refused", test_refused);
  g_test_add_func ("/fuse/prefetch/stuck", test_stuck);
  g_test_add_func ("/fuse/prefetch/threads", test_threads);
  return vtree_test_run ();
}
