/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mount helper's entry point. */
#include "fuse/mount.h"

int
main (int argc, char **argv)
{
  return vtree_mount_main (argc, argv);
}
