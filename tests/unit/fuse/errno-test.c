/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/errno.h"

#include "tests/lib/test.h"

#include <errno.h>

static void
test_mapping (void)
{
  static const struct {
    bool is_errno;
    int code, expected;
  } rows[] = {
    { false, VTREE_ERROR_CORRUPT, EIO },
    { false, VTREE_ERROR_MISSING, EIO },
    { false, VTREE_ERROR_UNSUPPORTED, EIO },
    { false, VTREE_ERROR_INVALID, EIO },
    { false, VTREE_ERROR_LIMIT, EIO },
    { false, VTREE_ERROR_FAILED, EIO },
    { false, VTREE_ERROR_BUSY, EAGAIN },
    { true, EINTR, EINTR },
    { true, ENOMEM, ENOMEM },
    { true, EMFILE, EMFILE },
    { true, ENFILE, ENFILE },
    { true, EACCES, EIO },
    { true, ENOENT, EIO },
    { true, ENOSPC, EIO },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    GQuark domain = rows[i].is_errno ? VTREE_ERRNO_ERROR : VTREE_ERROR;
    g_autoptr (GError) error = g_error_new_literal (domain, rows[i].code, "x");
    g_assert_cmpint (vtree_errno_from_error (error), ==, rows[i].expected);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/errno/mapping", test_mapping);
  return vtree_test_run ();
}
