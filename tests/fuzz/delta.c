/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A delta: whatever it says, nothing of it stays in the repository, no descriptor stays
 * open, and what is wrong with it is said in one line. The input is the delta without
 * its checksum, which is put right, so that what is changed gets past it. The
 * repository has the tree that the seeds start from.
 */
#include "manifest/delta-private.h"
#include "tests/fuzz/delta-trees.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Made by the first input, for all of them. */
typedef struct {
  char *directory;
  VtreeRepo *repo;
} Place;

static Place place;

static int
remove_one (const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st;
  (void) kind;
  (void) where;
  return remove (path);
}

static void
remove_place (void)
{
  nftw (place.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  vtree_repo_free (place.repo);
  g_free (place.directory);
}

static void
make_place (void)
{
  g_autofree char *path = NULL;
  if (place.repo != NULL)
    return;
  place.directory = g_dir_make_tmp ("vtree-fuzz-delta-XXXXXX", NULL);
  g_assert_nonnull (place.directory);
  path = g_build_filename (place.directory, "repo", NULL);
  place.repo = vtree_fuzz_delta_repo_new (path, VTREE_DIGEST_SHA256);
  atexit (remove_place);
  vtree_statement_free (vtree_fuzz_delta_put (place.repo, DELTA_TREE_BASE));
}

/* Names in PATH, which includes . and .. */
static unsigned
count_names (const char *path)
{
  unsigned count = 0;
  DIR *dir = opendir (path);
  g_assert_nonnull (dir);
  while (readdir (dir) != NULL)
    count++;
  closedir (dir);
  return count;
}

/* What a delta could leave behind. */
typedef struct {
  unsigned descriptors, in_tmp, refs, objects, packs, merkle;
} Left;

static unsigned
count_in_repo (const char *name)
{
  g_autofree char *path = g_build_filename (vtree_repo_path (place.repo), name, NULL);
  return count_names (path);
}

static Left
look (void)
{
  return (Left){ count_names ("/proc/self/fd"), count_in_repo ("tmp"),
                 count_in_repo ("refs"),        count_in_repo ("objects"),
                 count_in_repo ("packs"),       count_in_repo ("merkle") };
}

/* The delta as a file. */
static int
make_file (const uint8_t *data, size_t size)
{
  XXH128_canonical_t sum;
  int fd = memfd_create ("delta", MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  XXH128_canonicalFromHash (&sum, XXH3_128bits (data, size));
  g_assert_true (vtree_fd_pwrite (fd, data, size, 0, NULL));
  g_assert_true (vtree_fd_pwrite (fd, sum.digest, sizeof sum.digest, size, NULL));
  return fd;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  make_place ();
  Left before = look ();
  {
    g_auto (VtreeFd) fd = make_file (data, size);
    bool ok = vtree_delta_try (place.repo, fd, &error);
    g_assert_cmpint (ok, ==, error == NULL);
  }
  Left after = look ();
  g_assert_cmpuint (after.in_tmp, ==, 2);
  g_assert_cmpint (memcmp (&before, &after, sizeof after), ==, 0);
  if (error == NULL)
    return 0;
  g_assert_true (error->domain == VTREE_ERROR);
  g_assert_null (strchr (error->message, '\n'));
  return 0;
}
