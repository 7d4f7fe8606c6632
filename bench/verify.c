/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost that the daemon verifies what it reads? GB/s of an object's reads
 * of a file in the page cache, verified and plain, next to what `openssl speed` gives
 * for SHA-256 at 4096 bytes in the same run. No test: it prints.
 *
 *   bench-verify [MIB]        default 256; the file is nameless, in $TMPDIR
 */
#include "core/merkle.h"
#include "core/object.h"
#include "core/temporary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t) 1024)
#define MIB (1024 * KIB)
#define ROUNDS 5

typedef struct {
  uint64_t size;
  VtreeDigest digest;
  int fd, merkle_fd;
} File;

typedef struct {
  VtreeObject *object;
  size_t chunk;   /* bytes a call */
  uint64_t start; /* bytes */
  uint64_t end;
  bool random; /* order of the calls */
} Pass;

static void
must (bool ok, const GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "bench-verify: %s\n", error != NULL ? error->message : "failed");
  exit (1);
}

static void
make_file (File *file, uint64_t size)
{
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *data = g_malloc (MIB);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  file->size = size;
  file->fd = vtree_temporary_file (&error);
  file->merkle_fd = vtree_temporary_file (&error);
  must (file->fd >= 0 && file->merkle_fd >= 0, error);
  for (uint64_t offset = 0; offset < size; offset += MIB) {
    for (size_t i = 0; i < MIB; i += sizeof (guint32)) {
      guint32 word = g_rand_int (rand);
      memcpy (data + i, &word, sizeof word);
    }
    must (vtree_fd_pwrite (file->fd, data, MIB, offset, &error), error);
  }
  VtreeVerityParams params = { VTREE_DIGEST_SHA256, size, file->merkle_fd, NULL };
  must (vtree_verity_compute_fd (&params, file->fd, &file->digest, &error), error);
}

static VtreeObject *
open_object (const File *file, VtreeVerityPolicy policy)
{
  g_autoptr (GError) error = NULL;
  VtreeObjectSpec spec
    = { .digest = file->digest, .size = file->size, .policy = policy };
  VtreeObject *object
    = vtree_object_new_take (dup (file->fd), dup (file->merkle_fd), &spec, &error);
  must (object != NULL, error);
  return object;
}

static gpointer
run_pass (gpointer data)
{
  const Pass *pass = data;
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *buffer = g_malloc (pass->chunk);
  uint64_t chunks = (pass->end - pass->start) / pass->chunk;
  for (uint64_t i = 0; i < chunks; i++) {
    uint64_t n = pass->random ? i * 7919 % chunks : i;
    size_t got;
    must (vtree_object_read (pass->object, buffer, pass->chunk,
                             pass->start + n * pass->chunk, &got, &error),
          error);
    must (got == pass->chunk, NULL);
  }
  return NULL;
}

/* Bytes a second over THREADS parts of the file at once. */
static double
measure_round (const Pass *whole, unsigned threads)
{
  Pass passes[8];
  GThread *running[G_N_ELEMENTS (passes)];
  uint64_t part = whole->end / threads / MIB * MIB;
  gint64 started = g_get_monotonic_time ();
  for (unsigned i = 0; i < threads; i++) {
    passes[i] = *whole;
    passes[i].start = i * part;
    passes[i].end = (i + 1) * part;
    running[i] = g_thread_new ("pass", run_pass, &passes[i]);
  }
  for (unsigned i = 0; i < threads; i++)
    g_thread_join (running[i]);
  double seconds = (double) (g_get_monotonic_time () - started) / G_USEC_PER_SEC;
  return (double) (part * threads) / seconds;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

static double
measure (const Pass *pass, unsigned threads)
{
  double rates[ROUNDS];
  measure_round (pass, threads); /* warms up */
  for (unsigned i = 0; i < ROUNDS; i++)
    rates[i] = measure_round (pass, threads);
  qsort (rates, ROUNDS, sizeof rates[0], compare_doubles);
  return rates[ROUNDS / 2] / 1e9;
}

/* GB/s that `openssl speed` gives on one processor; 0 where there is none. */
static double
ask_openssl (void)
{
  const char *argv[] = { "openssl",  "speed", "-mr",  "-bytes", "4096",
                         "-seconds", "2",     "-evp", "sha256", NULL };
  g_autofree char *output = NULL;
  if (!g_spawn_sync (NULL, (char **) argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                     &output, NULL, NULL, NULL))
    return 0;
  const char *line = strstr (output, "+F:"); /* +F:<number>:sha256:<bytes a second> */
  const char *rate = line != NULL ? strrchr (line, ':') : NULL;
  return rate != NULL ? g_ascii_strtod (rate + 1, NULL) / 1e9 : 0;
}

static void
print_row (const File *file, const Pass *shape, unsigned threads, double openssl)
{
  Pass pass = *shape;
  pass.end = file->size;
  pass.object = open_object (file, VTREE_VERITY_AUTO);
  if (vtree_object_enforcer (pass.object) != VTREE_ENFORCER_DAEMON)
    fprintf (stderr, "bench-verify: the kernel verifies here\n");
  double verified = measure (&pass, threads);
  vtree_object_unref (pass.object);
  pass.object = open_object (file, VTREE_VERITY_OFF);
  double plain = measure (&pass, threads);
  vtree_object_unref (pass.object);
  printf ("%7zu %-10s %7u %8.2f %8.2f %10.2f\n", pass.chunk / KIB,
          pass.random ? "random" : "sequential", threads, verified, plain,
          openssl > 0 ? verified / (openssl * threads) : 0);
}

int
main (int argc, char **argv)
{
  static const Pass shapes[] = {
    { .chunk = 1024 * KIB },
    { .chunk = 128 * KIB },
    { .chunk = 128 * KIB, .random = true },
    { .chunk = 4 * KIB },
    { .chunk = 4 * KIB, .random = true },
  };
  File file;
  uint64_t mib = argc > 1 ? g_ascii_strtoull (argv[1], NULL, 10) : 256;
  make_file (&file, MAX (mib, 2) * MIB);
  double openssl = ask_openssl ();
  printf ("openssl speed sha256, 4096 bytes, one processor: %.2f GB/s\n", openssl);
  printf ("%7s %-10s %7s %8s %8s %10s\n", "KiB", "order", "threads", "verified",
          "plain", "/ openssl");
  for (size_t i = 0; i < G_N_ELEMENTS (shapes); i++) {
    print_row (&file, &shapes[i], 1, openssl);
    print_row (&file, &shapes[i], 2, openssl);
  }
  vtree_fd_close (file.fd);
  vtree_fd_close (file.merkle_fd);
  return 0;
}
