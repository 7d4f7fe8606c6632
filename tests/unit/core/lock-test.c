/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/fd.h"
#include "core/lock.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <unistd.h>

static int
open_again (const char *dir)
{
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static const struct {
  const char *name;
  VtreeLockKind held, wanted;
  bool ok;
} pairs[] = {
  { "shared-shared", VTREE_LOCK_SHARED, VTREE_LOCK_SHARED, true },
  { "shared-exclusive", VTREE_LOCK_SHARED, VTREE_LOCK_EXCLUSIVE, false },
  { "exclusive-shared", VTREE_LOCK_EXCLUSIVE, VTREE_LOCK_SHARED, false },
  { "exclusive-exclusive", VTREE_LOCK_EXCLUSIVE, VTREE_LOCK_EXCLUSIVE, false },
};

static void
test_pairs (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  for (size_t i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_test_message ("%s", pairs[i].name);
    g_auto (VtreeFd) first = open_again (dir);
    g_auto (VtreeFd) second = open_again (dir);
    g_autoptr (GError) error = NULL;
    g_assert_true (vtree_lock_take (first, pairs[i].held, 0, &error));
    g_assert_no_error (error);
    g_assert_cmpint (vtree_lock_take (second, pairs[i].wanted, 0, &error), ==,
                     pairs[i].ok);
    if (!pairs[i].ok)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_BUSY, "lock");
  }
}

static gpointer
close_later (gpointer fd)
{
  g_usleep (50000);
  close (GPOINTER_TO_INT (fd));
  return NULL;
}

/* Waits for ever, and gets it as soon as the other is gone. */
static void
test_waits (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  for (int wait = -1; wait <= 60; wait += 61) {
    int first = open_again (dir);
    g_auto (VtreeFd) second = open_again (dir);
    g_assert_true (vtree_lock_take (first, VTREE_LOCK_EXCLUSIVE, 0, NULL));
    GThread *thread = g_thread_new ("close", close_later, GINT_TO_POINTER (first));
    g_autoptr (GError) error = NULL;
    g_assert_true (vtree_lock_take (second, VTREE_LOCK_EXCLUSIVE, wait, &error));
    g_assert_no_error (error);
    g_thread_join (thread);
  }
}

static void
test_bad_descriptor (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_lock_take (-1, VTREE_LOCK_SHARED, 0, &error));
  g_assert_cmpint ((int) error->domain, ==, (int) VTREE_ERRNO_ERROR);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/lock/pairs", test_pairs);
  g_test_add_func ("/core/lock/waits", test_waits);
  g_test_add_func ("/core/lock/bad-descriptor", test_bad_descriptor);
  return vtree_test_run ();
}
