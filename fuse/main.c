/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mount helper's entry point. */
#include "fuse/helper.h"

int
main (int argc, char **argv)
{
  return vtree_helper_main (argc, argv);
}
