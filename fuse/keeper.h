/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: a process that unmounts for the daemon when that ends on a signal. The
 * daemon itself has given up the right to (capabilities, no_new_privs: fusermount3
 * would have none either). It holds nothing of the mount, so a killed daemon still
 * leaves a mount that says ENOTCONN, and it ends with the daemon.
 */
#pragma once

#include "core/fd.h"

#include <sys/types.h>

/* Starts it; *FD (owned) is the daemon's end. Call while there is one thread. */
bool vtree_keeper_start (const char *dir, int *fd, pid_t *pid, GError **error);

/* The daemon's last word: unmount. Takes FD. */
void vtree_keeper_unmount_take (int fd);
