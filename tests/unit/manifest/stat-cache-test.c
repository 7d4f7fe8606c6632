/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a commit remembers of files: nothing but what was noted comes out of it,
 * whatever has become of the saved one.
 */
#include "manifest/stat-cache.h"

#include "manifest/reach.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <time.h>
#include <unistd.h>

#define FILTER "0 0 0 default"
#define REPO "/somewhere"
#define FILESYSTEM 77
#define SETTLED 10 /* seconds ago */

typedef struct {
  char *home;
  VtreePaths *paths;
  GHashTable *present;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->home = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->home);
  f->present = vtree_digest_set_new ();
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_hash_table_unref (f->present);
  vtree_paths_free (f->paths);
  g_free (f->home);
}

static VtreeDigest
digest_of (unsigned number)
{
  VtreeDigest digest = { .alg = VTREE_DIGEST_SHA256 };
  memset (digest.value, (int) number, 32);
  return digest;
}

/* File NUMBER, which changed SECONDS ago; 0 is an empty one. */
static struct stat
stat_of (unsigned number, time_t seconds)
{
  return (struct stat){ .st_dev = 5 + number % 3,
                        .st_ino = 1000 + number / 3,
                        .st_size = (off_t) number * 10,
                        .st_ctim = { time (NULL) - seconds, 17 },
                        .st_mtim = { 1000000, number } };
}

typedef struct {
  const char *repo, *ref, *filter;
  VtreeDigestAlg alg;
} Name;

static const Name usual = { REPO, "os/test", FILTER, VTREE_DIGEST_SHA256 };

static VtreeStatCache *
load_as (const Fixture *f, const Name *name)
{
  g_autoptr (GError) error = NULL;
  VtreeStatCache *cache = vtree_stat_cache_load (f->paths, name->repo, name->ref,
                                                 name->alg, name->filter, &error);
  g_assert_no_error (error);
  vtree_stat_cache_restrict (cache, f->present);
  return cache;
}

/* Everybody's change time is the same, whenever the test comes to it. */
static struct stat files[64];

/* Saves COUNT files, of which the odd ones are plain. */
static void
save (Fixture *f, unsigned count, time_t seconds)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  for (unsigned i = 0; i < count; i++) {
    unsigned other = i * 37 % count; /* in no order; COUNT has no 37 in it */
    VtreeStatKnown known = { .digest = digest_of (other), .plain = other % 2 == 1 };
    files[other] = stat_of (other, seconds);
    vtree_stat_cache_note (cache, &files[other], FILESYSTEM, &known);
    vtree_digest_set_add (f->present, &known.digest);
  }
  vtree_stat_cache_save (cache, &error);
  g_assert_no_error (error);
}

static bool
is_found (const VtreeStatCache *cache, unsigned number, VtreeStatKnown *known)
{
  return vtree_stat_cache_find (cache, &files[number], FILESYSTEM, known);
}

static unsigned
count_found (const Fixture *f, const Name *name, unsigned count)
{
  g_autoptr (VtreeStatCache) cache = load_as (f, name);
  unsigned found = 0;
  for (unsigned i = 0; i < count; i++) {
    VtreeStatKnown known;
    found += is_found (cache, i, &known);
  }
  return found;
}

/* Equal inodes on different devices are different files. */
static void
test_round_trip (Fixture *f, gconstpointer unused)
{
  (void) unused;
  save (f, 41, SETTLED);
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  for (unsigned i = 0; i < 41; i++) {
    VtreeStatKnown known;
    VtreeDigest digest = digest_of (i);
    g_assert_true (is_found (cache, i, &known));
    g_assert_cmpint (known.plain, ==, i % 2 == 1);
    g_assert_true (i == 0 || vtree_digest_equal (&known.digest, &digest));
    struct stat elsewhere = files[i];
    elsewhere.st_dev += 3;
    g_assert_false (vtree_stat_cache_find (cache, &elsewhere, FILESYSTEM, &known));
  }
}

static const struct {
  const char *name;
  Name as;
  unsigned found;
} names[] = {
  { "same", { REPO, "os/test", FILTER, VTREE_DIGEST_SHA256 }, 20 },
  { "other-algorithm", { REPO, "os/test", FILTER, VTREE_DIGEST_SHA512 }, 0 },
  { "other-repository", { "/elsewhere", "os/test", FILTER, VTREE_DIGEST_SHA256 }, 0 },
  { "other-ref", { REPO, "os/tes", FILTER, VTREE_DIGEST_SHA256 }, 0 },
  { "parts-elsewhere", { "/some", "where/os/test", FILTER, VTREE_DIGEST_SHA256 }, 0 },
};

static void
test_names (Fixture *f, gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  save (f, 20, SETTLED);
  g_assert_cmpuint (count_found (f, &names[i].as, 20), ==, names[i].found);
}

/* With other xattrs asked for, contents are what they were, but nothing is plain. */
static void
test_other_filter (Fixture *f, gconstpointer unused)
{
  const Name other = { REPO, "os/test", "0 0 0 ", VTREE_DIGEST_SHA256 };
  (void) unused;
  save (f, 20, SETTLED);
  g_autoptr (VtreeStatCache) cache = load_as (f, &other);
  for (unsigned i = 0; i < 20; i++) {
    VtreeStatKnown known = { .plain = true };
    g_assert_true (is_found (cache, i, &known));
    g_assert_false (known.plain);
  }
}

static const struct {
  const char *name;
  size_t offset; /* in struct stat */
} fields[] = {
  { "device", G_STRUCT_OFFSET (struct stat, st_dev) },
  { "inode", G_STRUCT_OFFSET (struct stat, st_ino) },
  { "size", G_STRUCT_OFFSET (struct stat, st_size) },
  { "mtime", G_STRUCT_OFFSET (struct stat, st_mtim.tv_sec) },
  { "mtime-ns", G_STRUCT_OFFSET (struct stat, st_mtim.tv_nsec) },
  { "ctime", G_STRUCT_OFFSET (struct stat, st_ctim.tv_sec) },
  { "ctime-ns", G_STRUCT_OFFSET (struct stat, st_ctim.tv_nsec) },
};

static void
test_changed (Fixture *f, gconstpointer row)
{
  size_t offset = fields[GPOINTER_TO_SIZE (row)].offset;
  save (f, 20, SETTLED);
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  for (int step = -1; step <= 1; step += 2) {
    struct stat other = files[7];
    VtreeStatKnown known;
    *((char *) &other + offset) = (char) (*((char *) &other + offset) + step);
    g_assert_false (vtree_stat_cache_find (cache, &other, FILESYSTEM, &known));
  }
}

/* The same device number can be that of another filesystem by now. */
static void
test_filesystem (Fixture *f, gconstpointer unused)
{
  VtreeStatKnown known;
  (void) unused;
  save (f, 20, SETTLED);
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  g_assert_false (vtree_stat_cache_find (cache, &files[7], FILESYSTEM + 1, &known));
  g_assert_false (vtree_stat_cache_find (cache, &files[7], 0, &known));
  g_assert_true (vtree_stat_cache_find (cache, &files[7], FILESYSTEM, &known));
}

/* What is not known to keep times is not remembered, whatever is asked for. */
static void
test_no_filesystem (Fixture *f, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  (void) unused;
  {
    g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
    VtreeStatKnown known = { .digest = digest_of (7), .plain = true };
    files[7] = stat_of (7, SETTLED);
    vtree_digest_set_add (f->present, &known.digest);
    vtree_stat_cache_note (cache, &files[7], 0, &known);
    vtree_stat_cache_save (cache, &error);
    g_assert_no_error (error);
  }
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  VtreeStatKnown known;
  g_assert_false (vtree_stat_cache_find (cache, &files[7], 0, &known));
}

static const struct {
  const char *name;
  time_t seconds; /* ago */
  bool remembered;
} times[] = {
  { "now", 0, false },          { "a-second-ago", 1, false },
  { "coming", -1000, false },   { "settled", SETTLED, true },
  { "long-ago", 100000, true },
};

static void
test_settled (Fixture *f, gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  save (f, 20, times[i].seconds);
  g_assert_cmpuint (count_found (f, &usual, 20), ==, times[i].remembered ? 20 : 0);
}

/* Once it is known what the head has, nothing else is answered with. */
static void
test_present (Fixture *f, gconstpointer unused)
{
  (void) unused;
  save (f, 20, SETTLED);
  VtreeDigest digest = digest_of (7);
  g_hash_table_remove (f->present, &digest);
  g_assert_cmpuint (count_found (f, &usual, 20), ==, 19);
  g_hash_table_remove_all (f->present);
  g_assert_cmpuint (count_found (f, &usual, 20), ==, 1); /* the empty file */
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  vtree_stat_cache_clear (cache);
  g_assert_true (vtree_stat_cache_is_empty (cache));
  VtreeStatKnown known;
  for (unsigned i = 0; i < 20; i++)
    g_assert_false (is_found (cache, i, &known));
}

/* Who used what turns out not to be there has to begin again, with nothing noted. */
static void
test_used_and_not_present (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  save (f, 20, SETTLED);
  VtreeDigest digest = digest_of (7);
  g_hash_table_remove (f->present, &digest);
  g_autoptr (VtreeStatCache) cache = vtree_stat_cache_load (
    f->paths, usual.repo, usual.ref, usual.alg, usual.filter, &error);
  g_assert_no_error (error);
  VtreeStatKnown known;
  for (unsigned i = 6; i < 8; i++) {
    g_assert_true (is_found (cache, i, &known));
    vtree_stat_cache_use (cache, &known);
    vtree_stat_cache_note (cache, &files[i], FILESYSTEM, &known);
  }
  g_assert_false (vtree_stat_cache_restrict (cache, f->present));
  g_assert_cmpuint (vtree_stat_cache_hits (cache), ==, 0);
  g_assert_false (is_found (cache, 7, &known));
  g_assert_true (is_found (cache, 6, &known));
  vtree_stat_cache_use (cache, &known);
  vtree_stat_cache_note (cache, &files[6], FILESYSTEM, &known);
  g_assert_true (vtree_stat_cache_restrict (cache, f->present));
  g_assert_cmpuint (vtree_stat_cache_hits (cache), ==, 1);
  vtree_stat_cache_save (cache, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_found (f, &usual, 20), ==, 1);
}

/* What has answered for the store is gone by then. */
static void
test_ended (Fixture *f, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  (void) unused;
  save (f, 20, SETTLED);
  g_autoptr (VtreeStatCache) cache = load_as (f, &usual);
  VtreeStatKnown known;
  g_assert_true (is_found (cache, 7, &known));
  vtree_stat_cache_use (cache, &known);
  vtree_stat_cache_note (cache, &files[7], FILESYSTEM, &known);
  vtree_stat_cache_end (cache);
  g_clear_pointer (&f->present, g_hash_table_unref);
  g_assert_false (is_found (cache, 7, &known));
  g_assert_cmpuint (vtree_stat_cache_hits (cache), ==, 1);
  vtree_stat_cache_save (cache, &error);
  g_assert_no_error (error);
  f->present = vtree_digest_set_new ();
  VtreeDigest digest = digest_of (7);
  vtree_digest_set_add (f->present, &digest);
  g_assert_cmpuint (count_found (f, &usual, 20), ==, 1);
}

/* --- the file --------------------------------------------------------------------- */

static char *
only_file (const Fixture *f)
{
  g_autofree char *path = g_build_filename (vtree_paths_cache (f->paths), "stat", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_assert_nonnull (dir);
  const char *name = g_dir_read_name (dir);
  g_assert_nonnull (name);
  return g_build_filename (path, name, NULL);
}

static void
write_file (const char *path, const char *data, gsize size)
{
  g_assert_true (g_file_set_contents_full (path, data, (gssize) size,
                                           G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL));
}

static void
test_damage (Fixture *f, gconstpointer unused)
{
  g_autofree char *data = NULL;
  gsize size;
  (void) unused;
  save (f, 4, SETTLED);
  g_autofree char *path = only_file (f);
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  for (gsize i = 0; i < size; i++) {
    data[i] = (char) (data[i] ^ 1 << i % 8);
    write_file (path, data, size);
    g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
    data[i] = (char) (data[i] ^ 1 << i % 8);
  }
  for (gsize i = 0; i < size; i++) {
    write_file (path, data, i);
    g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
  }
  g_autofree char *longer = g_malloc0 (size + 1);
  memcpy (longer, data, size);
  write_file (path, longer, size + 1);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
  write_file (path, data, size);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 4);
}

/* Nothing that others can have written is believed, nor waited for. */
static void
test_not_ours (Fixture *f, gconstpointer unused)
{
  (void) unused;
  save (f, 4, SETTLED);
  g_autofree char *path = only_file (f);
  g_autofree char *away = g_strconcat (path, ".away", NULL);
  g_assert_cmpint (g_chmod (path, 0620), ==, 0);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
  g_assert_cmpint (g_chmod (path, 0600), ==, 0);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 4);
  g_assert_cmpint (g_rename (path, away), ==, 0);
  g_assert_cmpint (symlink (away, path), ==, 0);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
  g_assert_cmpint (g_unlink (path), ==, 0);
  if (geteuid () != 0)
    return;
  g_assert_cmpint (g_rename (away, path), ==, 0);
  g_assert_cmpint (chown (path, 12345, 0), ==, 0);
  g_assert_cmpuint (count_found (f, &usual, 4), ==, 0);
}

static void
test_directory_of_others (Fixture *f, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  (void) unused;
  save (f, 4, SETTLED);
  g_autofree char *path = g_build_filename (vtree_paths_cache (f->paths), "stat", NULL);
  g_assert_cmpint (g_chmod (path, 0770), ==, 0);
  g_assert_null (vtree_stat_cache_load (f->paths, usual.repo, usual.ref, usual.alg,
                                        usual.filter, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "trust stat: ");
}

#define ADD(name, test) g_test_add (name, Fixture, NULL, set_up, test, tear_down)

static void
add_row (const char *kind, const char *name, size_t row,
         void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strdup_printf ("/manifest/stat-cache/%s/%s", kind, name);
  g_test_add (path, Fixture, GSIZE_TO_POINTER (row), set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("/manifest/stat-cache/round-trip", test_round_trip);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    add_row ("name", names[i].name, i, test_names);
  for (size_t i = 0; i < G_N_ELEMENTS (fields); i++)
    add_row ("changed", fields[i].name, i, test_changed);
  for (size_t i = 0; i < G_N_ELEMENTS (times); i++)
    add_row ("time", times[i].name, i, test_settled);
  ADD ("/manifest/stat-cache/other-filter", test_other_filter);
  ADD ("/manifest/stat-cache/filesystem", test_filesystem);
  ADD ("/manifest/stat-cache/no-filesystem", test_no_filesystem);
  ADD ("/manifest/stat-cache/present", test_present);
  ADD ("/manifest/stat-cache/used-and-not-present", test_used_and_not_present);
  ADD ("/manifest/stat-cache/ended", test_ended);
  ADD ("/manifest/stat-cache/damage", test_damage);
  ADD ("/manifest/stat-cache/not-ours", test_not_ours);
  ADD ("/manifest/stat-cache/directory-of-others", test_directory_of_others);
  return vtree_test_run ();
}
