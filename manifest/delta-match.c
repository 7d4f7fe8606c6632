/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the guess which old contents new ones resemble: those of the same path, or else
 * of a path that differs only in its numbers (a kernel's modules, a library's version).
 * Only sizes depend on it.
 */
#include "core/digest.h"
#include "manifest/delta-private.h"
#include "manifest/reach.h"

#include <sys/stat.h>

typedef struct {
  VtreeView *to, *from;
  GArray *matches; /* uint32_t for each object of TO */
  GArray *twins;   /* uint32_t for each inode of TO: directory of FROM, or NONE */
} Match;

/* NAME with every run of digits as one '0'. */
static char *
without_numbers (VtreeSpan name)
{
  GString *text = g_string_new (NULL);
  for (size_t i = 0; i < name.size; i++) {
    char c = (char) name.data[i];
    bool digit = g_ascii_isdigit (c);
    if (digit && text->len > 0 && text->str[text->len - 1] == '0')
      continue;
    g_string_append_c (text, digit ? '0' : c);
  }
  return g_string_free (text, FALSE);
}

/* What FROM's directory has, by names without their numbers. */
static GHashTable *
list_loosely (const Match *match, const VtreeDirectory *directory, GError **error)
{
  g_autoptr (GHashTable) names
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (uint32_t i = 0; i < directory->count; i++) {
    VtreeEntry entry;
    if (!vtree_view_entry (match->from, directory, i, &entry, error))
      return NULL;
    g_hash_table_replace (names, without_numbers (entry.name),
                          GUINT_TO_POINTER (entry.inode + 1));
  }
  return g_steal_pointer (&names);
}

/* *TWIN: inode of FROM, or NONE. LOOSE is made when it is first needed. */
static bool
find_twin (const Match *match, const VtreeDirectory *old, VtreeSpan name,
           GHashTable **loose, uint32_t *twin, GError **error)
{
  bool found;
  if (!vtree_view_lookup (match->from, old, name, &found, twin, error))
    return false;
  if (found)
    return true;
  if (*loose == NULL && (*loose = list_loosely (match, old, error)) == NULL)
    return false;
  g_autofree char *key = without_numbers (name);
  gpointer value = g_hash_table_lookup (*loose, key);
  *twin = value != NULL ? GPOINTER_TO_UINT (value) - 1 : VTREE_DELTA_NONE;
  return true;
}

/* Takes in that NEW's twin is inode TWIN. */
static bool
note_twin (Match *match, const VtreeInode *new, uint32_t twin, GError **error)
{
  VtreeInode old;
  if (twin == VTREE_DELTA_NONE)
    return true;
  if (!vtree_view_inode (match->from, twin, &old, error))
    return false;
  if (S_ISDIR (new->mode) && S_ISDIR (old.mode))
    g_array_index (match->twins, uint32_t, new->index) = twin;
  if (!S_ISREG (new->mode) || !S_ISREG (old.mode) || new->object == VTREE_VIEW_NO_OBJECT
      || old.object == VTREE_VIEW_NO_OBJECT)
    return true;
  uint32_t *matched = &g_array_index (match->matches, uint32_t, new->object);
  if (*matched == VTREE_DELTA_NONE)
    *matched = old.object;
  return true;
}

static bool
match_entries (Match *match, const VtreeDirectory *new, const VtreeDirectory *old,
               GHashTable **loose, GError **error)
{
  for (uint32_t i = 0; i < new->count; i++) {
    VtreeEntry entry;
    VtreeInode inode;
    uint32_t twin;
    if (!vtree_view_entry (match->to, new, i, &entry, error)
        || !vtree_view_inode (match->to, entry.inode, &inode, error)
        || !find_twin (match, old, entry.name, loose, &twin, error)
        || !note_twin (match, &inode, twin, error))
      return false;
  }
  return true;
}

static bool
match_directory (Match *match, const VtreeInode *inode, uint32_t twin, GError **error)
{
  g_autoptr (GHashTable) loose = NULL;
  VtreeDirectory new, old;
  VtreeInode old_inode;
  return vtree_view_inode (match->from, twin, &old_inode, error)
         && vtree_view_directory (match->from, &old_inode, &old, error)
         && vtree_view_directory (match->to, inode, &new, error)
         && match_entries (match, &new, &old, &loose, error);
}

/* A directory comes after its parent, which has found its twin by then. */
static bool
match_all (Match *match, GError **error)
{
  uint32_t inodes = vtree_view_totals (match->to)->inodes;
  for (uint32_t i = 0; i < inodes; i++) {
    VtreeInode inode;
    if (!vtree_view_inode (match->to, i, &inode, error))
      return false;
    uint32_t twin = g_array_index (match->twins, uint32_t, i);
    if (S_ISDIR (inode.mode) && twin != VTREE_DELTA_NONE
        && !match_directory (match, &inode, twin, error))
      return false;
  }
  return true;
}

/* VtreeStoreEach */
static bool
collect (void *context, const VtreeDigest *digest, uint64_t size, GError **error)
{
  (void) size;
  (void) error;
  vtree_digest_set_add (context, digest);
  return true;
}

static bool
note_shared (const Match *match, GError **error)
{
  g_autoptr (GHashTable) old = vtree_digest_set_new ();
  if (!vtree_reach_foreach (match->from, collect, old, error))
    return false;
  for (uint32_t i = 0; i < match->matches->len; i++) {
    VtreeDigest digest;
    uint64_t size;
    if (!vtree_view_object (match->to, i, &digest, &size, error))
      return false;
    if (g_hash_table_contains (old, &digest))
      g_array_index (match->matches, uint32_t, i) = VTREE_DELTA_SHARED;
  }
  return true;
}

static GArray *
filled (uint32_t count)
{
  GArray *array = g_array_sized_new (FALSE, FALSE, sizeof (uint32_t), count);
  const uint32_t none = VTREE_DELTA_NONE;
  for (uint32_t i = 0; i < count; i++)
    g_array_append_val (array, none);
  return array;
}

GArray *
vtree_delta_match (VtreeView *to, VtreeView *from, GError **error)
{
  g_autoptr (GArray) matches = filled (vtree_view_totals (to)->objects);
  g_autoptr (GArray) twins = filled (vtree_view_totals (to)->inodes);
  Match match = { to, from, matches, twins };
  if (from == NULL)
    return g_steal_pointer (&matches);
  g_array_index (twins, uint32_t, 0) = 0;
  if (!match_all (&match, error) || !note_shared (&match, error))
    return NULL;
  return g_steal_pointer (&matches);
}
