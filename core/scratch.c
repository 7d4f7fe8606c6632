/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns one file's short life.
 */
#include "core/scratch.h"

#include "core/beneath.h"
#include "core/publish.h"
#include <fcntl.h>
#include <unistd.h>

/* It is opened again for reading only: verity is not enabled while a writable
 * descriptor is open. */
static bool
make (VtreeScratch *scratch, GError **error)
{
  g_auto (VtreeFd) writer = vtree_beneath_open (
    scratch->dirfd, scratch->name, O_WRONLY | O_CREAT | O_EXCL, 0600, error);
  if (writer < 0
      || !vtree_fd_pwrite (writer, VTREE_SCRATCH_CONTENTS, VTREE_SCRATCH_SIZE, 0,
                           error))
    return false;
  scratch->fd = vtree_beneath_open (scratch->dirfd, scratch->name, O_RDONLY, 0, error);
  return scratch->fd >= 0;
}

bool
vtree_scratch_make (VtreeScratch *scratch, int dirfd, GError **error)
{
  scratch->dirfd = dirfd;
  scratch->fd = -1;
  g_snprintf (scratch->name, sizeof scratch->name, VTREE_PUBLISH_TEMP_PREFIX "%08x%08x",
              g_random_int (), g_random_int ());
  return make (scratch, error);
}

void
vtree_scratch_clear (VtreeScratch *scratch)
{
  vtree_fd_replace_take (&scratch->fd, -1);
  if (scratch->name[0] != '\0')
    unlinkat (scratch->dirfd, scratch->name, 0);
  scratch->name[0] = '\0';
}
