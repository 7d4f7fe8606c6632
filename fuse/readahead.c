/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount's readahead. Owns: writing read_ahead_kb below /sys.
 */
#include "fuse/readahead.h"

#include "core/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

bool
vtree_readahead_set (dev_t device, uint32_t kib)
{
  char path[64];
  snprintf (path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major (device),
            minor (device));
  g_auto (VtreeFd) fd = open (path, O_WRONLY | O_CLOEXEC);
  return fd >= 0 && dprintf (fd, "%u\n", kib) > 0;
}
