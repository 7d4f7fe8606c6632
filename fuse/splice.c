/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pipes for spliced replies. Owns their descriptors, and the count of what is in them.
 */
#include "fuse/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE ((size_t) 4096)

struct VtreePipes {
  unsigned kept;
  GMutex lock; /* free */
  GQueue free; /* the last one used first */
};

VtreePipes *
vtree_pipes_new (unsigned kept)
{
  VtreePipes *pipes = g_new0 (VtreePipes, 1);
  pipes->kept = kept;
  g_mutex_init (&pipes->lock);
  g_queue_init (&pipes->free);
  return pipes;
}

static void
pipe_free (VtreePipe *pipe)
{
  close (pipe->read_fd);
  close (pipe->write_fd);
  g_free (pipe);
}

void
vtree_pipes_free (VtreePipes *pipes)
{
  GList *link;
  if (pipes == NULL)
    return;
  while ((link = g_queue_pop_head_link (&pipes->free)) != NULL)
    pipe_free (link->data);
  g_mutex_clear (&pipes->lock);
  g_free (pipes);
}

/* Nobody ever waits at either end. */
static VtreePipe *
pipe_new (void)
{
  int fds[2];
  if (pipe2 (fds, O_CLOEXEC | O_NONBLOCK) != 0)
    return NULL;
  VtreePipe *pipe = g_new0 (VtreePipe, 1);
  pipe->link.data = pipe;
  pipe->read_fd = fds[0];
  pipe->write_fd = fds[1];
  return pipe;
}

/* It has a slot for each page. */
static bool
make_room (VtreePipe *pipe, size_t size)
{
  size_t wanted = (size + PAGE - 1) / PAGE * PAGE;
  if (pipe->room >= wanted)
    return true;
  int got = wanted <= INT_MAX ? fcntl (pipe->write_fd, F_SETPIPE_SZ, (int) wanted) : -1;
  if (got > 0)
    pipe->room = (size_t) got;
  return got > 0 && pipe->room >= wanted;
}

VtreePipe *
vtree_pipes_get (VtreePipes *pipes, size_t size)
{
  g_mutex_lock (&pipes->lock);
  GList *link = g_queue_pop_head_link (&pipes->free);
  g_mutex_unlock (&pipes->lock);
  VtreePipe *pipe = link != NULL ? link->data : pipe_new ();
  if (pipe != NULL && !make_room (pipe, size))
    g_clear_pointer (&pipe, pipe_free);
  return pipe;
}

void
vtree_pipes_put (VtreePipes *pipes, VtreePipe *pipe, bool emptied)
{
  g_mutex_lock (&pipes->lock);
  bool keep = emptied && pipes->free.length < pipes->kept;
  if (keep)
    g_queue_push_head_link (&pipes->free, &pipe->link);
  g_mutex_unlock (&pipes->lock);
  if (!keep)
    pipe_free (pipe);
}

bool
vtree_pipe_fill (VtreePipe *pipe, int fd, size_t size, uint64_t offset)
{
  size_t done = 0;
  while (done < size) {
    off_t at = (off_t) (offset + done);
    ssize_t n = splice (fd, &at, pipe->write_fd, NULL, size - done, SPLICE_F_NONBLOCK);
    if (n > 0)
      done += (size_t) n;
    else if (n == 0 || errno != EINTR)
      return false;
  }
  /* All of SIZE came in: what somebody left before it makes this more, never equal. */
  int present = 0;
  return ioctl (pipe->read_fd, FIONREAD, &present) == 0 && present >= 0
         && (size_t) present == size;
}
