/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mount helper's entry point. */
#include <stdio.h>
#include <string.h>

#include "core/version.h"

int
main (int argc, char **argv)
{
  if (argc == 2 && strcmp (argv[1], "--version") == 0) {
    printf ("mount.fuse.vtree %s\n", vtree_version ());
    return 0;
  }
  fprintf (stderr, "usage: mount.fuse.vtree --version\n");
  return 1;
}
