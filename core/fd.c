/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns closing descriptors, and reading and writing them whole. Never opens anything
 * and knows no paths: whoever calls says in a prefix what it was reading.
 */
#include "core/fd.h"

#include "core/error.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

void
vtree_fd_close (VtreeFd fd)
{
  if (fd < 0)
    return;
  int saved = errno;
  close (fd);
  errno = saved;
}

int
vtree_fd_steal (VtreeFd *fd)
{
  int stolen = *fd;
  *fd = -1;
  return stolen;
}

void
vtree_fd_replace_take (VtreeFd *fd, int new_fd)
{
  vtree_fd_close (*fd);
  *fd = new_fd;
}

/* Whether SIZE bytes from OFFSET are offsets that pread() and pwrite() can name. */
static bool
range_fits (size_t size, uint64_t offset)
{
  return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

bool
vtree_fd_pread (int fd, void *data, size_t size, uint64_t offset, size_t *got,
                GError **error)
{
  if (!range_fits (size, offset))
    return vtree_error_set_errno (error, EOVERFLOW, "read at %" G_GUINT64_FORMAT,
                                  offset);
  size_t done = 0;
  while (done < size) {
    ssize_t n
      = pread (fd, (uint8_t *) data + done, size - done, (off_t) (offset + done));
    if (n == 0)
      break;
    if (n > 0)
      done += (size_t) n;
    else if (errno != EINTR)
      return vtree_error_set_errno (error, errno, "read at %" G_GUINT64_FORMAT,
                                    offset + done);
  }
  *got = done;
  return true;
}

bool
vtree_fd_pwrite (int fd, const void *data, size_t size, uint64_t offset, GError **error)
{
  if (!range_fits (size, offset))
    return vtree_error_set_errno (error, EFBIG, "write at %" G_GUINT64_FORMAT, offset);
  size_t done = 0;
  while (done < size) {
    ssize_t n = pwrite (fd, (const uint8_t *) data + done, size - done,
                        (off_t) (offset + done));
    if (n >= 0)
      done += (size_t) n;
    else if (errno != EINTR)
      return vtree_error_set_errno (error, errno, "write at %" G_GUINT64_FORMAT,
                                    offset + done);
  }
  return true;
}

/* Grows *DATA to ROOM bytes. */
static bool
grow (uint8_t **data, size_t room, GError **error)
{
  uint8_t *grown = g_try_realloc (*data, room);
  if (grown == NULL)
    return vtree_error_set_errno (error, ENOMEM, "read into %zu bytes", room);
  *data = grown;
  return true;
}

GBytes *
vtree_fd_load (int fd, size_t limit, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0) {
    vtree_error_set_errno (error, errno, "fstat");
    return NULL;
  }
  size_t most = limit < SIZE_MAX ? limit + 1 : SIZE_MAX; /* one more shows the excess */
  uint64_t told = st.st_size > 0 ? (uint64_t) st.st_size : 0;
  size_t room = (size_t) MIN (MAX (told + 1, 512), most);
  g_autofree uint8_t *data = NULL;
  size_t done = 0;
  for (;;) {
    size_t got;
    if (!grow (&data, room, error)
        || !vtree_fd_pread (fd, data + done, room - done, done, &got, error))
      return NULL;
    done += got;
    if (done > limit) {
      vtree_error_set (error, VTREE_ERROR_LIMIT, "read: more than %zu bytes", limit);
      return NULL;
    }
    if (done < room)
      return g_bytes_new_take (g_steal_pointer (&data), done);
    room = room > most / 2 ? most : room * 2;
  }
}
