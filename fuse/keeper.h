/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: a process that unmounts for the daemon when that ends on a signal. The
 * daemon itself has given up the right to (capabilities, no_new_privs: fusermount3
 * would have none either). It ends with the daemon; a killed one leaves a mount that
 * says ENOTCONN.
 *
 * Where something is pushed (push.h) a killed daemon may leave a thread that waits, for
 * ever, for an answer to a READ, and so keeps the connection. The keeper then gives
 * that answer: it holds the connection too, and lets go of it with the daemon.
 */
#pragma once

#include "core/fd.h"

#include <sys/types.h>

/* Starts it; *FD (owned) is the daemon's end. DEVICE: the connection (borrowed) that is
 * pushed to, or -1. Call while there is one thread. */
bool vtree_keeper_start (const char *dir, int device, int *fd, pid_t *pid,
                         GError **error);

/* The daemon's last word: unmount. Takes FD. */
void vtree_keeper_unmount_take (int fd);
