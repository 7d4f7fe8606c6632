/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the walk over all of refs/: which directories are refs, what belongs to none,
 * and what a deletion that was killed has left. Reads no statement.
 */
#include "core/beneath.h"
#include "core/directory.h"
#include "core/publish.h"
#include "manifest/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HEAD "head"

typedef struct Walk Walk;

/* NAMES are those in FD, the directory of what may be the ref NAME. */
typedef bool (*Visit) (Walk *walk, int fd, const char *name, const GPtrArray *names,
                       GError **error);

struct Walk {
  Visit visit;
  const VtreeRepo *repo;
  GPtrArray *refs;   /* names */
  GPtrArray *strays; /* paths below refs/; NULL: nobody asks */
  bool prune;        /* remove directories that are empty afterwards */
  bool dry_run;
  uint64_t count;
};

static bool
prefix_list (GError **error, const char *name)
{
  g_prefix_error (error, "list ref '%s': ", name);
  return false;
}

static void
add_stray (Walk *walk, const char *path)
{
  if (walk->strays != NULL)
    g_ptr_array_add (walk->strays, g_strdup (path));
}

/* Whether ENTRY is what may stand in the directory NAME and is no ref. */
static bool
is_ours (const char *name, const char *entry)
{
  uint64_t version;
  return g_str_has_prefix (entry, VTREE_PUBLISH_TEMP_PREFIX)
         || (*name != '\0'
             && (strcmp (entry, HEAD) == 0
                 || vtree_ref_parse_file (entry, ".root", &version)
                 || vtree_ref_parse_file (entry, ".sig", &version)));
}

static bool walk_below (Walk *walk, int fd, const char *name, GError **error);

/* Opens the directory ENTRY of FD, which has the name PATH of a ref; *BELOW is -1 where
 * it is gone, or none. */
static bool
open_below (Walk *walk, int fd, const char *entry, const char *path, VtreeFd *below,
            GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (vtree_beneath_open_directory (fd, entry, below, &failed))
    return true;
  *below = -1;
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_CORRUPT)) {
    add_stray (walk, path);
    return true;
  }
  g_propagate_error (error, g_steal_pointer (&failed));
  return prefix_list (error, path);
}

static bool
walk_entry (Walk *walk, int fd, const char *name, const char *entry, GError **error)
{
  g_autofree char *path
    = *name != '\0' ? g_strdup_printf ("%s/%s", name, entry) : g_strdup (entry);
  g_auto (VtreeFd) below = -1;
  if (!vtree_ref_check_name (path, NULL)) {
    if (!is_ours (name, entry))
      add_stray (walk, path);
    return true;
  }
  if (!open_below (walk, fd, entry, path, &below, error)
      || (below >= 0 && !walk_below (walk, below, path, error)))
    return false;
  if (below >= 0 && walk->prune)
    unlinkat (fd, entry, AT_REMOVEDIR); /* if it is empty */
  return true;
}

/* The length of a name bounds the depth. */
static bool
walk_below (Walk *walk, int fd, const char *name, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, error);
  if (names == NULL)
    return prefix_list (error, name);
  if (*name != '\0' && !walk->visit (walk, fd, name, names, error))
    return false;
  for (guint i = 0; i < names->len; i++) {
    if (!walk_entry (walk, fd, name, g_ptr_array_index (names, i), error))
      return false;
  }
  return true;
}

static bool
walk_all (Walk *walk, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  return vtree_beneath_open_directory (vtree_repo_dirfd (walk->repo), "refs", &fd,
                                       error)
         && (fd < 0 || walk_below (walk, fd, "", error));
}

/* --- listing ---------------------------------------------------------------------- */

/* A directory is a ref, and not only the parent of some, if it has a version or a
 * head. */
static bool
add_ref (Walk *walk, int fd, const char *name, const GPtrArray *names, GError **error)
{
  (void) fd;
  (void) error;
  for (guint i = 0; i < names->len; i++) {
    uint64_t version;
    const char *entry = g_ptr_array_index (names, i);
    if (strcmp (entry, HEAD) == 0 || vtree_ref_parse_file (entry, ".root", &version)) {
      g_ptr_array_add (walk->refs, g_strdup (name));
      break;
    }
  }
  return true;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

char **
vtree_refs_list (const VtreeRepo *repo, GPtrArray *strays, GError **error)
{
  g_autoptr (GPtrArray) refs = g_ptr_array_new_with_free_func (g_free);
  Walk walk = { .visit = add_ref, .repo = repo, .refs = refs, .strays = strays };
  if (!walk_all (&walk, error))
    return NULL;
  g_ptr_array_sort (refs, compare_names);
  g_ptr_array_add (refs, NULL);
  return (char **) g_ptr_array_steal (refs, NULL);
}

/* --- cleaning --------------------------------------------------------------------- */

static bool
has_statement (const GPtrArray *names, uint64_t version)
{
  g_autofree char *root = g_strdup_printf ("%" G_GUINT64_FORMAT ".root", version);
  return g_ptr_array_find_with_equal_func ((GPtrArray *) (void *) names, root,
                                           g_str_equal, NULL);
}

/* Only what a deletion can have left: a version below the head, or any where the head
 * went first. A signature from the head on waits for its statement to be restored. */
static bool
remove_orphans (Walk *walk, int fd, const char *name, const GPtrArray *names,
                GError **error)
{
  bool has_head;
  uint64_t head, version;
  if (!vtree_refs_head (walk->repo, name, &has_head, &head, NULL))
    return true;
  for (guint i = 0; i < names->len; i++) {
    const char *entry = g_ptr_array_index (names, i);
    if (!vtree_ref_parse_file (entry, ".sig", &version) || (has_head && version >= head)
        || has_statement (names, version))
      continue;
    if (!walk->dry_run && unlinkat (fd, entry, 0) < 0 && errno != ENOENT
        && errno != EISDIR)
      return vtree_error_set_errno (error, errno, "remove %s of ref '%s'", entry, name);
    walk->count++;
  }
  return true;
}

bool
vtree_refs_clean (const VtreeRepo *repo, bool dry_run, uint64_t *count, GError **error)
{
  Walk walk
    = { .visit = remove_orphans, .repo = repo, .prune = !dry_run, .dry_run = dry_run };
  if (!walk_all (&walk, error))
    return false;
  *count += walk.count;
  return true;
}
