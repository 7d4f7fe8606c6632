/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One pass over a tree, timed from inside: what bench/run has each file system do. No
 * test: it prints the seconds.
 *
 *   bench-tree walk DIR                    lstat of every name
 *   bench-tree read DIR LIST [THREADS]     open, read to the end, close every file
 *   bench-tree open DIR LIST [THREADS]     open and close every file
 *   bench-tree big DIR LIST                read each whole, 128 KiB at a time
 *
 * LIST has the paths below DIR, each ended by a NUL; threads take runs of it.
 */
#include <glib.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK ((size_t) 128 * 1024)

typedef struct {
  int top;
  char **paths;
  guint count;
  bool reads;
  uint64_t bytes;
} Share;

static _Noreturn void
die (const char *what)
{
  fprintf (stderr, "bench-tree: %s: %s\n", what, strerror (errno));
  exit (1);
}

static double
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* --- walk ------------------------------------------------------------------------- */

/* Takes FD. */
static uint64_t
walk (int fd)
{
  DIR *dir = fdopendir (fd);
  g_autoptr (GPtrArray) below = g_ptr_array_new_with_free_func (g_free);
  uint64_t names = 0;
  if (dir == NULL)
    die ("fdopendir");
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;) {
    struct stat st;
    if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
      continue;
    if (fstatat (fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
      die (entry->d_name);
    names++;
    if (S_ISDIR (st.st_mode))
      g_ptr_array_add (below, g_strdup (entry->d_name));
  }
  for (guint i = 0; i < below->len; i++) {
    int next = openat (fd, below->pdata[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (next < 0)
      die (below->pdata[i]);
    names += walk (next);
  }
  closedir (dir);
  return names;
}

/* --- files ------------------------------------------------------------------------ */

static GPtrArray *
load_list (const char *file)
{
  g_autofree char *data = NULL;
  gsize size;
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  if (!g_file_get_contents (file, &data, &size, NULL))
    die (file);
  for (gsize at = 0; at < size; at += strlen (data + at) + 1)
    g_ptr_array_add (paths, g_strdup (data + at));
  return paths;
}

static gpointer
work (gpointer data)
{
  Share *share = data;
  g_autofree uint8_t *buffer = g_malloc (CHUNK);
  for (guint i = 0; i < share->count; i++) {
    ssize_t got = 0;
    int fd = openat (share->top, share->paths[i], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      die (share->paths[i]);
    while (share->reads && (got = read (fd, buffer, CHUNK)) > 0)
      share->bytes += (uint64_t) got;
    if (got < 0)
      die (share->paths[i]);
    close (fd);
  }
  return NULL;
}

static uint64_t
use_files (int top, const GPtrArray *paths, guint threads, bool reads)
{
  g_autofree Share *shares = g_new0 (Share, threads);
  g_autofree GThread **workers = g_new0 (GThread *, threads);
  uint64_t bytes = 0;
  for (guint i = 0; i < threads; i++) {
    guint first = paths->len / threads * i;
    guint end = i + 1 == threads ? paths->len : paths->len / threads * (i + 1);
    shares[i] = (Share){ .top = top,
                         .paths = (char **) paths->pdata + first,
                         .count = end - first,
                         .reads = reads };
    workers[i] = g_thread_new ("reader", work, &shares[i]);
  }
  for (guint i = 0; i < threads; i++) {
    g_thread_join (workers[i]);
    bytes += shares[i].bytes;
  }
  return bytes;
}

int
main (int argc, char **argv)
{
  if (argc < 3 || (strcmp (argv[1], "walk") != 0 && argc < 4)) {
    fprintf (stderr, "usage: bench-tree walk|read|open|big DIR [LIST [THREADS]]\n");
    return 2;
  }
  int top = open (argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0)
    die (argv[2]);
  g_autoptr (GPtrArray) paths = argc > 3 ? load_list (argv[3]) : NULL;
  guint64 threads = 1;
  if (argc > 4 && !g_ascii_string_to_unsigned (argv[4], 10, 1, 64, &threads, NULL))
    die (argv[4]);
  double start = now ();
  uint64_t done = paths == NULL ? walk (dup (top))
                                : use_files (top, paths, (guint) threads,
                                             strcmp (argv[1], "open") != 0);
  printf ("%.6f %" G_GUINT64_FORMAT "\n", now () - start, done);
  return 0;
}
