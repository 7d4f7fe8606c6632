/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A test binary is one program with one life: here, and only here, state at file scope
 * is the simple answer. */
static GHashTable *open_at_start;
static char *top_dir;

/* Descriptor number -> what it is open on. */
static GHashTable *
list_descriptors (void)
{
  GHashTable *table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  DIR *dir = opendir ("/proc/self/fd");
  g_assert_nonnull (dir);
  g_autofree char *own = g_strdup_printf ("%d", dirfd (dir));
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;) {
    if (entry->d_name[0] == '.' || g_str_equal (entry->d_name, own))
      continue;
    char target[4096];
    ssize_t length = readlinkat (dirfd (dir), entry->d_name, target, sizeof target);
    if (length < 0)
      length = 0;
    g_hash_table_insert (table, g_strdup (entry->d_name),
                         g_strndup (target, (size_t) length));
  }
  closedir (dir);
  return table;
}

static bool
report_leaked_descriptors (void)
{
  bool leaked = false;
  g_autoptr (GHashTable) now = list_descriptors ();
  GHashTableIter iter;
  gpointer number, target;
  g_hash_table_iter_init (&iter, now);
  while (g_hash_table_iter_next (&iter, &number, &target)) {
    if (g_hash_table_contains (open_at_start, number))
      continue;
    fprintf (stderr, "leaked descriptor %s: %s\n", (char *) number, (char *) target);
    leaked = true;
  }
  return leaked;
}

static int
make_removable (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st;
  (void) ftw;
  if (type == FTW_D || type == FTW_DNR)
    chmod (path, 0700);
  return 0;
}

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st;
  (void) type;
  (void) ftw;
  if (remove (path) != 0)
    fprintf (stderr, "cannot remove %s: %s\n", path, g_strerror (errno));
  return 0;
}

static void
remove_top_dir (void)
{
  if (top_dir == NULL)
    return;
  nftw (top_dir, make_removable, 16, FTW_PHYS | FTW_MOUNT);
  nftw (top_dir, remove_one, 16, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
  g_clear_pointer (&top_dir, g_free);
}

void
vtree_test_init (int *argc, char ***argv)
{
  open_at_start = list_descriptors ();
  g_test_init (argc, argv, NULL);
}

int
vtree_test_run (void)
{
  int status = g_test_run ();
  vtree_test_fault_clear ();
  remove_top_dir ();
  if (report_leaked_descriptors ())
    status = EXIT_FAILURE;
  g_clear_pointer (&open_at_start, g_hash_table_unref);
  return status;
}

static bool
is_set (const char *variable)
{
  const char *value = g_getenv (variable);
  return value != NULL && value[0] != '\0';
}

void
vtree_test_skip (const char *reason)
{
  if (is_set ("CI") || is_set ("VTREE_REQUIRE_ALL")) {
    g_test_message ("must run here, but: %s", reason);
    g_test_fail ();
    return;
  }
  g_test_skip (reason);
}

char *
vtree_test_make_dir (void)
{
  if (top_dir == NULL) {
    g_autoptr (GError) error = NULL;
    top_dir = g_dir_make_tmp ("vtree-test.XXXXXX", &error);
    g_assert_no_error (error);
  }
  char *path = g_build_filename (top_dir, "dir.XXXXXX", NULL);
  g_assert_nonnull (g_mkdtemp_full (path, 0700));
  return path;
}

void
vtree_test_check_error (const char *where, const GError *error, GQuark domain, int code,
                        const char *part)
{
  if (error != NULL && error->domain == domain && error->code == code
      && (part == NULL || strstr (error->message, part) != NULL))
    return;
  g_autofree char *got
    = error == NULL ? g_strdup ("no error")
                    : g_strdup_printf ("%s %d: %s", g_quark_to_string (error->domain),
                                       error->code, error->message);
  g_autofree char *message
    = g_strdup_printf ("%s: expected %s %d: ...%s..., got %s", where,
                       g_quark_to_string (domain), code, part ? part : "", got);
  g_assertion_message (G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, message);
}
