/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns where nameless files go. None is ever linked anywhere.
 */
#include "core/temporary.h"

#include "core/error.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

int
vtree_temporary_file (GError **error)
{
  const char *const places[] = { g_getenv ("TMPDIR"), "/var/tmp", "/tmp" };
  for (size_t i = 0; i < G_N_ELEMENTS (places); i++) {
    if (places[i] == NULL || !g_path_is_absolute (places[i]))
      continue;
    int fd = open (places[i], O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
      return fd;
  }
  int fd = memfd_create ("vtree", MFD_CLOEXEC);
  if (fd < 0)
    vtree_error_set_errno (error, errno, "make a temporary file");
  return fd;
}
