/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the directory sealed/ of the user's state. What an entry means for a file is
 * file-seal-check.c's affair.
 */
#include "manifest/file-seal-log.h"

#include "core/beneath.h"
#include "core/directory.h"
#include "core/error.h"
#include "core/lock.h"
#include "core/publish.h"
#include "manifest/file-seal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Two names of VTREE_FILE_SEAL_NAME_MAX, each byte as "%xx", and the words beside them.
 * */
#define ENTRY_MAX 32768

static void
entry_free (void *data)
{
  VtreeFileSealEntry *entry = data;
  if (entry == NULL)
    return;
  g_free (entry->place);
  g_free (entry->name);
  g_free (entry);
}

static char *
file_name (const char *place)
{
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) place,
                                      strlen (place));
}

static char *
format_entry (const char *place, const char *name)
{
  g_autofree char *place_text = vtree_file_seal_name_encode (place);
  g_autofree char *name_text = vtree_file_seal_name_encode (name);
  return g_strdup_printf ("vtree-sealed 1\nplace: %s\nname: %s\n", place_text,
                          name_text);
}

/* The value of LINE, decoded; NULL for another line than KEY's. */
static char *
decode_line (const char *line, const char *key)
{
  return g_str_has_prefix (line, key)
           ? vtree_file_seal_name_decode (line + strlen (key))
           : NULL;
}

/* NULL unless TEXT is exactly what format_entry() writes, in the file called FILE. */
static VtreeFileSealEntry *
parse_entry (const char *text, const char *file)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  if (g_strv_length (lines) != 4)
    return NULL;
  g_autofree char *place = decode_line (lines[1], "place: ");
  g_autofree char *name = decode_line (lines[2], "name: ");
  if (place == NULL || name == NULL)
    return NULL;
  g_autofree char *again = format_entry (place, name);
  g_autofree char *expected = file_name (place);
  if (strcmp (again, text) != 0 || strcmp (expected, file) != 0)
    return NULL;
  VtreeFileSealEntry *entry = g_new (VtreeFileSealEntry, 1);
  entry->place = g_steal_pointer (&place);
  entry->name = g_steal_pointer (&name);
  return entry;
}

/* *ENTRY is NULL where there is no such file. */
static bool
load_entry (int dirfd, const char *file, VtreeFileSealEntry **entry, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  if (!vtree_beneath_load (dirfd, file, ENTRY_MAX, &bytes, error))
    return false;
  *entry = NULL;
  if (bytes == NULL)
    return true;
  g_autofree char *text
    = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  if (strlen (text) == g_bytes_get_size (bytes))
    *entry = parse_entry (text, file);
  return *entry != NULL
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "entry %s is malformed; remove it, and seal again what it "
                             "was for",
                             file);
}

static bool
prefix_error (GError **error, const char *what, const VtreePaths *paths)
{
  g_autofree char *dir = vtree_error_escape (vtree_paths_sealed (paths), -1);
  g_prefix_error (error, "%s the log of what is sealed in %s: ", what, dir);
  return false;
}

static bool
is_entry (const char *file)
{
  return strlen (file) == 64 && file[strspn (file, "0123456789abcdef")] == '\0';
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const VtreeFileSealEntry *const *left = a;
  const VtreeFileSealEntry *const *right = b;
  return strcmp ((*left)->place, (*right)->place);
}

static bool
load_all (int dirfd, GPtrArray *entries, GError **error)
{
  g_autoptr (GPtrArray) files = vtree_directory_list (dirfd, error);
  for (guint i = 0; files != NULL && i < files->len; i++) {
    VtreeFileSealEntry *entry = NULL;
    if (!is_entry (files->pdata[i]))
      continue;
    if (!load_entry (dirfd, files->pdata[i], &entry, error))
      return false;
    if (entry != NULL)
      g_ptr_array_add (entries, entry);
  }
  return files != NULL;
}

GPtrArray *
vtree_file_seal_log_load (const VtreePaths *paths, GError **error)
{
  bool missing;
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (entry_free);
  g_auto (VtreeFd) fd
    = vtree_paths_open_directory (vtree_paths_sealed (paths), false, &missing, error);
  if (fd < 0 && missing)
    return g_steal_pointer (&entries);
  if (fd < 0 || !load_all (fd, entries, error)) {
    prefix_error (error, "read", paths);
    return NULL;
  }
  g_ptr_array_sort (entries, compare_entries);
  return g_steal_pointer (&entries);
}

bool
vtree_file_seal_log_find (const VtreePaths *paths, const char *place, char **name,
                          GError **error)
{
  bool missing;
  VtreeFileSealEntry *entry = NULL;
  g_autofree char *file = file_name (place);
  g_auto (VtreeFd) fd
    = vtree_paths_open_directory (vtree_paths_sealed (paths), false, &missing, error);
  if ((fd < 0 && !missing) || (fd >= 0 && !load_entry (fd, file, &entry, error)))
    return prefix_error (error, "read", paths);
  *name = entry != NULL ? g_strdup (entry->name) : NULL;
  entry_free (entry);
  return true;
}

int
vtree_file_seal_log_open (const VtreePaths *paths, GError **error)
{
  int fd = vtree_paths_open_directory (vtree_paths_sealed (paths), true, NULL, error);
  if (fd < 0)
    prefix_error (error, "open", paths);
  return fd;
}

bool
vtree_file_seal_log_lock (const VtreePaths *paths, int fd, int wait, GError **error)
{
  return vtree_lock_take (fd, VTREE_LOCK_EXCLUSIVE, wait, error)
         || prefix_error (error, "lock", paths);
}

bool
vtree_file_seal_log_put (int fd, const char *place, const char *name, GError **error)
{
  g_autofree char *file = file_name (place);
  g_autofree char *text = format_entry (place, name);
  if (vtree_publish_clean (fd, error)
      && vtree_publish (fd, file, text, strlen (text), 0600, VTREE_PUBLISH_REPLACE,
                        error))
    return true;
  g_prefix_error (error, "log that it is sealed: ");
  return false;
}

bool
vtree_file_seal_log_remove (int fd, const char *place, bool *found, GError **error)
{
  g_autofree char *file = file_name (place);
  bool removed = unlinkat (fd, file, 0) == 0;
  if ((!removed && errno != ENOENT) || (removed && fsync (fd) < 0))
    return vtree_error_set_errno (error, errno, "take it out of the log");
  *found = removed;
  return true;
}
