/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The failing and the short-reading double: the linker's --wrap sends the calls of the
 * layers here (the list is in tests/lib/CMakeLists.txt), and we pass them on, cut them
 * short or refuse them. The _chk names are what _FORTIFY_SOURCE makes of read and
 * pread.
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/types.h>

typedef struct {
  atomic_uint calls;
  atomic_uint allowed; /* calls that may still go through, when errnum is set */
  atomic_int errnum;   /* 0: no failure */
  atomic_size_t max;   /* 0: no limit */
} Fault;

static Fault faults[VTREE_TEST_THREAD + 1];

void
vtree_test_fault_fail (VtreeTestCall call, unsigned count, int errnum)
{
  atomic_store (&faults[call].allowed, count);
  atomic_store (&faults[call].errnum, errnum);
}

void
vtree_test_fault_short (VtreeTestCall call, size_t max)
{
  atomic_store (&faults[call].max, max);
}

unsigned
vtree_test_fault_calls (VtreeTestCall call)
{
  return atomic_load (&faults[call].calls);
}

void
vtree_test_fault_clear (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (faults); i++) {
    atomic_store (&faults[i].errnum, 0);
    atomic_store (&faults[i].allowed, 0);
    atomic_store (&faults[i].max, 0);
    atomic_store (&faults[i].calls, 0);
  }
}

/* True, with errno set, if this call must fail. */
static bool
fails (VtreeTestCall call)
{
  Fault *fault = &faults[call];
  atomic_fetch_add (&fault->calls, 1);
  int errnum = atomic_load (&fault->errnum);
  if (errnum == 0)
    return false;
  unsigned allowed = atomic_load (&fault->allowed);
  while (allowed > 0) {
    if (atomic_compare_exchange_weak (&fault->allowed, &allowed, allowed - 1))
      return false;
  }
  errno = errnum;
  return true;
}

static size_t
shortened (VtreeTestCall call, size_t size)
{
  size_t max = atomic_load (&faults[call].max);
  return max > 0 && size > max ? max : size;
}

/* The linker makes these names; there is no header to declare them. */
ssize_t __real_read (int fd, void *data, size_t size);
ssize_t __real_pread64 (int fd, void *data, size_t size, off_t offset);
ssize_t __real_write (int fd, const void *data, size_t size);
ssize_t __real_pwrite64 (int fd, const void *data, size_t size, off_t offset);
int __real_fsync (int fd);
int __real_fdatasync (int fd);
int __real_syncfs (int fd);
GThread *__real_g_thread_try_new (const char *name, GThreadFunc run, gpointer data,
                                  GError **error);
ssize_t __wrap_read (int fd, void *data, size_t size);
ssize_t __wrap___read_chk (int fd, void *data, size_t size, size_t room);
ssize_t __wrap_pread64 (int fd, void *data, size_t size, off_t offset);
ssize_t __wrap___pread64_chk (int fd, void *data, size_t size, off_t offset,
                              size_t room);
ssize_t __wrap_write (int fd, const void *data, size_t size);
ssize_t __wrap_pwrite64 (int fd, const void *data, size_t size, off_t offset);
int __wrap_fsync (int fd);
int __wrap_fdatasync (int fd);
int __wrap_syncfs (int fd);
GThread *__wrap_g_thread_try_new (const char *name, GThreadFunc run, gpointer data,
                                  GError **error);

ssize_t
__wrap_read (int fd, void *data, size_t size)
{
  if (fails (VTREE_TEST_READ))
    return -1;
  return __real_read (fd, data, shortened (VTREE_TEST_READ, size));
}

ssize_t
__wrap___read_chk (int fd, void *data, size_t size, size_t room)
{
  g_assert_cmpuint (size, <=, room);
  return __wrap_read (fd, data, size);
}

ssize_t
__wrap_pread64 (int fd, void *data, size_t size, off_t offset)
{
  if (fails (VTREE_TEST_READ))
    return -1;
  return __real_pread64 (fd, data, shortened (VTREE_TEST_READ, size), offset);
}

ssize_t
__wrap___pread64_chk (int fd, void *data, size_t size, off_t offset, size_t room)
{
  g_assert_cmpuint (size, <=, room);
  return __wrap_pread64 (fd, data, size, offset);
}

ssize_t
__wrap_write (int fd, const void *data, size_t size)
{
  if (fails (VTREE_TEST_WRITE))
    return -1;
  return __real_write (fd, data, shortened (VTREE_TEST_WRITE, size));
}

ssize_t
__wrap_pwrite64 (int fd, const void *data, size_t size, off_t offset)
{
  if (fails (VTREE_TEST_WRITE))
    return -1;
  return __real_pwrite64 (fd, data, shortened (VTREE_TEST_WRITE, size), offset);
}

int
__wrap_fsync (int fd)
{
  return fails (VTREE_TEST_SYNC) ? -1 : __real_fsync (fd);
}

int
__wrap_fdatasync (int fd)
{
  return fails (VTREE_TEST_SYNC) ? -1 : __real_fdatasync (fd);
}

int
__wrap_syncfs (int fd)
{
  return fails (VTREE_TEST_SYNC) ? -1 : __real_syncfs (fd);
}

GThread *
__wrap_g_thread_try_new (const char *name, GThreadFunc run, gpointer data,
                         GError **error)
{
  if (!fails (VTREE_TEST_THREAD))
    return __real_g_thread_try_new (name, run, data, error);
  g_set_error (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "no thread can be had");
  return NULL;
}
