/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/object-fault.h"

#include "tests/lib/test.h"

#include <errno.h>

static void
test_errnos (void)
{
  static const struct {
    int errnum;
    bool of_file;
  } rows[] = {
    { EIO, true },       { EUCLEAN, true },  { EACCES, true },  { EISDIR, true },
    { EINVAL, true },    { EMSGSIZE, true }, { EBADMSG, true }, { ENOKEY, true },
    { EOVERFLOW, true }, { ENOPKG, true },   { ENOMEM, false }, { EMFILE, false },
    { ENFILE, false },   { ENOSPC, false },  { EROFS, false },  { EINTR, false },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    vtree_error_set_errno (&error, rows[i].errnum, "open");
    g_test_message ("%s", error->message);
    g_assert_cmpint (vtree_object_fault (error), ==, rows[i].of_file);
  }
}

static void
test_codes (void)
{
  static const struct {
    int code;
    bool of_file;
  } rows[] = {
    { VTREE_ERROR_CORRUPT, true },
    { VTREE_ERROR_UNSUPPORTED, false },
    { VTREE_ERROR_FAILED, false },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    vtree_error_set (&error, rows[i].code, "open");
    g_assert_cmpint (vtree_object_fault (error), ==, rows[i].of_file);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/object-fault/errnos", test_errnos);
  g_test_add_func ("/core/object-fault/codes", test_codes);
  return vtree_test_run ();
}
