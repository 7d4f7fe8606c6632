/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/pool.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <stdatomic.h>

#define ITEMS 2000

/* Each item points into DONE: plus 1 when it is done, plus 100 when it is dropped. */
typedef struct {
  atomic_int done[ITEMS];
  int fails_at; /* item number, or -1 */
  atomic_int running, most;
  unsigned threads;
} Work;

static void
note_running (Work *work)
{
  int running = atomic_fetch_add (&work->running, 1) + 1;
  int most = atomic_load (&work->most);
  while (running > most && !atomic_compare_exchange_weak (&work->most, &most, running))
    ;
}

static bool
do_item (void *context, void *item, GError **error)
{
  Work *work = context;
  atomic_int *done = item;
  note_running (work);
  atomic_fetch_add (done, 1);
  atomic_fetch_sub (&work->running, 1);
  if (done - work->done != work->fails_at)
    return true;
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "item %d", work->fails_at);
}

static void
drop_item (void *item)
{
  atomic_fetch_add ((atomic_int *) item, 100);
}

static bool
run (Work *work, size_t *pushed, GError **error)
{
  VtreePool *pool = vtree_pool_new (work->threads, do_item, drop_item, work);
  bool going = true;
  size_t i = 0;
  while (going && i < ITEMS)
    going = vtree_pool_push (pool, &work->done[i++]);
  *pushed = i;
  bool ok = vtree_pool_finish (&pool, error);
  g_assert_null (pool);
  return ok;
}

static void
test_all_done (gconstpointer data)
{
  g_autofree Work *work = g_new0 (Work, 1);
  work->threads = GPOINTER_TO_UINT (data);
  work->fails_at = -1;
  g_autoptr (GError) error = NULL;
  size_t pushed;
  g_assert_true (run (work, &pushed, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (pushed, ==, ITEMS);
  for (size_t i = 0; i < ITEMS; i++)
    g_assert_cmpint (work->done[i], ==, 1);
  g_assert_cmpint (work->most, >=, 1);
  unsigned most = work->threads > 0 ? work->threads : vtree_pool_default_threads ();
  g_assert_cmpint (work->most, <=, (int) most);
}

/* Every item is worked on or dropped, once; after the failure few are worked on. */
static void
test_stops_at_error (gconstpointer data)
{
  g_autofree Work *work = g_new0 (Work, 1);
  work->threads = GPOINTER_TO_UINT (data);
  work->fails_at = 100;
  g_autoptr (GError) error = NULL;
  size_t pushed;
  g_assert_false (run (work, &pushed, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT, "item 100");
  g_assert_cmpuint (pushed, <, ITEMS);
  for (size_t i = 0; i < pushed; i++)
    g_assert_true (work->done[i] == 1 || work->done[i] == 100);
  for (size_t i = pushed; i < ITEMS; i++)
    g_assert_cmpint (work->done[i], ==, 0);
}

static bool
always_fails (void *context, void *item, GError **error)
{
  (void) item;
  int n = atomic_fetch_add ((atomic_int *) context, 1);
  return vtree_error_set_errno (error, n == 0 ? EIO : ENOSPC, "work");
}

static void
test_first_error_wins (void)
{
  atomic_int calls = 0;
  int item = 0;
  g_autoptr (GError) error = NULL;
  VtreePool *pool = vtree_pool_new (1, always_fails, NULL, &calls);
  for (int i = 0; i < 100; i++)
    vtree_pool_push (pool, &item);
  g_assert_false (vtree_pool_finish (&pool, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, NULL);
  g_assert_cmpint (calls, ==, 1);
}

static void
test_nothing_to_do (void)
{
  g_autoptr (GError) error = NULL;
  VtreePool *pool = vtree_pool_new (3, always_fails, NULL, NULL);
  g_assert_true (vtree_pool_finish (&pool, &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  static const unsigned threads[] = { 0, 1, 2, 7 };
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++) {
    g_autofree char *all = g_strdup_printf ("/core/pool/all-done/%u", threads[i]);
    g_test_add_data_func (all, GUINT_TO_POINTER (threads[i]), test_all_done);
    g_autofree char *stops
      = g_strdup_printf ("/core/pool/stops-at-error/%u", threads[i]);
    g_test_add_data_func (stops, GUINT_TO_POINTER (threads[i]), test_stops_at_error);
  }
  g_test_add_func ("/core/pool/first-error-wins", test_first_error_wins);
  g_test_add_func ("/core/pool/nothing-to-do", test_nothing_to_do);
  return vtree_test_run ();
}
