/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GError to errno. Owns that mapping, and nothing else.
 */
#include "fuse/errno.h"

#include <errno.h>

int
vtree_errno_from_error (const GError *error)
{
  if (g_error_matches (error, VTREE_ERROR, VTREE_ERROR_BUSY))
    return EAGAIN;
  if (error->domain != VTREE_ERRNO_ERROR)
    return EIO;
  switch (error->code) {
  case ENOMEM:
  case EMFILE:
  case ENFILE:
  case EINTR:
    return error->code;
  default:
    return EIO;
  }
}
