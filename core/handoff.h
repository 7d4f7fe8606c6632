/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program says when it ends: the exit codes of DESIGN section 6, and how the
 * mount helper hands its own to `vtree mount`, past the 0, 1 and 32 that mount(8)
 * wants.
 *
 *   vtree mount                              mount.fuse.vtree
 *   pipe2(); VTREE_HANDOFF_ENV=<fd>          fd = vtree_handoff_take ();
 *   posix_spawn (helper)                     … mounts, or fails …
 *   close (write end)                        vtree_handoff_send (fd, error)
 *   vtree_handoff_receive (read end)         exits 0, 1 or 32 all the same
 *
 * With a pipe the helper prints no error itself: `vtree mount` does. One line goes
 * through it: the code, a space, the message (empty on success), a newline.
 */
#pragma once

#include "core/fd.h"

/* The number of the pipe's writing end, decimal; unset where there is none. */
#define VTREE_HANDOFF_ENV "VTREE_HANDOFF_FD"

/* A whole line, its newline included; less than PIPE_BUF, so one write sends it. */
#define VTREE_HANDOFF_LINE_MAX 4000

typedef enum {
  VTREE_EXIT_DONE = 0,
  VTREE_EXIT_FAILED = 1,
  VTREE_EXIT_USAGE = 2,
  VTREE_EXIT_UNTRUSTED = 3,
  VTREE_EXIT_ROLLBACK = 4,
  VTREE_EXIT_EXPIRED = 5,
  VTREE_EXIT_CORRUPT = 6,
  VTREE_EXIT_MISSING = 7,
  VTREE_EXIT_BUSY = 8,
} VtreeExit;

/* ERROR's exit code; VTREE_EXIT_DONE for NULL, VTREE_EXIT_FAILED for another domain. */
VtreeExit vtree_exit_code (const GError *error);

/* "failed", "usage", "untrusted", "rollback", "expired", "corrupt", "missing", "busy":
 * the kind in a JSON error; "done" for 0. Static. */
const char *vtree_exit_name (VtreeExit code);

/* An error with CODE, made of what the helper handed over; CODE must not be 0. */
bool vtree_exit_set_error (GError **error, VtreeExit code, const char *message);

/* The helper's end, from the environment, which loses the variable; close-on-exec from
 * then on. -1 where there is none, or where it is no pipe open for writing. */
int vtree_handoff_take (void);

/* Sends ERROR's code and message (NULL: success). Takes FD in any case; -1 is allowed
 * and sends nothing. A reader who has gone is no failure of the mount. */
void vtree_handoff_send_take (int fd, const GError *error);

/* The command's end: waits for the line. True and success when the helper said 0; what
 * it handed over as ERROR otherwise; *ANSWERED is false (and the result true) when the
 * pipe was closed without a line: then the helper's exit status has to do. */
bool vtree_handoff_receive (int fd, bool *answered, GError **error);
