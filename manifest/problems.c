/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the list of what went wrong with single files, and the line that names them.
 */
#include "manifest/problems.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

struct VtreeProblems {
  atomic_bool any;
  GMutex lock; /* for the two below */
  GPtrArray *lines;
  uint64_t count;
};

VtreeProblems *
vtree_problems_new (void)
{
  VtreeProblems *problems = g_new0 (VtreeProblems, 1);
  g_mutex_init (&problems->lock);
  problems->lines = g_ptr_array_new_with_free_func (g_free);
  return problems;
}

void
vtree_problems_free (VtreeProblems *problems)
{
  if (problems == NULL)
    return;
  g_mutex_clear (&problems->lock);
  g_ptr_array_unref (problems->lines);
  g_free (problems);
}

void
vtree_problems_add (VtreeProblems *problems, const char *path, const char *cause)
{
  g_autofree char *shown = vtree_error_escape (path[0] != '\0' ? path : ".", -1);
  g_mutex_lock (&problems->lock);
  problems->count++;
  if (problems->lines->len < VTREE_PROBLEMS_NAMED)
    g_ptr_array_add (problems->lines, g_strdup_printf ("%s: %s", shown, cause));
  g_mutex_unlock (&problems->lock);
  atomic_store (&problems->any, true);
}

bool
vtree_problems_any (const VtreeProblems *problems)
{
  return atomic_load (&problems->any);
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

bool
vtree_problems_report (VtreeProblems *problems, const char *prefix, GError **error)
{
  if (!vtree_problems_any (problems))
    return true;
  g_mutex_lock (&problems->lock);
  g_ptr_array_sort (problems->lines, compare_lines);
  g_autoptr (GString) text = g_string_new (prefix);
  for (guint i = 0; i < problems->lines->len; i++) {
    g_string_append (text, i == 0 ? ": " : "; ");
    g_string_append (text, problems->lines->pdata[i]);
  }
  uint64_t more = problems->count - problems->lines->len;
  g_mutex_unlock (&problems->lock);
  if (more > 0)
    g_string_append_printf (text, "; and %" G_GUINT64_FORMAT " more", more);
  return vtree_error_set (error, VTREE_ERROR_FAILED, "%s", text->str);
}
