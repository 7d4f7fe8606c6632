/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests that wait. The worker stops in `prepare` until the test lets it go, so that
 * nothing depends on time.
 */
#include "fuse/later.h"

#include "tests/lib/test.h"

#include <errno.h>

#define REQUESTS_MAX (VTREE_LATER_MAX + 8)
#define UNANSWERED G_MAXINT

typedef struct Fixture Fixture;

typedef struct {
  Fixture *fixture;
  uint64_t node;
  bool interrupted;
  bool again; /* it has to wait once more when it is run */
  int result;
} Request;

struct Fixture {
  VtreeLater *later;
  GMutex lock; /* all below */
  GCond changed;
  bool until_end; /* prepare for ever */
  bool is_preparing;
  unsigned allowed; /* steps that the worker may take */
  unsigned prepared;
  uint64_t node; /* what is being prepared */
  int result;    /* of it */
  unsigned answered;
  Request requests[REQUESTS_MAX];
};

/* One step: the worker waits until it is allowed to, then asks whether to go on. */
static bool
step (Fixture *fixture, const VtreeWhile *wanted)
{
  g_mutex_lock (&fixture->lock);
  bool until_end = fixture->until_end;
  while (fixture->allowed == 0 && !until_end)
    g_cond_wait (&fixture->changed, &fixture->lock);
  fixture->allowed -= until_end ? 0 : 1;
  g_mutex_unlock (&fixture->lock);
  while (until_end && wanted->go_on (wanted->context))
    g_thread_yield ();
  return !until_end && wanted->go_on (wanted->context);
}

static int
prepare (void *context, uint64_t node, const VtreeWhile *wanted)
{
  Fixture *fixture = context;
  g_mutex_lock (&fixture->lock);
  fixture->is_preparing = true;
  fixture->node = node;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
  bool wants = step (fixture, wanted);
  g_mutex_lock (&fixture->lock);
  fixture->is_preparing = false;
  fixture->prepared++;
  int result = wants ? fixture->result : -EINTR;
  g_mutex_unlock (&fixture->lock);
  return result;
}

static bool
is_interrupted (void *data)
{
  Request *request = data;
  g_mutex_lock (&request->fixture->lock);
  bool interrupted = request->interrupted;
  g_mutex_unlock (&request->fixture->lock);
  return interrupted;
}

static void
answer (void *context, void *data, int result)
{
  Fixture *fixture = context;
  Request *request = data;
  if (result == 0 && request->again) {
    request->again = false;
    g_assert_true (vtree_later_push (fixture->later, request->node, request));
    return;
  }
  g_mutex_lock (&fixture->lock);
  g_assert_cmpint (request->result, ==, UNANSWERED); /* once */
  request->result = result;
  fixture->answered++;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  static const VtreeLaterCalls calls = { prepare, is_interrupted, answer };
  (void) data;
  g_mutex_init (&fixture->lock);
  g_cond_init (&fixture->changed);
  fixture->later = vtree_later_new (&calls, fixture);
}

static void
allow (Fixture *fixture, unsigned steps)
{
  g_mutex_lock (&fixture->lock);
  fixture->allowed += steps;
  g_cond_broadcast (&fixture->changed);
  g_mutex_unlock (&fixture->lock);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void) data;
  allow (fixture, 1000000);
  g_clear_pointer (&fixture->later, vtree_later_free);
  g_mutex_clear (&fixture->lock);
  g_cond_clear (&fixture->changed);
}

static Request *
push (Fixture *fixture, unsigned n, uint64_t node)
{
  Request *request = &fixture->requests[n];
  *request = (Request){ .fixture = fixture, .node = node, .result = UNANSWERED };
  g_assert_true (vtree_later_push (fixture->later, node, request));
  return request;
}

static void
wait_preparing (Fixture *fixture, uint64_t node)
{
  g_mutex_lock (&fixture->lock);
  while (!fixture->is_preparing || fixture->node != node)
    g_cond_wait (&fixture->changed, &fixture->lock);
  g_mutex_unlock (&fixture->lock);
}

static void
wait_answered (Fixture *fixture, unsigned count)
{
  g_mutex_lock (&fixture->lock);
  while (fixture->answered < count)
    g_cond_wait (&fixture->changed, &fixture->lock);
  g_assert_cmpuint (fixture->answered, ==, count);
  g_mutex_unlock (&fixture->lock);
}

/* All who wait for an inode are answered by one preparation; the others by theirs. */
static void
test_shared (Fixture *fixture, gconstpointer data)
{
  (void) data;
  Request *first = push (fixture, 0, 7);
  wait_preparing (fixture, 7);
  Request *other = push (fixture, 1, 8);
  Request *second = push (fixture, 2, 7);
  allow (fixture, 1);
  wait_preparing (fixture, 8);
  wait_answered (fixture, 2);
  g_assert_cmpint (first->result, ==, 0);
  g_assert_cmpint (second->result, ==, 0);
  g_assert_cmpint (other->result, ==, UNANSWERED);
  allow (fixture, 1);
  wait_answered (fixture, 3);
  g_assert_cmpint (other->result, ==, 0);
  g_assert_cmpuint (fixture->prepared, ==, 2);
}

static void
test_failure (Fixture *fixture, gconstpointer data)
{
  (void) data;
  fixture->result = -EIO;
  Request *first = push (fixture, 0, 7);
  Request *second = push (fixture, 1, 7);
  allow (fixture, 2);
  wait_answered (fixture, 2);
  g_assert_cmpint (first->result, ==, -EIO);
  g_assert_cmpint (second->result, ==, -EIO);
  /* It is not remembered. */
  fixture->result = 0;
  Request *third = push (fixture, 2, 7);
  allow (fixture, 1);
  wait_answered (fixture, 3);
  g_assert_cmpint (third->result, ==, 0);
}

/* Who was interrupted is answered while the work goes on, for whichever inode. */
static void
test_interrupted (Fixture *fixture, gconstpointer data)
{
  (void) data;
  Request *stays = push (fixture, 0, 7);
  wait_preparing (fixture, 7);
  Request *here = push (fixture, 1, 7);
  Request *elsewhere = push (fixture, 2, 8);
  g_mutex_lock (&fixture->lock);
  here->interrupted = elsewhere->interrupted = true;
  g_mutex_unlock (&fixture->lock);
  allow (fixture, 1);
  wait_answered (fixture, 3);
  g_assert_cmpint (here->result, ==, -EINTR);
  g_assert_cmpint (elsewhere->result, ==, -EINTR);
  g_assert_cmpint (stays->result, ==, 0);
  g_assert_cmpuint (fixture->prepared, ==, 1);
}

/* One that has to wait again when it is run. */
static void
test_again (Fixture *fixture, gconstpointer data)
{
  (void) data;
  Request *request = &fixture->requests[0];
  *request
    = (Request){ .fixture = fixture, .node = 7, .again = true, .result = UNANSWERED };
  g_assert_true (vtree_later_push (fixture->later, 7, request));
  allow (fixture, 2);
  wait_answered (fixture, 1);
  g_assert_cmpint (request->result, ==, 0);
  g_assert_cmpuint (fixture->prepared, ==, 2);
}

static void
test_bounded (Fixture *fixture, gconstpointer data)
{
  (void) data;
  for (unsigned i = 0; i < VTREE_LATER_MAX; i++)
    push (fixture, i, i % 3);
  Request *refused = &fixture->requests[VTREE_LATER_MAX];
  g_assert_false (vtree_later_push (fixture->later, 9, refused));
  allow (fixture, 3);
  wait_answered (fixture, VTREE_LATER_MAX);
  push (fixture, VTREE_LATER_MAX, 9);
  allow (fixture, 1);
  wait_answered (fixture, VTREE_LATER_MAX + 1);
}

/* The end: what is being done is given up, everybody gets an answer. */
static void
test_end (Fixture *fixture, gconstpointer data)
{
  (void) data;
  fixture->until_end = true;
  Request *first = push (fixture, 0, 7);
  wait_preparing (fixture, 7);
  Request *second = push (fixture, 1, 7);
  Request *third = push (fixture, 2, 8);
  g_clear_pointer (&fixture->later, vtree_later_free);
  g_assert_cmpint (first->result, ==, -ENOTCONN);
  g_assert_cmpint (second->result, ==, -ENOTCONN);
  g_assert_cmpint (third->result, ==, -ENOTCONN);
  g_assert_cmpuint (fixture->prepared, ==, 1);
}

static gpointer
end_it (gpointer later)
{
  vtree_later_end (later);
  return NULL;
}

/* Threads that end it at a time: each goes on when all have been answered. */
static void
test_ended_by_several (Fixture *fixture, gconstpointer data)
{
  Request extra = { .fixture = fixture, .node = 9 };
  (void) data;
  fixture->until_end = true;
  Request *first = push (fixture, 0, 7);
  Request *second = push (fixture, 1, 8);
  GThread *other = g_thread_new ("end", end_it, fixture->later);
  vtree_later_end (fixture->later);
  g_assert_cmpint (first->result, ==, -ENOTCONN);
  g_assert_cmpint (second->result, ==, -ENOTCONN);
  g_thread_join (other);
  g_assert_false (vtree_later_push (fixture->later, 9, &extra));
  vtree_later_end (fixture->later);
}

static void
test_unused (Fixture *fixture, gconstpointer data)
{
  (void) fixture, (void) data;
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/fuse/later/", name, NULL);
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  add ("shared", test_shared);
  add ("failure", test_failure);
  add ("interrupted", test_interrupted);
  add ("again", test_again);
  add ("bounded", test_bounded);
  add ("end", test_end);
  add ("ended-by-several", test_ended_by_several);
  add ("unused", test_unused);
  return vtree_test_run ();
}
