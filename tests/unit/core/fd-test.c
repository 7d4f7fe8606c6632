/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/fd.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int
file_of (const char *text)
{
  int fd = memfd_create ("test", MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
  return fd;
}

static bool
is_open (int fd)
{
  return fcntl (fd, F_GETFD) >= 0;
}

static void
test_closes (void)
{
  int number;
  {
    g_auto (VtreeFd) fd = file_of ("");
    number = fd;
    g_assert_true (is_open (number));
    errno = EXDEV;
  }
  g_assert_cmpint (errno, ==, EXDEV);
  g_assert_false (is_open (number));
  vtree_fd_close (-1);
}

static void
test_steal_and_replace (void)
{
  int first = file_of ("");
  VtreeFd fd = first;
  int second = file_of ("");
  vtree_fd_replace_take (&fd, second);
  g_assert_false (is_open (first));
  g_assert_cmpint (vtree_fd_steal (&fd), ==, second);
  g_assert_cmpint (fd, ==, -1);
  g_assert_true (is_open (second));
  vtree_fd_close (second);
}

static void
test_pread_goes_on_after_short_reads (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = file_of ("0123456789");
  char data[16];
  size_t got;
  vtree_test_fault_short (VTREE_TEST_READ, 3);
  g_assert_true (vtree_fd_pread (fd, data, 7, 2, &got, &error));
  vtree_test_assert_bytes (data, got, "2345678", 7);
  g_assert_true (vtree_fd_pread (fd, data, sizeof data, 4, &got, &error));
  vtree_test_assert_bytes (data, got, "456789", 6);
  g_assert_true (vtree_fd_pread (fd, data, sizeof data, 10, &got, &error));
  g_assert_cmpuint (got, ==, 0);
  vtree_test_fault_clear ();
}

static void
test_pread_fails (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = file_of ("0123456789");
  char data[16];
  size_t got = 77;
  vtree_test_fault_short (VTREE_TEST_READ, 3);
  vtree_test_fault_fail (VTREE_TEST_READ, 1, EIO);
  g_assert_false (vtree_fd_pread (fd, data, 7, 0, &got, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, "read at 3");
  g_assert_cmpuint (got, ==, 77);
}

static void
test_offsets_that_do_not_fit (void)
{
  g_auto (VtreeFd) fd = file_of ("x");
  const uint64_t offsets[]
    = { (uint64_t) INT64_MAX, (uint64_t) INT64_MAX + 1, UINT64_MAX };
  for (size_t i = 0; i < G_N_ELEMENTS (offsets); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (GError) write_error = NULL;
    char data[2] = "";
    size_t got;
    g_assert_false (vtree_fd_pread (fd, data, 2, offsets[i], &got, &error));
    vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EOVERFLOW, NULL);
    g_assert_false (vtree_fd_pwrite (fd, data, 2, offsets[i], &write_error));
    vtree_test_assert_error (write_error, VTREE_ERRNO_ERROR, EFBIG, NULL);
  }
}

static void
test_pwrite (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = file_of ("0123456789");
  vtree_test_fault_short (VTREE_TEST_WRITE, 2);
  g_assert_true (vtree_fd_pwrite (fd, "abcde", 5, 8, &error));
  vtree_test_fault_clear ();
  g_autoptr (GBytes) bytes = vtree_fd_load (fd, 100, &error);
  g_assert_no_error (error);
  vtree_test_assert_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                           "01234567abcde", 13);
  vtree_test_fault_short (VTREE_TEST_WRITE, 2);
  vtree_test_fault_fail (VTREE_TEST_WRITE, 2, ENOSPC);
  g_assert_false (vtree_fd_pwrite (fd, "abcde", 5, 0, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOSPC, "write at 4");
}

static void
test_load_limits (void)
{
  g_auto (VtreeFd) fd = file_of ("0123456789");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) exact = vtree_fd_load (fd, 10, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (exact), ==, 10);
  g_assert_null (vtree_fd_load (fd, 9, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, "9");
  g_clear_error (&error);
  g_assert_null (vtree_fd_load (fd, 0, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_LIMIT, NULL);
}

static void
test_load_more_than_stat_says (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = open ("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  g_autoptr (GBytes) bytes = vtree_fd_load (fd, SIZE_MAX, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), >, 512);
}

static void
test_load_fails (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = file_of ("0123456789");
  vtree_test_fault_fail (VTREE_TEST_READ, 0, EIO);
  g_assert_null (vtree_fd_load (fd, 100, &error));
  vtree_test_fault_clear ();
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EIO, NULL);
  g_clear_error (&error);
  g_assert_null (vtree_fd_load (-1, 100, &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EBADF, NULL);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/fd/closes", test_closes);
  g_test_add_func ("/core/fd/steal-and-replace", test_steal_and_replace);
  g_test_add_func ("/core/fd/pread/short", test_pread_goes_on_after_short_reads);
  g_test_add_func ("/core/fd/pread/fails", test_pread_fails);
  g_test_add_func ("/core/fd/offsets", test_offsets_that_do_not_fit);
  g_test_add_func ("/core/fd/pwrite", test_pwrite);
  g_test_add_func ("/core/fd/load/limits", test_load_limits);
  g_test_add_func ("/core/fd/load/no-size", test_load_more_than_stat_says);
  g_test_add_func ("/core/fd/load/fails", test_load_fails);
  return vtree_test_run ();
}
