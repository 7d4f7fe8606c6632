/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the names tmp/held-…: what they are, and when one is made. Removes nothing.
 */
#include "core/held.h"

#include "core/beneath.h"
#include "core/object-fault.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX "held-"
#define RANDOM_DIGITS 16

static char *
make_name (const VtreeDigest *digest)
{
  char path[VTREE_DIGEST_PATH_MAX];
  vtree_digest_path (digest, path);
  return g_strdup_printf (PREFIX "%.2s%s-%08x%08x", path, path + 3, g_random_int (),
                          g_random_int ());
}

bool
vtree_held_parse (const char *name, VtreeDigestAlg alg, VtreeDigest *digest)
{
  size_t digits = 2 * vtree_digest_alg_size (alg);
  size_t prefix = strlen (PREFIX);
  if (strlen (name) != prefix + digits + 1 + RANDOM_DIGITS
      || !g_str_has_prefix (name, PREFIX) || name[prefix + digits] != '-')
    return false;
  g_autofree char *dir = g_strndup (name + prefix, 2);
  g_autofree char *file = g_strndup (name + prefix + 2, digits - 2);
  return vtree_digest_from_path (alg, dir, file, digest);
}

/* *FD stays -1 for what no mount can have opened. */
static bool
open_old (int dirfd, const char *name, VtreeFd *fd, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (vtree_beneath_open_file (dirfd, name, fd, NULL, &failed)
      || vtree_object_fault (failed))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

bool
vtree_held_keep (int dirfd, const char *name, const VtreeDigest *digest, int tmp_fd,
                 VtreeFd *lock, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  *lock = -1;
  if (!open_old (dirfd, name, &fd, error))
    return false;
  if (fd < 0)
    return true;
  if (flock (fd, LOCK_EX | LOCK_NB) == 0) {
    *lock = vtree_fd_steal (&fd);
    return true;
  }
  if (errno != EWOULDBLOCK)
    return vtree_error_set_errno (error, errno, "lock what it replaces");
  g_autofree char *held = make_name (digest);
  return linkat (dirfd, name, tmp_fd, held, 0) == 0
         || vtree_error_set_errno (error, errno,
                                   "keep what it replaces and a mount holds");
}
