/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the list of errors that damage to a file, or to what the filesystem knows of it,
 * can have. Sources: open(2), read(2); for files with verity the kernel's fs/verity and
 * the filesystems' parts of it, where the descriptor is looked at when the file is
 * opened.
 */
#include "core/object-fault.h"

#include <errno.h>

static const int errnos[] = {
  /* what stands in its place, or may not be read */
  EACCES, EISDIR, ELOOP, ENODEV, ENOTDIR, ENXIO, EPERM, EXDEV,
  /* the disk, or the filesystem's own structures (EUCLEAN: "needs cleaning") */
  EIO, EUCLEAN,
  /* a verity descriptor: EINVAL for its version, sizes, algorithm and block size,
   * EMSGSIZE for its length, EFBIG and EOVERFLOW for the tree that it would need,
   * ENOPKG for an algorithm that this kernel was built without */
  EFBIG, EINVAL, EMSGSIZE, ENOPKG, EOVERFLOW,
  /* its built-in signature */
  EBADMSG, EKEYREJECTED, ENOKEY
};

bool
vtree_object_fault (const GError *error)
{
  if (error->domain == VTREE_ERROR)
    return error->code == VTREE_ERROR_CORRUPT;
  for (size_t i = 0; i < G_N_ELEMENTS (errnos); i++)
    if (error->domain == VTREE_ERRNO_ERROR && error->code == errnos[i])
      return true;
  return false;
}
