/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program that the person named, bytes in, bytes out.
 */
#pragma once

#include "core/error.h"

/* Runs COMMAND by /bin/sh -c and returns what it wrote to its standard output, 1 to
 * LIMIT bytes. Its standard input is a sealed file in memory with the bytes of INPUT,
 * at offset 0: it can be read as a pipe, or named as /dev/stdin by a program that wants
 * the size of a file. ENVIRONMENT (NULL-terminated pairs of name and value) is added to
 * our own; standard error and the terminal are ours, so it can ask for a PIN. It is
 * waited for as long as it runs; an interrupt from the terminal reaches it too.
 *
 * Errors, all VTREE_ERROR_FAILED: it exits with another status than 0, is killed,
 * prints nothing, or more than LIMIT (then it is ended). VTREE_ERRNO_ERROR: it can't be
 * run. */
GBytes *vtree_command_run (const char *command, const char *const *environment,
                           GBytes *input, size_t limit, GError **error);
