/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One pass over a tree, timed from inside: what bench/run has each file system do. No
 * test: it prints the seconds.
 *
 *   bench-tree walk DIR                    lstat of every name
 *   bench-tree scan DIR [THREADS]          list each directory, then read its files, in
 *                                          the order of the list, as grep -r does
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

/* --- scan ------------------------------------------------------------------------- */

/* Directories that nobody has listed yet, for any of the threads. */
typedef struct {
  GMutex lock;
  GCond changed;
  GQueue paths; /* char * below top; the last one first */
  unsigned busy;
  int top;
  uint64_t bytes;
} Scan;

static uint64_t
read_file (int dir, const char *name, uint8_t *buffer)
{
  uint64_t bytes = 0;
  ssize_t got;
  int fd = openat (dir, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    die (name);
  while ((got = read (fd, buffer, CHUNK)) > 0)
    bytes += (uint64_t) got;
  if (got < 0)
    die (name);
  close (fd);
  return bytes;
}

/* Reads the files of PATH; the directories in it go into BELOW. */
static uint64_t
scan_directory (const Scan *scan, const char *path, uint8_t *buffer, GPtrArray *below)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  int fd = openat (scan->top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir (fd);
  uint64_t bytes = 0;
  if (dir == NULL)
    die (path);
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;) {
    if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
      continue;
    if (entry->d_type == DT_DIR)
      g_ptr_array_add (below, g_build_filename (path, entry->d_name, NULL));
    else if (entry->d_type == DT_REG)
      g_ptr_array_add (files, g_strdup (entry->d_name));
  }
  for (guint i = 0; i < files->len; i++)
    bytes += read_file (fd, files->pdata[i], buffer);
  closedir (dir);
  return bytes;
}

/* The next directory, waiting for it; NULL where all has been done. */
static char *
next_directory (Scan *scan)
{
  g_mutex_lock (&scan->lock);
  while (scan->paths.length == 0 && scan->busy > 0)
    g_cond_wait (&scan->changed, &scan->lock);
  char *path = g_queue_pop_tail (&scan->paths);
  if (path != NULL)
    scan->busy++;
  g_mutex_unlock (&scan->lock);
  return path;
}

static gpointer
scan_some (gpointer data)
{
  Scan *scan = data;
  g_autofree uint8_t *buffer = g_malloc (CHUNK);
  char *path;
  while ((path = next_directory (scan)) != NULL) {
    g_autoptr (GPtrArray) below = g_ptr_array_new ();
    uint64_t bytes = scan_directory (scan, path, buffer, below);
    g_mutex_lock (&scan->lock);
    for (guint i = below->len; i > 0; i--)
      g_queue_push_tail (&scan->paths, below->pdata[i - 1]);
    scan->bytes += bytes;
    scan->busy--;
    g_cond_broadcast (&scan->changed);
    g_mutex_unlock (&scan->lock);
    g_free (path);
  }
  return NULL;
}

static uint64_t
scan (int top, guint threads)
{
  Scan all = { .top = top };
  g_autofree GThread **workers = g_new0 (GThread *, threads);
  g_mutex_init (&all.lock);
  g_cond_init (&all.changed);
  g_queue_init (&all.paths);
  g_queue_push_tail (&all.paths, g_strdup ("."));
  for (guint i = 0; i < threads; i++)
    workers[i] = g_thread_new ("scanner", scan_some, &all);
  for (guint i = 0; i < threads; i++)
    g_thread_join (workers[i]);
  return all.bytes;
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

static guint
parse_threads (const char *text)
{
  guint64 threads = 1;
  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, 64, &threads, NULL))
    die (text);
  return (guint) threads;
}

int
main (int argc, char **argv)
{
  bool walks = argc >= 3 && strcmp (argv[1], "walk") == 0;
  bool scans = argc >= 3 && strcmp (argv[1], "scan") == 0;
  if (argc < 3 || (!walks && !scans && argc < 4)) {
    fprintf (stderr,
             "usage: bench-tree walk|scan|read|open|big DIR [LIST] [THREADS]\n");
    return 2;
  }
  int top = open (argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0)
    die (argv[2]);
  g_autoptr (GPtrArray) paths = walks || scans ? NULL : load_list (argv[3]);
  guint threads = parse_threads (paths == NULL ? argv[3] : argv[4]);
  double start = now ();
  uint64_t done;
  if (paths != NULL)
    done = use_files (top, paths, threads, strcmp (argv[1], "open") != 0);
  else
    done = walks ? walk (dup (top)) : scan (top, threads);
  printf ("%.6f %" G_GUINT64_FORMAT "\n", now () - start, done);
  return 0;
}
