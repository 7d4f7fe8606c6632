/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/fd.h"
#include "core/temporary.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <sys/stat.h>

static void
test_nameless (gconstpointer directory)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *made = directory == NULL ? vtree_test_make_dir () : NULL;
  g_setenv ("TMPDIR", directory != NULL ? directory : made, TRUE);
  g_auto (VtreeFd) fd = vtree_temporary_file (&error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_true (S_ISREG (st.st_mode));
  g_assert_cmpuint (st.st_nlink, ==, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDWR);
  g_assert_true (vtree_fd_pwrite (fd, "x", 1, 0, &error));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_data_func ("/core/temporary/tmpdir", NULL, test_nameless);
  g_test_add_data_func ("/core/temporary/missing-tmpdir", "/nonexistent",
                        test_nameless);
  g_test_add_data_func ("/core/temporary/relative-tmpdir", "x", test_nameless);
  return vtree_test_run ();
}
