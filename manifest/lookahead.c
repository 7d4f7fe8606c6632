/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the threads that look ahead and the stack of what is wanted. The walk takes what
 * stands on top, and so do the threads: what is wanted soonest is looked at first. Its
 * threads change nothing, and judge nothing.
 */
#include "manifest/lookahead.h"

#include "core/filesystem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

/* Names that one thread looks at before the next one may help. */
#define CHUNK 64
/* Longer than a walk that nothing holds up is behind, and no longer than what a commit
 * says of its own moment. */
#define RECENT (2 * G_USEC_PER_SEC)
/* With so many names that were looked at and not taken, no thread begins with another
 * directory. All of them together may add as many: 15 MB. */
#define NAMES_MAX 32768
/* Directories that are kept open for those below them. */
#define PINNED_MAX 256
#define FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

typedef enum {
  WANTED,
  BEGUN,
  LISTED, /* who waits for it can help */
  DONE
} State;

typedef struct {
  const VtreeLooks *of;
  const char *name;
  State state; /* with the lock */
  bool shared; /* with the lock: the walk helps, and closes the place */
  /* Once it is listed: */
  VtreeLooked *looked;
  VtreePlace place;
  atomic_size_t next; /* of the names, not begun yet */
} Look;

struct VtreeLooks {
  VtreeHandle *dir;
  GPtrArray *names;
  Look *each;
};

struct VtreeLookahead {
  const VtreeStatCache *cache;
  size_t directory_max; /* names in a directory that is looked at */
  GPtrArray *threads;
  unsigned pinned; /* directories that looks keep open; the walk's alone */

  GMutex lock; /* for the rest */
  GCond wanting, done;
  unsigned idle;    /* threads that wait for WANTING: to wake costs a system call */
  bool waited;      /* the walk waits for DONE */
  GPtrArray *stack; /* Look *: those that are WANTED */
  size_t names;     /* looked at and not taken */
  bool ends;
};

void
vtree_looked_free (VtreeLooked *looked)
{
  if (looked == NULL)
    return;
  g_clear_pointer (&looked->listing, vtree_listing_free);
  g_free (looked->seen);
  g_free (looked);
}

bool
vtree_looked_is_recent (const VtreeLooked *looked, gint64 now)
{
  return now - looked->since <= RECENT;
}

void
vtree_looks_free (VtreeLooks *looks)
{
  if (looks == NULL)
    return;
  for (guint i = 0; i < looks->names->len; i++)
    vtree_looked_free (looks->each[i].looked);
  vtree_handle_unref (looks->dir);
  g_ptr_array_unref (looks->names);
  g_free (looks->each);
  g_free (looks);
}

/* --- looking ---------------------------------------------------------------------- */

static int
open_directory (const Look *look)
{
  int dirfd = vtree_handle_fd (look->of->dir);
  int fd = openat (dirfd, look->name, FLAGS | O_NOATIME);
  if (fd < 0 && errno == EPERM) /* O_NOATIME is for the owner alone */
    fd = openat (dirfd, look->name, FLAGS);
  return fd;
}

uint64_t
vtree_place_filesystem (const VtreePlace *place, const struct stat *st)
{
  return st->st_dev == place->dev ? place->filesystem : 0;
}

void
vtree_see (const VtreePlace *place, const char *name, VtreeSeen *seen)
{
  const struct stat *st = &seen->stat;
  seen->known = false;
  seen->errnum = 0;
  if (fstatat (place->fd, name, &seen->stat, AT_SYMLINK_NOFOLLOW) != 0)
    seen->errnum = errno;
  else if (place->cache != NULL && S_ISREG (st->st_mode))
    seen->known = vtree_stat_cache_find (
      place->cache, st, vtree_place_filesystem (place, st), &seen->what);
}

static size_t
count_names (const VtreeLooked *looked)
{
  return looked != NULL ? vtree_listing_count (looked->listing) : 0;
}

/* Opens and lists it. NULL where anything is wrong: the walk will find the same, and
 * say so. */
static VtreeLooked *
list (const VtreeLookahead *ahead, const Look *look, VtreePlace *place)
{
  g_autoptr (VtreeLooked) looked = g_new0 (VtreeLooked, 1);
  looked->since = g_get_monotonic_time ();
  g_auto (VtreeFd) fd = open_directory (look);
  if (fd < 0 || fstat (fd, &looked->before) != 0)
    return NULL;
  *place = (VtreePlace){ .dev = looked->before.st_dev, .cache = ahead->cache };
  if (!vtree_filesystem_keeps_change_times (fd, &place->filesystem, NULL)
      || place->filesystem == 0)
    return NULL;
  looked->listing = vtree_listing_read (fd, NULL);
  if (looked->listing == NULL || count_names (looked) > ahead->directory_max)
    return NULL;
  looked->seen = g_try_new (VtreeSeen, MAX (count_names (looked), 1));
  if (looked->seen == NULL)
    return NULL;
  place->fd = vtree_fd_steal (&fd);
  return g_steal_pointer (&looked);
}

/* Looks at all names that nobody else has begun with, but directories. */
static void
see_names (Look *look)
{
  size_t count = count_names (look->looked);
  for (;;) {
    size_t first = atomic_fetch_add (&look->next, CHUNK);
    for (size_t i = first; i < MIN (first + CHUNK, count); i++) {
      const VtreeListingEntry *entry = vtree_listing_peek (look->looked->listing, i);
      if (entry->type != DT_DIR)
        vtree_see (&look->place, entry->name, &look->looked->seen[i]);
    }
    if (first + CHUNK >= count)
      return;
  }
}

/* With the lock. The uppermost one is the walk's own: it will be there at once. */
static bool
may_look (const VtreeLookahead *ahead)
{
  return ahead->stack->len >= 2 && ahead->names < NAMES_MAX;
}

/* With the lock. */
static Look *
next_look (VtreeLookahead *ahead)
{
  while (!ahead->ends && !may_look (ahead)) {
    ahead->idle++;
    g_cond_wait (&ahead->wanting, &ahead->lock);
    ahead->idle--;
  }
  if (ahead->ends)
    return NULL;
  return g_ptr_array_steal_index (ahead->stack, ahead->stack->len - 2);
}

/* With the lock. */
static void
tell_walk (VtreeLookahead *ahead)
{
  if (ahead->waited)
    g_cond_signal (&ahead->done);
}

/* With the lock, for a moment without it. */
static void
wait_for_thread (VtreeLookahead *ahead)
{
  ahead->waited = true;
  g_cond_wait (&ahead->done, &ahead->lock);
  ahead->waited = false;
}

/* With the lock, but not all the time. */
static void
look_at (VtreeLookahead *ahead, Look *look)
{
  VtreePlace place = { .fd = -1 };
  look->state = BEGUN;
  g_mutex_unlock (&ahead->lock);
  VtreeLooked *looked = list (ahead, look, &place);
  g_mutex_lock (&ahead->lock);
  if (looked != NULL) {
    ahead->names += count_names (looked);
    look->looked = looked;
    look->place = place;
    look->state = LISTED;
    tell_walk (ahead);
    g_mutex_unlock (&ahead->lock);
    see_names (look);
    g_mutex_lock (&ahead->lock);
    if (!look->shared)
      vtree_fd_close (look->place.fd);
  }
  look->state = DONE;
  tell_walk (ahead);
}

static gpointer
work (gpointer data)
{
  VtreeLookahead *ahead = data;
  Look *look;
  g_mutex_lock (&ahead->lock);
  while ((look = next_look (ahead)) != NULL)
    look_at (ahead, look);
  g_mutex_unlock (&ahead->lock);
  return NULL;
}

/* --- asking ----------------------------------------------------------------------- */

VtreeLookahead *
vtree_lookahead_new (unsigned threads, const VtreeStatCache *cache)
{
  VtreeLookahead *ahead = g_new0 (VtreeLookahead, 1);
  ahead->cache = cache;
  ahead->directory_max = NAMES_MAX / MAX (threads, 1);
  ahead->stack = g_ptr_array_new ();
  ahead->threads = g_ptr_array_new ();
  g_mutex_init (&ahead->lock);
  g_cond_init (&ahead->wanting);
  g_cond_init (&ahead->done);
  for (unsigned i = 0; i < threads; i++) {
    GThread *thread = g_thread_try_new ("lookahead", work, ahead, NULL);
    if (thread == NULL)
      break; /* the walk looks for itself */
    g_ptr_array_add (ahead->threads, thread);
  }
  return ahead;
}

void
vtree_lookahead_free (VtreeLookahead *ahead)
{
  if (ahead == NULL)
    return;
  g_mutex_lock (&ahead->lock);
  ahead->ends = true;
  g_cond_broadcast (&ahead->wanting);
  g_mutex_unlock (&ahead->lock);
  for (guint i = 0; i < ahead->threads->len; i++)
    g_thread_join (ahead->threads->pdata[i]);
  g_ptr_array_unref (ahead->threads);
  g_ptr_array_unref (ahead->stack);
  g_mutex_clear (&ahead->lock);
  g_cond_clear (&ahead->wanting);
  g_cond_clear (&ahead->done);
  g_free (ahead);
}

VtreeLooks *
vtree_lookahead_want (VtreeLookahead *ahead, VtreeHandle *dir, GPtrArray *names)
{
  if (names->len == 0 || ahead->pinned >= PINNED_MAX)
    return NULL;
  VtreeLooks *looks = g_new0 (VtreeLooks, 1);
  looks->dir = vtree_handle_ref (dir);
  looks->names = g_ptr_array_ref (names);
  looks->each = g_new0 (Look, names->len);
  ahead->pinned++;
  g_mutex_lock (&ahead->lock);
  for (guint i = names->len; i-- > 0;) {
    looks->each[i].of = looks;
    looks->each[i].name = names->pdata[i];
    g_ptr_array_add (ahead->stack, &looks->each[i]);
  }
  if (ahead->idle > 0 && may_look (ahead))
    g_cond_broadcast (&ahead->wanting);
  g_mutex_unlock (&ahead->lock);
  return looks;
}

/* With the lock, but not all the time. */
static void
help (VtreeLookahead *ahead, Look *look)
{
  look->shared = true;
  g_mutex_unlock (&ahead->lock);
  see_names (look);
  g_mutex_lock (&ahead->lock);
  while (look->state != DONE)
    wait_for_thread (ahead);
  vtree_fd_close (look->place.fd);
}

VtreeLooked *
vtree_lookahead_take (VtreeLookahead *ahead, VtreeLooks **looks, guint index)
{
  if (*looks == NULL)
    return NULL;
  Look *look = &(*looks)->each[index];
  g_mutex_lock (&ahead->lock);
  if (look->state == WANTED) { /* what was wanted later was taken before */
    const Look *top = g_ptr_array_steal_index (ahead->stack, ahead->stack->len - 1);
    g_assert (top == look);
  }
  while (look->state == BEGUN)
    wait_for_thread (ahead);
  if (look->state == LISTED)
    help (ahead, look);
  VtreeLooked *looked = g_steal_pointer (&look->looked);
  ahead->names -= count_names (looked);
  if (ahead->idle > 0 && may_look (ahead))
    g_cond_signal (&ahead->wanting);
  g_mutex_unlock (&ahead->lock);
  if (index + 1 == (*looks)->names->len) {
    g_clear_pointer (looks, vtree_looks_free);
    ahead->pinned--;
  }
  return looked;
}
