/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Under ThreadSanitizer: correct use of GLib's locks is no race. */
#include "tests/lib/test.h"

#define TURNS 1000

typedef struct {
  GMutex lock;
  GCond changed;
  unsigned turns;
} Counter;

static gpointer
take_turns (gpointer data)
{
  Counter *counter = data;
  for (unsigned i = 0; i < TURNS; i++) {
    g_mutex_lock (&counter->lock);
    counter->turns++;
    g_cond_broadcast (&counter->changed);
    g_mutex_unlock (&counter->lock);
  }
  return NULL;
}

static void
test_mutex_and_condition (void)
{
  Counter counter = { .turns = 0 };
  g_mutex_init (&counter.lock);
  g_cond_init (&counter.changed);
  GThread *a = g_thread_new ("a", take_turns, &counter);
  GThread *b = g_thread_new ("b", take_turns, &counter);
  g_mutex_lock (&counter.lock);
  while (counter.turns < 2 * TURNS)
    g_cond_wait (&counter.changed, &counter.lock);
  g_mutex_unlock (&counter.lock);
  g_thread_join (a);
  g_thread_join (b);
  g_mutex_clear (&counter.lock);
  g_cond_clear (&counter.changed);
}

static unsigned *
made_once (void)
{
  static gsize made;
  static unsigned value;
  if (g_once_init_enter (&made)) {
    value = 42;
    g_once_init_leave (&made, 1);
  }
  return &value;
}

static gpointer
look_once (gpointer data)
{
  (void) data;
  g_assert_cmpuint (*made_once (), ==, 42);
  return NULL;
}

static void
test_once (void)
{
  GThread *threads[4];
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("once", look_once, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/lib/locks/mutex-and-condition", test_mutex_and_condition);
  g_test_add_func ("/lib/locks/once", test_once);
  return vtree_test_run ();
}
