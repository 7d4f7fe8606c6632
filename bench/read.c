/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast are the same bytes read from several places? Times whole reads of files, one
 * after another in each round, in another order each round, and prints medians and
 * their ratios to the first file's. No test: it prints. Owns no more than that; who
 * mounts what is bench/passthrough.sh's.
 *
 *   bench-read ROUNDS LABEL=FILE...
 *
 * fresh: page caches are dropped first (needs root); cached: read once before.
 */
#include <glib.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB ((size_t) 1024)
#define MIB (1024 * KIB)
#define PAGE ((size_t) 4096)

typedef struct {
  char *label;
  const char *file;
} Place;

typedef struct {
  const char *name;
  size_t chunk; /* bytes a read(2); 0: mmap, a byte of each page */
  bool fresh;
} Mode;

static const Mode modes[] = {
  { "fresh, read 128 KiB", 128 * KIB, true },
  { "fresh, read 1 MiB", MIB, true },
  { "fresh, mmap", 0, true },
  { "cached, read 128 KiB", 128 * KIB, false },
  { "cached, read 1 MiB", MIB, false },
  { "cached, mmap", 0, false },
};

static _Noreturn void
die (const char *what)
{
  fprintf (stderr, "bench-read: %s: %s\n", what, strerror (errno));
  exit (1);
}

static void
read_whole (int fd, size_t chunk, uint64_t size)
{
  g_autofree uint8_t *data = g_malloc (chunk);
  uint64_t sum = 0;
  ssize_t got;
  while ((got = read (fd, data, chunk)) > 0)
    sum += (uint64_t) got;
  if (got < 0 || sum != size)
    die ("read");
}

static void
touch_whole (int fd, uint64_t size)
{
  volatile uint8_t seen = 0;
  uint8_t *data = mmap (NULL, (size_t) size, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED)
    die ("mmap");
  for (uint64_t at = 0; at < size; at += PAGE)
    seen = (uint8_t) (seen ^ data[at]);
  munmap (data, (size_t) size);
}

/* Reads FILE as MODE says; the size is its answer. */
static uint64_t
read_file (const Mode *mode, const char *file)
{
  struct stat st;
  int fd = open (file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) < 0)
    die (file);
  if (mode->chunk == 0)
    touch_whole (fd, (uint64_t) st.st_size);
  else
    read_whole (fd, mode->chunk, (uint64_t) st.st_size);
  close (fd);
  return (uint64_t) st.st_size;
}

static void
drop_caches (void)
{
  int fd = open ("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
  sync ();
  if (fd < 0 || write (fd, "1", 1) != 1)
    die ("drop caches");
  close (fd);
}

/* Seconds. */
static double
time_once (const Mode *mode, const Place *place)
{
  if (mode->fresh)
    drop_caches ();
  else
    read_file (mode, place->file);
  gint64 start = g_get_monotonic_time ();
  read_file (mode, place->file);
  return (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
}

static int
compare (const void *a, const void *b)
{
  double first = *(const double *) a;
  double second = *(const double *) b;
  return (first > second) - (first < second);
}

/* Sorts. */
static double
median (double *values, unsigned count)
{
  qsort (values, count, sizeof *values, compare);
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void
run_mode (const Mode *mode, const Place *places, unsigned count, unsigned rounds)
{
  double first = 0;
  g_autofree double *times = g_new (double, (gsize) count *rounds);
  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned i = 0; i < count; i++) {
      unsigned place = (i + round) % count;
      times[place * rounds + round] = time_once (mode, &places[place]);
    }
  }
  for (unsigned i = 0; i < count; i++) {
    double seconds = median (times + (gsize) i * rounds, rounds);
    first = i == 0 ? seconds : first;
    printf ("%-22s %-34s %8.1f ms  %5.2fx\n", mode->name, places[i].label,
            seconds * 1000, first / seconds);
  }
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  unsigned rounds = argc > 1 ? (unsigned) strtoul (argv[1], NULL, 10) : 0;
  unsigned count = argc > 2 ? (unsigned) argc - 2 : 0;
  if (rounds == 0 || count == 0) {
    fprintf (stderr, "usage: bench-read ROUNDS LABEL=FILE...\n");
    return 2;
  }
  g_autofree Place *places = g_new0 (Place, count);
  for (unsigned i = 0; i < count; i++) {
    char *equals = strrchr (argv[i + 2], '=');
    if (equals == NULL) {
      errno = EINVAL;
      die (argv[i + 2]);
    }
    places[i]
      = (Place){ g_strndup (argv[i + 2], (gsize) (equals - argv[i + 2])), equals + 1 };
  }
  for (unsigned i = 0; i < G_N_ELEMENTS (modes); i++)
    run_mode (&modes[i], places, count, rounds);
  for (unsigned i = 0; i < count; i++)
    g_free (places[i].label);
  return 0;
}
