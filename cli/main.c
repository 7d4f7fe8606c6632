/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command's entry point: makes the process's surroundings safe, then
 * vtree_cli_main().
 */
#include "cli/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* A closed standard descriptor would be given to the next file that is opened, and
 * then be written to as "stdout". What stands in for it can't be written, so that is
 * told. */
static void
fill_standard_descriptors (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    int null;

    if (fcntl (fd, F_GETFD) >= 0)
      continue;
    null = open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (null != fd)
      abort ();
  }
}

int
main (int argc, char **argv)
{
  fill_standard_descriptors ();
  /* A reader who goes is an error of the write, after which we clean up. */
  signal (SIGPIPE, SIG_IGN);
  return vtree_cli_main (argc, argv);
}
