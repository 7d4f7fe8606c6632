/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns finding abandoned temporary names outside tmp/. Removes nothing else, and
 * nothing that is not a plain name of vtree_publish().
 */
#include "core/litter.h"

#include "core/beneath.h"
#include "core/directory.h"
#include "core/publish.h"
#include "core/staging.h"

#include <errno.h>
#include <unistd.h>

/* Deeper than the components of any ref. */
#define DEPTH_MAX 128

typedef struct {
  bool dry_run;
  uint64_t count;
} Cleaning;

static bool
clean_name (Cleaning *cleaning, int dirfd, const char *name, GError **error)
{
  if (!g_str_has_prefix (name, VTREE_PUBLISH_TEMP_PREFIX))
    return true;
  if (!cleaning->dry_run && unlinkat (dirfd, name, 0) < 0 && errno != ENOENT)
    return vtree_error_set_errno (error, errno, "remove a temporary file");
  cleaning->count++;
  return true;
}

static bool clean_below (Cleaning *cleaning, int dirfd, unsigned depth, GError **error);

/* What is no directory, or none of ours, has nothing of ours in it. */
static bool
clean_child (Cleaning *cleaning, int dirfd, const char *name, unsigned depth,
             GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_beneath_open_directory (dirfd, name, &fd, NULL) || fd < 0)
    return true;
  return clean_below (cleaning, fd, depth + 1, error);
}

static bool
clean_below (Cleaning *cleaning, int dirfd, unsigned depth, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (dirfd, error);
  if (names == NULL)
    return false;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (!clean_name (cleaning, dirfd, name, error))
      return false;
    if (depth < DEPTH_MAX && !clean_child (cleaning, dirfd, name, depth, error))
      return false;
  }
  return true;
}

static bool
clean (const VtreeRepo *repo, Cleaning *cleaning, GArray *held, GError **error)
{
  int top = vtree_repo_dirfd (repo);
  if (!vtree_staging_clean (repo, cleaning->dry_run, &cleaning->count, held, error))
    return false;
  g_autoptr (GPtrArray) names = vtree_directory_list (top, error);
  if (names == NULL)
    return false;
  for (guint i = 0; i < names->len; i++) {
    if (!clean_name (cleaning, top, g_ptr_array_index (names, i), error))
      return false;
  }
  return clean_child (cleaning, top, "refs", 0, error);
}

bool
vtree_litter_clean (const VtreeRepo *repo, bool dry_run, uint64_t *count, GArray *held,
                    GError **error)
{
  Cleaning cleaning = { .dry_run = dry_run };
  if (!clean (repo, &cleaning, held, error)) {
    g_prefix_error (error, "clean repository %s: ", vtree_repo_path (repo));
    return false;
  }
  *count = cleaning.count;
  return true;
}
