/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds of the target delta into a directory: what leads from nothing, and
 * from the base, to every tree; the same in many pieces; and with what a writer would
 * not do.
 */
#include "tests/fuzz/delta-make.h"
#include "tests/fuzz/delta-trees.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  const char *directory; /* for the seeds */
  VtreeRepo *repo;
  VtreeStore *store;
  VtreeStatement *statements[DELTA_TREES];
} Maker;

static const char *const ways[DELTA_WAYS]
  = { "planned",   "cut",          "cut-once",      "reversed",  "twice",
      "cut-twice", "without-last", "objects-first", "left-open", "swapped" };

static bool
write_seed (const Maker *maker, const char *name, const GByteArray *seed)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (maker->directory, name, NULL);
  if (g_file_set_contents (path, (const char *) seed->data, (gssize) seed->len, &error))
    return true;
  fprintf (stderr, "%s\n", error->message);
  return false;
}

static bool
write_deltas (const Maker *maker)
{
  for (unsigned i = 0; i < DELTA_TREES * 2 * DELTA_WAYS; i++) {
    unsigned tree = i / DELTA_WAYS / 2, way = i % DELTA_WAYS;
    bool empty = i / DELTA_WAYS % 2 == 0;
    g_autofree char *name
      = g_strdup_printf ("%u-%s-%s", tree, empty ? "empty" : "base", ways[way]);
    g_autoptr (GByteArray) seed = vtree_fuzz_delta_make (
      maker->store, maker->statements[tree],
      empty ? NULL : maker->statements[DELTA_TREE_BASE], (DeltaWay) way);
    if (!write_seed (maker, name, seed))
      return false;
  }
  return true;
}

/* --- heads ------------------------------------------------------------------------ */

static const struct {
  const char *name;
  unsigned offset, size;
} fields[] = {
  { "magic", 0, 8 },     { "version", 8, 4 },     { "algorithm", 12, 4 },
  { "features", 16, 4 }, { "statement", 20, 4 },  { "signature", 24, 4 },
  { "flags", 28, 4 },    { "from", 32, 32 },      { "from-size", 96, 8 },
  { "chunks", 104, 8 },  { "reserved", 112, 16 }, { "from-size-high", 103, 1 },
};

static bool
write_damaged (const Maker *maker)
{
  static const uint8_t values[] = { 0x00, 0x7f, 0xff };
  for (size_t i = 0; i < 3 * G_N_ELEMENTS (fields); i++) {
    g_autoptr (GByteArray) seed
      = vtree_fuzz_delta_make (maker->store, maker->statements[DELTA_TREE_CHANGED],
                               maker->statements[DELTA_TREE_BASE], DELTA_AS_PLANNED);
    g_autofree char *name
      = g_strdup_printf ("head-%s-%02x", fields[i / 3].name, values[i % 3]);
    memset (seed->data + fields[i / 3].offset, values[i % 3], fields[i / 3].size);
    if (!write_seed (maker, name, seed))
      return false;
  }
  return true;
}

/* --- the whole -------------------------------------------------------------------- */

static int
remove_one (const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st;
  (void) kind;
  (void) where;
  return remove (path);
}

static bool
write_all (const char *directory)
{
  g_autofree char *place = g_dir_make_tmp ("vtree-delta-seeds-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (place, "repo", NULL);
  Maker maker = { .directory = directory };
  maker.repo = vtree_fuzz_delta_repo_new (path, VTREE_DIGEST_SHA256);
  for (unsigned i = 0; i < DELTA_TREES; i++)
    maker.statements[i] = vtree_fuzz_delta_put (maker.repo, i);
  maker.store = vtree_store_new (maker.repo, NULL);
  bool ok = write_deltas (&maker) && write_damaged (&maker);
  vtree_store_free (maker.store);
  for (unsigned i = 0; i < DELTA_TREES; i++)
    vtree_statement_free (maker.statements[i]);
  vtree_repo_free (maker.repo);
  nftw (place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return ok;
}

int
main (int argc, char **argv)
{
  if (argc != 2) {
    fprintf (stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  if (g_mkdir_with_parents (argv[1], 0777) != 0) {
    fprintf (stderr, "%s: %s\n", argv[1], g_strerror (errno));
    return 1;
  }
  return write_all (argv[1]) ? 0 : 1;
}
