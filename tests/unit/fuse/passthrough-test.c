/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens with io=passthrough, over objects that a simulated kernel enforces (this binary
 * has tests/simulated/kernel.c), against a model of what the kernel allows: all opens
 * of an inode at a time are served in one way, and by one file.
 */
#include "fuse/passthrough.h"

#include "tests/lib/test.h"
#include "tests/unit/fuse/tree.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODES_MAX 256
#define IDS_MAX 65536

/* The kernel: registered ids, and how each inode is open. */
static struct {
  GMutex lock;
  int error;      /* what _open answers, if not 0 */
  int32_t last;   /* id */
  unsigned calls; /* of _open */
  unsigned held;  /* ids */
  bool is_id[IDS_MAX];
  unsigned opens[NODES_MAX];
  int32_t backing[NODES_MAX];
  void (*during_open) (void);
} kernel;

static int
backing_open (int device, int fd, int32_t *id)
{
  struct stat st;
  g_assert_cmpint (device, ==, 77);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_mutex_lock (&kernel.lock);
  void (*during_open) (void) = kernel.during_open;
  kernel.during_open = NULL;
  g_mutex_unlock (&kernel.lock);
  if (during_open != NULL)
    during_open ();
  g_mutex_lock (&kernel.lock);
  int result = kernel.error;
  kernel.calls++;
  if (result == 0) {
    *id = ++kernel.last;
    g_assert_cmpint (*id, <, IDS_MAX);
    kernel.is_id[*id] = true;
    kernel.held++;
  }
  g_mutex_unlock (&kernel.lock);
  return result;
}

static void
backing_close (int device, int32_t id)
{
  g_assert_cmpint (device, ==, 77);
  g_mutex_lock (&kernel.lock);
  g_assert_true (kernel.is_id[id]);
  kernel.is_id[id] = false;
  kernel.held--;
  g_mutex_unlock (&kernel.lock);
}

/* The kernel gets the answer to an OPEN. */
static void
model_open (uint64_t node, int32_t backing)
{
  g_mutex_lock (&kernel.lock);
  g_assert_true (backing == 0 || kernel.is_id[backing]);
  if (kernel.opens[node]++ > 0)
    g_assert_cmpint (backing, ==, kernel.backing[node]);
  kernel.backing[node] = backing;
  g_mutex_unlock (&kernel.lock);
}

/* A file is closed: before its RELEASE comes. */
static void
model_close (uint64_t node)
{
  g_mutex_lock (&kernel.lock);
  kernel.opens[node]--;
  g_mutex_unlock (&kernel.lock);
}

typedef struct {
  TestTree tree;
  VtreeFs *fs;
  VtreePassthrough *passthrough;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const VtreeBackingCalls calls = { backing_open, backing_close };
  VtreeFsIdentity identity = { .ref = "", .key = "", .source = "" };
  VtreeFsOptions options = { .open_checked = true, .descriptors = 8 };
  (void) data;
  memset (&kernel, 0, sizeof kernel);
  g_mutex_init (&kernel.lock);
  test_tree_init (&fixture->tree);
  identity.manifest.alg = VTREE_DIGEST_SHA256;
  fixture->fs = vtree_fs_new (fixture->tree.view, fixture->tree.store,
                              fixture->tree.log, &identity, &options);
  fixture->passthrough
    = vtree_passthrough_new (&calls, 77, fixture->fs, fixture->tree.log);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  vtree_passthrough_free (fixture->passthrough);
  vtree_fs_free (fixture->fs);
  test_tree_clear (&fixture->tree);
  g_mutex_clear (&kernel.lock);
}

static uint64_t
node_of (const Fixture *fixture, const char *path)
{
  return (uint64_t) test_tree_inode (&fixture->tree, path).index + 1;
}

/* Takes verity from PATH's object, and gives it back. */
static void
set_sealed (const Fixture *fixture, const char *path, bool sealed)
{
  g_autofree char *object = test_tree_object_path (&fixture->tree, path);
  g_assert_cmpint (chmod (object, sealed ? 0444 : 0644), ==, 0);
}

static int32_t
open_node (Fixture *fixture, uint64_t node)
{
  int32_t backing = -1;
  g_assert_cmpint (vtree_passthrough_open (fixture->passthrough, node, &backing), ==,
                   0);
  model_open (node, backing);
  return backing;
}

static void
close_node (Fixture *fixture, uint64_t node)
{
  model_close (node);
  vtree_passthrough_release (fixture->passthrough, node);
}

static struct vtree_status
status_of (Fixture *fixture, uint64_t node)
{
  struct vtree_status status;
  g_assert_cmpint (vtree_fs_status (fixture->fs, node, &status), ==, 0);
  vtree_passthrough_status (fixture->passthrough, &status);
  return status;
}

static void
test_shared (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t node = node_of (fixture, "data");
  int32_t id = open_node (fixture, node);
  g_assert_cmpint (id, >, 0);
  g_assert_cmpint (open_node (fixture, node_of (fixture, "link")), ==, id);
  g_assert_cmpint (open_node (fixture, node_of (fixture, "large")), !=, id);
  struct vtree_status status = status_of (fixture, node);
  g_assert_cmpuint (status.passthrough_opens, ==, 3);
  g_assert_cmpuint (status.passthrough_held, ==, 2);
  g_assert_cmpuint (status.flags & VTREE_STATUS_PASSTHROUGH, !=, 0);
  g_assert_cmpuint (status.object_enforcer, ==, VTREE_ENFORCER_KERNEL);
  close_node (fixture, node);
  g_assert_true (kernel.is_id[id]);
  close_node (fixture, node);
  g_assert_false (kernel.is_id[id]);
  close_node (fixture, node_of (fixture, "large"));
  g_assert_cmpuint (kernel.held, ==, 0);
  g_assert_cmpuint (kernel.calls, ==, 2);
  g_assert_cmpuint (status_of (fixture, node).passthrough_held, ==, 0);
  g_assert_cmpint (open_node (fixture, node), >, 0);
}

/* What is free of charge: an empty file, what the daemon verifies, no regular file. */
static void
test_by_daemon (Fixture *fixture, gconstpointer data)
{
  (void) data;
  int32_t backing;
  set_sealed (fixture, "data", false);
  g_assert_cmpint (open_node (fixture, node_of (fixture, "data")), ==, 0);
  g_assert_cmpint (open_node (fixture, node_of (fixture, "empty")), ==, 0);
  g_assert_cmpint (vtree_passthrough_open (fixture->passthrough, 1, &backing), ==,
                   -EISDIR);
  g_assert_cmpint (vtree_passthrough_open (fixture->passthrough, 0, &backing), ==,
                   -ESTALE);
  g_assert_cmpuint (kernel.calls, ==, 0);
}

/* Who comes while an inode is open is served as those before, until the last one has
 * gone. */
static void
test_changing (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t node = node_of (fixture, "data");
  for (int sealed = 0; sealed < 2; sealed++) {
    set_sealed (fixture, "data", sealed != 0);
    int32_t first = open_node (fixture, node);
    g_assert_cmpint (first != 0, ==, sealed != 0);
    set_sealed (fixture, "data", sealed == 0);
    /* Others push the object out of the cache. */
    for (unsigned i = 0; i < 20; i++) {
      g_autofree char *path = g_strdup_printf ("dir/f%03u", i);
      g_assert_cmpint (vtree_fs_open (fixture->fs, node_of (fixture, path), NULL), ==,
                       0);
    }
    g_assert_cmpint (open_node (fixture, node), ==, first);
    close_node (fixture, node);
    close_node (fixture, node);
  }
  g_assert_cmpuint (kernel.held, ==, 0);
}

/* A bad object fails to open, whoever has it open, unless the kernel holds the good
 * one; and nothing is counted. */
static void
test_bad (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t node = node_of (fixture, "dir/f001");
  int32_t backing = 0;
  g_autofree char *object = test_tree_object_path (&fixture->tree, "dir/f001");
  int32_t id = open_node (fixture, node);
  g_assert_cmpint (unlink (object), ==, 0);
  g_assert_cmpint (open_node (fixture, node), ==, id);
  close_node (fixture, node);
  close_node (fixture, node);
  for (unsigned i = 2; i < 20; i++) {
    g_autofree char *path = g_strdup_printf ("dir/f%03u", i);
    g_assert_cmpint (vtree_fs_open (fixture->fs, node_of (fixture, path), NULL), ==, 0);
  }
  for (unsigned i = 0; i < 3; i++)
    g_assert_cmpint (vtree_passthrough_open (fixture->passthrough, node, &backing), ==,
                     -EIO);
  vtree_passthrough_release (fixture->passthrough, node); /* of nobody: no harm */
  g_assert_cmpuint (kernel.held, ==, 0);
}

static void
count_fallbacks (const Fixture *fixture, unsigned expected, const char *part)
{
  g_autofree char *log = test_tree_read_log (&fixture->tree);
  unsigned lines = 0;
  for (const char *p = log; (p = strstr (p, "io=passthrough: ")) != NULL; p++)
    lines++;
  g_assert_cmpuint (lines, ==, expected);
  if (expected > 0)
    g_assert_nonnull (strstr (log, part));
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  (void) data;
  kernel.error = -ENOMEM;
  g_assert_cmpint (open_node (fixture, node_of (fixture, "data")), ==, 0);
  close_node (fixture, node_of (fixture, "data"));
  kernel.error = 0;
  int32_t id = open_node (fixture, node_of (fixture, "data"));
  g_assert_cmpint (id, >, 0);
  count_fallbacks (fixture, 0, NULL);
  kernel.error = -EPERM;
  g_assert_cmpint (open_node (fixture, node_of (fixture, "large")), ==, 0);
  g_assert_cmpint (open_node (fixture, node_of (fixture, "dir/f001")), ==, 0);
  /* What is open already stays as it is. */
  g_assert_cmpint (open_node (fixture, node_of (fixture, "data")), ==, id);
  g_assert_cmpuint (kernel.calls, ==, 3);
  g_assert_cmpuint (status_of (fixture, 1).flags & VTREE_STATUS_PASSTHROUGH, ==, 0);
  g_assert_false (vtree_passthrough_is_on (fixture->passthrough));
  vtree_passthrough_give_up (fixture->passthrough, "again");
  count_fallbacks (fixture, 1, "register a file: Operation not permitted; the daemon");
}

static Fixture *racing;

static void
open_meanwhile (void)
{
  open_node (racing, node_of (racing, "data"));
}

/* Two first opens at once: the id of the slower one goes back. */
static void
test_first_twice (Fixture *fixture, gconstpointer data)
{
  (void) data;
  uint64_t node = node_of (fixture, "data");
  racing = fixture;
  kernel.during_open = open_meanwhile;
  g_assert_cmpint (open_node (fixture, node), >, 0);
  g_assert_cmpuint (kernel.calls, ==, 2);
  g_assert_cmpuint (kernel.held, ==, 1);
  g_assert_cmpuint (kernel.opens[node], ==, 2);
  close_node (fixture, node);
  g_assert_cmpuint (kernel.held, ==, 1);
  close_node (fixture, node);
  g_assert_cmpuint (kernel.held, ==, 0);
}

typedef struct {
  Fixture *fixture;
  uint32_t seed;
} Racer;

/* Opens and closes at random; no answer is one that the kernel would refuse. */
static gpointer
race (gpointer data)
{
  static const char *const paths[] = { "data", "large", "dir/f001", "dir/f002" };
  Racer *racer = data;
  uint64_t nodes[G_N_ELEMENTS (paths)];
  unsigned open[G_N_ELEMENTS (paths)] = { 0 };
  g_autoptr (GRand) random = g_rand_new_with_seed (racer->seed);
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++)
    nodes[i] = node_of (racer->fixture, paths[i]);
  for (unsigned i = 0; i < 3000; i++) {
    unsigned n = (unsigned) g_rand_int_range (random, 0, G_N_ELEMENTS (paths));
    if (open[n] > 2 || (open[n] > 0 && g_rand_boolean (random))) {
      close_node (racer->fixture, nodes[n]);
      open[n]--;
    } else {
      open_node (racer->fixture, nodes[n]);
      open[n]++;
    }
    if (i % 100 == 0)
      set_sealed (racer->fixture, paths[n], g_rand_boolean (random));
  }
  for (size_t i = 0; i < G_N_ELEMENTS (paths); i++)
    for (; open[i] > 0; open[i]--)
      close_node (racer->fixture, nodes[i]);
  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  (void) data;
  Racer racers[4];
  GThread *threads[4];
  for (unsigned i = 0; i < G_N_ELEMENTS (threads); i++) {
    racers[i] = (Racer){ fixture, (uint32_t) g_test_rand_int () };
    threads[i] = g_thread_new ("racer", race, &racers[i]);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (kernel.held, ==, 0);
  g_assert_cmpuint (status_of (fixture, 1).passthrough_held, ==, 0);
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/fuse/passthrough/", name, NULL);
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("shared", test_shared);
  add ("by-daemon", test_by_daemon);
  add ("changing", test_changing);
  add ("bad", test_bad);
  add ("refused", test_refused);
  add ("first-twice", test_first_twice);
  add ("threads", test_threads);
  return vtree_test_run ();
}
