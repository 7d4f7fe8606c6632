/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pipes that carry a file's pages to the kernel without a copy of them in the daemon.
 * Thread-safe; one pipe belongs to one thread at a time.
 *
 * A reply to READ that is shorter than what was asked tells the kernel that the file
 * ends there, which is wrong data without an error. So nothing is answered before all
 * of it is in a pipe: vtree_pipe_fill() has it counted twice, by what splice(2) said
 * and by what the pipe has.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VtreePipes VtreePipes;

typedef struct {
  GList link;  /* the pool's */
  size_t room; /* bytes, if the first of them is the first of a page */
  int read_fd;
  int write_fd;
} VtreePipe;

/* Keeps at most KEPT pipes that nobody uses, and makes none before it is wanted. */
VtreePipes *vtree_pipes_new (unsigned kept);
void vtree_pipes_free (VtreePipes *pipes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePipes, vtree_pipes_free)

/* An empty one that takes SIZE bytes; NULL where that can't be had (descriptors, the
 * limits of pipe(7)). */
VtreePipe *vtree_pipes_get (VtreePipes *pipes, size_t size);

/* EMPTIED: all that was filled in has been taken out, as far as is known, so that it
 * can be used again: with anything left in it, the next vtree_pipe_fill() is false. */
void vtree_pipes_put (VtreePipes *pipes, VtreePipe *pipe, bool emptied);

/* Has exactly SIZE bytes of FD from OFFSET on in PIPE, which is empty. False: something
 * else is in it, or nothing; it is of no further use, and read(2) tells why. */
bool vtree_pipe_fill (VtreePipe *pipe, int fd, size_t size, uint64_t offset);
