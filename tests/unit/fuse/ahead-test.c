/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/ahead.h"

#include "tests/lib/test.h"

#include <stdatomic.h>

#define PIECE VTREE_AHEAD_PIECE
#define PIECES_MAX 128
#define FILE_SIZE ((uint64_t) 100 * PIECE + 1234)
#define NODE 7

/* What is read, and how often. */
typedef struct {
  VtreeAhead *ahead;
  atomic_uint reads[PIECES_MAX]; /* by piece, of NODE */
  atomic_uint fails_from;        /* the first piece that fails; 0: none */
  atomic_bool later;             /* nothing can be read yet */
  GMutex lock;                   /* below */
  GCond changed;
  unsigned waiting;    /* those who wait */
  bool held;           /* workers wait */
  GThread *own_thread; /* that of the test: it does not */
} Fixture;

static uint8_t
byte_at (uint64_t node, uint64_t offset)
{
  return (uint8_t) (node * 31 + offset * 7 + offset / 251);
}

static VtreeAheadResult
read_piece (void *context, uint64_t node, void *data, size_t size, uint64_t offset)
{
  Fixture *fixture = context;
  uint8_t *bytes = data;
  unsigned number = (unsigned) (offset / PIECE);
  unsigned fails_from = atomic_load (&fixture->fails_from);
  g_assert_cmpuint (offset % PIECE, ==, 0);
  g_assert_cmpuint (offset + size, <=, FILE_SIZE);
  if (node == NODE)
    atomic_fetch_add (&fixture->reads[number], 1);
  g_mutex_lock (&fixture->lock);
  fixture->waiting++;
  g_cond_broadcast (&fixture->changed);
  while (fixture->held && g_thread_self () != fixture->own_thread)
    g_cond_wait (&fixture->changed, &fixture->lock);
  fixture->waiting--;
  g_mutex_unlock (&fixture->lock);
  for (size_t i = 0; i < size; i++)
    bytes[i] = byte_at (node, offset + i);
  if (atomic_load (&fixture->later))
    return VTREE_AHEAD_LATER;
  return fails_from == 0 || number < fails_from ? VTREE_AHEAD_READ : VTREE_AHEAD_FAILED;
}

static void
fixture_init (Fixture *fixture, unsigned threads)
{
  *fixture = (Fixture){ .own_thread = g_thread_self () };
  g_mutex_init (&fixture->lock);
  g_cond_init (&fixture->changed);
  fixture->ahead = vtree_ahead_new (read_piece, fixture, threads);
}

static void
hold (Fixture *fixture, bool held)
{
  g_mutex_lock (&fixture->lock);
  fixture->held = held;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static void
fixture_clear (Fixture *fixture)
{
  hold (fixture, false);
  vtree_ahead_free (fixture->ahead);
  g_cond_clear (&fixture->changed);
  g_mutex_clear (&fixture->lock);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

/* A READ; whether it was answered, with the right bytes. */
static bool
read_range (Fixture *fixture, uint64_t node, uint64_t offset, size_t size)
{
  VtreeAheadSpan span;
  VtreeAheadWanted wanted
    = { node, FILE_SIZE, offset, (size_t) MIN (size, FILE_SIZE - offset) };
  if (!vtree_ahead_get (fixture->ahead, &wanted, &span))
    return false;
  uint64_t at = offset;
  for (unsigned i = 0; i < span.count; i++) {
    const uint8_t *data = span.data[i].iov_base;
    for (size_t n = 0; n < span.data[i].iov_len; n++)
      g_assert_cmpuint (data[n], ==, byte_at (node, at + n));
    at += span.data[i].iov_len;
  }
  g_assert_cmpuint (at - offset, ==, wanted.size);
  vtree_ahead_put (fixture->ahead, &span);
  return true;
}

/* Reads all of NODE in order; the READs that were answered. */
static unsigned
read_whole (Fixture *fixture, uint64_t node, size_t size)
{
  unsigned answered = 0;
  for (uint64_t offset = 0; offset < FILE_SIZE; offset += size)
    answered += read_range (fixture, node, offset, size);
  return answered;
}

static unsigned
most_reads (Fixture *fixture)
{
  unsigned most = 0;
  for (unsigned i = 0; i < PIECES_MAX; i++)
    most = MAX (most, atomic_load (&fixture->reads[i]));
  return most;
}

static void
test_in_order (void)
{
  static const size_t sizes[] = { 4096, 65536, PIECE, 3 * PIECE, 8 * PIECE };
  for (unsigned threads = 0; threads < 3; threads++) {
    for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
      g_auto (Fixture) fixture;
      fixture_init (&fixture, threads);
      unsigned all = (unsigned) ((FILE_SIZE + sizes[i] - 1) / sizes[i]);
      g_assert_cmpuint (read_whole (&fixture, NODE, sizes[i]), ==, all - 2);
      g_assert_cmpuint (most_reads (&fixture), ==, 1);
    }
  }
}

/* Windows that begin anywhere, as the kernel's do after a few small reads. */
static void
test_windows_beside_the_pieces (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 1);
  uint64_t offset = 16384;
  unsigned answered = 0;
  for (; offset < FILE_SIZE; offset += PIECE)
    answered += read_range (&fixture, NODE, offset, PIECE);
  g_assert_cmpuint (answered, ==, FILE_SIZE / PIECE - 2);
  g_assert_cmpuint (most_reads (&fixture), ==, 1);
}

/* Two threads of the daemon answer one reader. */
static void
test_overtaken (void)
{
  static const size_t sizes[] = { PIECE, 8 * PIECE };
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_auto (Fixture) fixture;
    fixture_init (&fixture, 1);
    unsigned answered = 0;
    uint64_t size = sizes[i];
    for (uint64_t offset = 0; offset + 2 * size <= FILE_SIZE; offset += 2 * size) {
      answered += read_range (&fixture, NODE, offset + size, (size_t) size);
      answered += read_range (&fixture, NODE, offset, (size_t) size);
    }
    g_assert_cmpuint (answered, ==, FILE_SIZE / size / 2 * 2 - 2);
    g_assert_cmpuint (most_reads (&fixture), ==, 1);
  }
}

static void
test_nothing_for_others (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 1);
  for (uint64_t i = 0; i < 100; i++)
    g_assert_false (read_range (&fixture, NODE, i * 37 % 100 * PIECE, 4096));
  g_assert_false (read_range (&fixture, NODE, 0, 9 * PIECE));
  g_assert_cmpuint (most_reads (&fixture), ==, 0);
}

/* What was prepared is dropped, and the new place is led in its turn. */
static void
test_seek (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 1);
  for (uint64_t i = 0; i < 5; i++)
    g_assert_cmpint (read_range (&fixture, NODE, i * PIECE, PIECE), ==, i >= 2);
  for (uint64_t i = 50; i < 55; i++)
    g_assert_cmpint (read_range (&fixture, NODE, i * PIECE, PIECE), ==, i >= 52);
  g_assert_cmpuint (most_reads (&fixture), ==, 1);
}

static void
test_failure (void)
{
  for (unsigned threads = 0; threads < 3; threads++) {
    g_auto (Fixture) fixture;
    fixture_init (&fixture, threads);
    atomic_store (&fixture.fails_from, 20);
    for (uint64_t i = 0; i < 30; i++)
      g_assert_cmpint (read_range (&fixture, NODE, i * PIECE, PIECE), ==,
                       i >= 2 && i < 20);
    /* Repaired: not for who goes on, but for who begins anew. */
    atomic_store (&fixture.fails_from, 0);
    g_assert_false (read_range (&fixture, NODE, 30 * PIECE, PIECE));
    for (uint64_t i = 0; i < 5; i++)
      g_assert_cmpint (read_range (&fixture, NODE, i * PIECE, PIECE), ==, i >= 2);
  }
}

/* However many read in order, no more than the bound is prepared; all get theirs. */
static void
test_many_readers (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 2);
  for (uint64_t i = 0; i < 40; i++) {
    for (uint64_t node = 100; node < 120; node++)
      read_range (&fixture, node, i * PIECE, PIECE);
  }
  g_assert_cmpuint (read_whole (&fixture, NODE, PIECE), >=, 90);
  g_assert_cmpuint (most_reads (&fixture), ==, 1);
}

/* Readers who stop in the middle don't keep others from being led. */
static void
test_stopped_readers (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 1);
  for (uint64_t node = 100; node < 104; node++) {
    for (uint64_t i = 0; i < 5; i++)
      read_range (&fixture, node, i * PIECE, PIECE);
  }
  for (unsigned pass = 0; pass < 2; pass++)
    read_whole (&fixture, NODE, PIECE);
  g_assert_cmpuint (read_whole (&fixture, NODE, PIECE), ==, FILE_SIZE / PIECE + 1 - 2);
}

/* A worker that hangs on one piece: the reader does the others, and waits for that. */
static gpointer
release_later (gpointer data)
{
  Fixture *fixture = data;
  g_usleep (20000);
  hold (fixture, false);
  return NULL;
}

static void
test_worker_is_slow (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 1);
  hold (&fixture, true);
  for (uint64_t i = 0; i < 2; i++)
    read_range (&fixture, NODE, i * PIECE, PIECE);
  GThread *thread = g_thread_new ("release", release_later, &fixture);
  g_assert_true (read_range (&fixture, NODE, 2 * PIECE, 3 * PIECE));
  g_thread_join (thread);
  g_assert_cmpuint (most_reads (&fixture), ==, 1);
}

static gpointer
read_two_pieces (gpointer data)
{
  return GINT_TO_POINTER (read_range (data, NODE, 3 * PIECE, 2 * PIECE));
}

/* A READ that others leave behind while it works on its first piece loses its second
 * one, and reads by itself; nothing is wrong with the file. */
static void
test_left_behind (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 0);
  for (uint64_t i = 0; i < 3; i++)
    read_range (&fixture, NODE, i * PIECE, PIECE);
  hold (&fixture, true);
  GThread *thread = g_thread_new ("left behind", read_two_pieces, &fixture);
  g_mutex_lock (&fixture.lock);
  while (fixture.waiting == 0)
    g_cond_wait (&fixture.changed, &fixture.lock);
  g_mutex_unlock (&fixture.lock);
  for (uint64_t i = 5; i < 9; i++)
    g_assert_true (read_range (&fixture, NODE, i * PIECE, PIECE));
  hold (&fixture, false);
  g_assert_false (GPOINTER_TO_INT (g_thread_join (thread)));
  g_assert_cmpuint (atomic_load (&fixture.reads[4]), ==, 0);
  for (uint64_t i = 9; i < 20; i++)
    g_assert_true (read_range (&fixture, NODE, i * PIECE, PIECE));
}

/* Once it can be read, reading ahead goes on; at the latest behind what was tried. */
static void
test_later (void)
{
  for (unsigned threads = 0; threads < 3; threads++) {
    g_auto (Fixture) fixture;
    fixture_init (&fixture, threads);
    atomic_store (&fixture.later, true);
    for (uint64_t i = 0; i < 6; i++)
      g_assert_false (read_range (&fixture, NODE, i * PIECE, PIECE));
    atomic_store (&fixture.later, false);
    for (uint64_t i = 6; i < 16; i++)
      read_range (&fixture, NODE, i * PIECE, PIECE);
    for (uint64_t i = 16; i < 40; i++)
      g_assert_true (read_range (&fixture, NODE, i * PIECE, PIECE));
  }
}

static gpointer
read_by_thread (gpointer data)
{
  Fixture *fixture = data;
  for (uint64_t round = 0; round < 3; round++) {
    for (uint64_t i = 0; i < 60; i++)
      read_range (fixture, NODE + i % 2, i / 2 * PIECE + round * 4096, PIECE);
  }
  return NULL;
}

static void
test_threads (void)
{
  GThread *threads[4];
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 2);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("reader", read_by_thread, &fixture);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_ends_with_work_left (void)
{
  g_auto (Fixture) fixture;
  fixture_init (&fixture, 2);
  for (uint64_t i = 0; i < 3; i++)
    read_range (&fixture, NODE, i * PIECE, PIECE);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/ahead/in-order", test_in_order);
  g_test_add_func ("/fuse/ahead/windows-beside-the-pieces",
                   test_windows_beside_the_pieces);
  g_test_add_func ("/fuse/ahead/overtaken", test_overtaken);
  g_test_add_func ("/fuse/ahead/nothing-for-others", test_nothing_for_others);
  g_test_add_func ("/fuse/ahead/seek", test_seek);
  g_test_add_func ("/fuse/ahead/failure", test_failure);
  g_test_add_func ("/fuse/ahead/many-readers", test_many_readers);
  g_test_add_func ("/fuse/ahead/stopped-readers", test_stopped_readers);
  g_test_add_func ("/fuse/ahead/worker-is-slow", test_worker_is_slow);
  g_test_add_func ("/fuse/ahead/left-behind", test_left_behind);
  g_test_add_func ("/fuse/ahead/later", test_later);
  g_test_add_func ("/fuse/ahead/threads", test_threads);
  g_test_add_func ("/fuse/ahead/ends-with-work-left", test_ends_with_work_left);
  return vtree_test_run ();
}
