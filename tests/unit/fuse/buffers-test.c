/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/buffers.h"

#include "tests/lib/test.h"

#include <stdint.h>
#include <string.h>

static void
test_used_again (void)
{
  g_autoptr (VtreeBuffers) buffers = vtree_buffers_new (1);
  VtreeBuffer *first = vtree_buffers_get (buffers, 100);
  g_assert_cmpuint ((uintptr_t) first->data % 4096, ==, 0);
  memset (first->data, 1, first->size);
  vtree_buffers_put (buffers, first);
  VtreeBuffer *second = vtree_buffers_get (buffers, 4096);
  g_assert_true (second == first);
  vtree_buffers_put (buffers, second);
}

static void
test_grows (void)
{
  g_autoptr (VtreeBuffers) buffers = vtree_buffers_new (2);
  vtree_buffers_put (buffers, vtree_buffers_get (buffers, 1));
  VtreeBuffer *large = vtree_buffers_get (buffers, 5 << 20);
  g_assert_cmpuint (large->size, >=, 5 << 20);
  memset (large->data, 1, large->size);
  vtree_buffers_put (buffers, large);
}

static void
test_no_more_than_kept (void)
{
  g_autoptr (VtreeBuffers) buffers = vtree_buffers_new (1);
  VtreeBuffer *a = vtree_buffers_get (buffers, 1);
  VtreeBuffer *b = vtree_buffers_get (buffers, 1);
  g_assert_true (a != b);
  vtree_buffers_put (buffers, a);
  vtree_buffers_put (buffers, b);
  g_assert_true (vtree_buffers_get (buffers, 1) == a);
  vtree_buffers_put (buffers, a);
}

static void
test_absurd_size (void)
{
  g_autoptr (VtreeBuffers) buffers = vtree_buffers_new (1);
  g_assert_null (vtree_buffers_get (buffers, SIZE_MAX));
  g_assert_null (vtree_buffers_get (buffers, (size_t) 1 << 30));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/buffers/used-again", test_used_again);
  g_test_add_func ("/fuse/buffers/grows", test_grows);
  g_test_add_func ("/fuse/buffers/no-more-than-kept", test_no_more_than_kept);
  g_test_add_func ("/fuse/buffers/absurd-size", test_absurd_size);
  return vtree_test_run ();
}
