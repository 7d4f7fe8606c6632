/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running a program and ending as it did: what is killed or interrupted in our place
 * is it, and we wait for it, holding what we hold.
 */
#pragma once

#include "core/error.h"
#include <sys/types.h>

/* Runs ARGV (found in PATH) with standard input, output and error, waits for it and
 * puts its exit status into *STATUS, 128 + N where signal N ended it. ARGV is
 * bubblewrap with a PID namespace: signals that another process sends us are sent on to
 * the command in it. Call from a process with one thread. Errors: VTREE_ERRNO_ERROR. */
bool vtree_supervise (char **argv, int *status, GError **error);

/* Becomes the first process of new user, mount and PID namespaces, in which this user
 * may mount. Returns true in there alone; the process that called waits for it outside,
 * sends signals on, and *STATUS is how it ended, with *OUTSIDE true. Errors: that the
 * system allows no such namespaces, VTREE_ERROR_UNSUPPORTED. */
bool vtree_supervise_namespace (bool *outside, int *status, GError **error);

/* The programs that are run from here on may (WANTED), or may not, mount. */
bool vtree_supervise_allow_mount (bool wanted, GError **error);
