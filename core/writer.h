/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has a file open for writing, as far as /proc tells this user: for the message
 * when the kernel says ETXTBSY. Nothing may be decided by it.
 */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/* "process 123 (vim)" for one process that has the file of STAT open for writing, this
 * one included; NULL where none is seen (another user's process can't be). To be
 * freed. */
char *vtree_writer_find (const struct stat *stat);
