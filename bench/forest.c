/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees of any size for bench/scale, and what it asks of them. No test: it prints.
 *
 *   bench-forest make DIR INODES           a new tree of so many inodes, the same each
 *                                          time, and DIR.list, DIR.wide: paths in it
 *   bench-forest stat DIR LIST             lstat of each path of LIST: seconds, number
 *   bench-forest read DIR LIST             the same with a read of a byte of each file
 *   bench-forest walk DIR                  lstat of all of it, directories as they are
 *                                          listed: seconds, number
 *
 * The mix, of 100 inodes: 60 files of 32 to 4095 bytes, half of them with contents of
 * their own, half with those of 1 in 30; 14 empty ones; 8 directories, in each other
 * at random (a depth of 3 ln n), one chain of up to 200; 18 symlinks. Beside the
 * inodes there are 15 further names of files in groups of 2 to 9, and one file with up
 * to 5,000 of them. A fifth of the inodes, 200,000 at most, stands in one directory.
 * One file's name in 50 has 255 bytes.
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

#define NAME_LONGEST 255
#define CHAIN_MAX 200
#define WIDE_MAX 200000
#define GROUP_MAX 5000
#define LIST_MAX 50000
#define PATH_LONGEST 4000

typedef struct {
  int top;
  guint64 seed;
  GPtrArray *dirs;  /* char *: paths below the top; the first is the top itself */
  GPtrArray *files; /* what the lists are drawn from */
  GPtrArray *wide;
  guint64 made; /* inodes */
  guint64 names;
} Forest;

static _Noreturn void
die (const char *what)
{
  fprintf (stderr, "bench-forest: %s: %s\n", what, strerror (errno));
  exit (1);
}

static double
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* splitmix64 */
static guint64
draw (Forest *forest, guint64 below)
{
  guint64 z = forest->seed += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return (z ^ (z >> 31)) % below;
}

/* --- making ----------------------------------------------------------------------- */

/* NUMBER's name below DIR, with KIND in it. */
static char *
path_of (const char *dir, const char *kind, guint64 number)
{
  g_autofree char *name = g_strdup_printf ("%s-%" G_GINT64_MODIFIER "x", kind, number);
  const char *slash = *dir != '\0' ? "/" : "";
  if (number % 50 != 7 || strlen (dir) + NAME_LONGEST > PATH_LONGEST)
    return g_strdup_printf ("%s%s%s", dir, slash, name);
  g_autofree char *fill = g_strnfill (NAME_LONGEST - strlen (name), 'l');
  return g_strdup_printf ("%s%s%s%s", dir, slash, name, fill);
}

static void
make_directories (Forest *forest, guint64 count)
{
  guint64 chain = MIN (count / 4, CHAIN_MAX);
  g_ptr_array_add (forest->dirs, g_strdup (""));
  for (guint64 i = 0; i < count; i++) {
    guint64 at = i > 0 && i < chain ? i : draw (forest, i + 1);
    const char *parent = forest->dirs->pdata[at];
    char *path = g_strdup_printf ("%s%sd%" G_GINT64_MODIFIER "x", parent,
                                  *parent != '\0' ? "/" : "", i);
    if (mkdirat (forest->top, path, 0755) < 0)
      die (path);
    g_ptr_array_add (forest->dirs, path);
  }
  forest->made += count + 1;
}

/* Contents by KEY: the same ones for the same key. */
static void
make_file (Forest *forest, const char *path, guint64 key, bool empty)
{
  guint64 block[512];
  Forest source = { .seed = key };
  size_t size = empty ? 0 : 32 + draw (&source, 4064);
  for (size_t i = 0; i < (size + 7) / 8; i++)
    block[i] = draw (&source, G_MAXUINT64);
  int fd = openat (forest->top, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 || (size > 0 && write (fd, block, size) != (ssize_t) size)
      || close (fd) < 0)
    die (path);
  forest->made++;
}

/* The directory of the NUMBERth of COUNT: one after the other, as an archive is
 * unpacked. */
static const char *
dir_of (const Forest *forest, guint64 number, guint64 count)
{
  guint64 at = number * (forest->dirs->len - 1) / MAX (count, 1);
  return forest->dirs->pdata[1 + at];
}

static void
make_symlink (Forest *forest, const char *path)
{
  if (symlinkat ("../where/it/leads", forest->top, path) < 0)
    die (path);
  forest->made++;
}

/* Number I of COUNT, in DIR: its path. */
static char *
make_leaf (Forest *forest, const char *dir, guint64 i, guint64 count)
{
  guint64 kind = draw (forest, 92);
  char *path = path_of (dir, kind < 60 ? "file" : kind < 74 ? "empty" : "link", i);
  guint64 key = kind < 30 ? i : draw (forest, count / 30 + 1);
  if (kind < 74)
    make_file (forest, path, key, kind >= 60);
  else
    make_symlink (forest, path);
  return path;
}

/* Files and symlinks in turn, WIDE of them in one directory. */
static void
make_files (Forest *forest, guint64 count, guint64 wide)
{
  if (mkdirat (forest->top, "wide", 0755) < 0)
    die ("wide");
  forest->made++;
  for (guint64 i = 0; i < count; i++) {
    bool in_wide = i < wide;
    const char *dir = in_wide ? "wide" : dir_of (forest, i - wide, count - wide);
    char *path = make_leaf (forest, dir, i, count);
    g_ptr_array_add (in_wide ? forest->wide : forest->files, path);
  }
}

static void
make_name (Forest *forest, const char *from, guint64 number)
{
  const char *dir = forest->dirs->pdata[1 + draw (forest, forest->dirs->len - 1)];
  g_autofree char *path = path_of (dir, "name", number);
  if (linkat (forest->top, from, forest->top, path, 0) < 0)
    die (path);
  forest->names++;
}

static void
make_links (Forest *forest, guint64 count)
{
  guint64 group = MIN (count / 3, GROUP_MAX);
  for (guint64 i = 0; i < group; i++)
    make_name (forest, forest->files->pdata[0], i);
  for (guint64 i = group; i < count;) {
    const char *from = forest->files->pdata[draw (forest, forest->files->len)];
    guint64 end = MIN (count, i + 1 + draw (forest, 8));
    for (; i < end; i++)
      make_name (forest, from, i);
  }
}

/* Some of PATHS in a random order, as DIR.KIND. */
static void
write_list (Forest *forest, const char *dir, const char *kind, GPtrArray *paths)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", dir, kind);
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < MIN (paths->len, LIST_MAX); i++) {
    guint other = i + (guint) draw (forest, paths->len - i);
    gpointer swapped = paths->pdata[i];
    paths->pdata[i] = paths->pdata[other];
    paths->pdata[other] = swapped;
    const char *path = paths->pdata[i];
    g_string_append_len (text, path, (gssize) strlen (path) + 1);
  }
  if (!g_file_set_contents (name, text->str, (gssize) text->len, NULL))
    die (name);
}

static void
make (const char *dir, guint64 inodes)
{
  if (mkdir (dir, 0755) < 0)
    die (dir);
  int top = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0)
    die (dir);
  Forest forest = { .top = top,
                    .seed = inodes,
                    .dirs = g_ptr_array_new_with_free_func (g_free),
                    .files = g_ptr_array_new_with_free_func (g_free),
                    .wide = g_ptr_array_new_with_free_func (g_free) };
  make_directories (&forest, inodes * 8 / 100 - 2);
  make_files (&forest, inodes - forest.made - 1, MIN (inodes / 5, WIDE_MAX));
  make_links (&forest, inodes * 15 / 100);
  write_list (&forest, dir, "list", forest.files);
  write_list (&forest, dir, "wide", forest.wide);
  printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", forest.made,
          forest.made + forest.names);
  g_ptr_array_unref (forest.dirs);
  g_ptr_array_unref (forest.files);
  g_ptr_array_unref (forest.wide);
  close (top);
}

/* --- asking ----------------------------------------------------------------------- */

static void
ask_one (int top, const char *path, bool reads)
{
  struct stat st;
  char byte;
  if (fstatat (top, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
    die (path);
  if (!reads || !S_ISREG (st.st_mode))
    return;
  int fd = openat (top, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read (fd, &byte, 1) < 0)
    die (path);
  close (fd);
}

static void
ask (const char *dir, const char *list, bool reads)
{
  g_autofree char *data = NULL;
  gsize size;
  guint64 count = 0;
  int top = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0 || !g_file_get_contents (list, &data, &size, NULL))
    die (list);
  double start = now ();
  for (gsize at = 0; at < size; at += strlen (data + at) + 1, count++)
    ask_one (top, data + at, reads);
  printf ("%.6f %" G_GUINT64_FORMAT "\n", now () - start, count);
  close (top);
}

/* As many directories as the tree is deep are open. */
static guint64
walk (int parent, const char *name)
{
  int fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  guint64 names = 0;
  if (dir == NULL)
    die (name);
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;) {
    struct stat st;
    if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
      continue;
    if (fstatat (fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
      die (entry->d_name);
    names += 1 + (S_ISDIR (st.st_mode) ? walk (fd, entry->d_name) : 0);
  }
  closedir (dir);
  return names;
}

int
main (int argc, char **argv)
{
  guint64 inodes = 0;
  const char *verb = argc > 2 ? argv[1] : "";
  if (strcmp (verb, "walk") == 0 && argc == 3) {
    double start = now ();
    guint64 names = walk (AT_FDCWD, argv[2]);
    printf ("%.6f %" G_GUINT64_FORMAT "\n", now () - start, names);
    return 0;
  }
  if (strcmp (verb, "make") == 0 && argc == 4
      && g_ascii_string_to_unsigned (argv[3], 10, 100, 100000000, &inodes, NULL))
    make (argv[2], inodes);
  else if ((strcmp (verb, "stat") == 0 || strcmp (verb, "read") == 0) && argc == 4)
    ask (argv[2], argv[3], *verb == 'r');
  else {
    fprintf (stderr, "usage: bench-forest make DIR INODES | stat|read DIR LIST | "
                     "walk DIR\n");
    return 2;
  }
  return 0;
}
