/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the steps from an accepted release to its mark and to its manifest's view.
 * Decides nothing: see resolve.c.
 */
#include "core/mark.h"
#include "core/pages.h"
#include "manifest/reach.h"
#include "manifest/resolve.h"

/* How often another file may take the manifest's place while we open it. */
#define ATTEMPTS 5

/* Held by the object's descriptor, so as long as the view lives. *REPLACED: the file
 * had lost its name before it could be held. */
static VtreeObject *
open_held (const VtreeStore *store, const VtreeObjectSpec *spec, bool *replaced,
           GError **error)
{
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, spec, error);
  GError *failed = NULL;
  *replaced = false;
  if (object == NULL)
    return NULL;
  if (vtree_object_hold (object, VTREE_OBJECT_HOLD_WAIT, &failed))
    return g_steal_pointer (&object);
  *replaced = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING);
  g_propagate_error (error, failed);
  return NULL;
}

static VtreeObject *
open_manifest (const VtreeStore *store, const VtreeObjectSpec *spec, GError **error)
{
  bool replaced;
  for (int attempt = 1;; attempt++) {
    GError *failed = NULL;
    VtreeObject *object = open_held (store, spec, &replaced, &failed);
    if (object != NULL)
      return object;
    if (!replaced || attempt == ATTEMPTS) {
      g_propagate_error (error, failed);
      return NULL;
    }
    g_error_free (failed);
  }
}

static VtreeView *
open_view (VtreeObject *object, GError **error)
{
  g_autoptr (VtreePages) pages = vtree_pages_new (object, error);
  return pages != NULL ? vtree_view_new (pages, error) : NULL;
}

VtreeView *
vtree_resolved_open (const VtreeResolved *resolved, const VtreeStore *store,
                     VtreeVerityPolicy policy, GError **error)
{
  VtreeObjectSpec spec = { .digest = resolved->manifest,
                           .size = resolved->manifest_size,
                           .policy = policy,
                           .own_file = true };
  g_autoptr (VtreeObject) object = open_manifest (store, &spec, error);
  VtreeView *view = object != NULL ? open_view (object, error) : NULL;
  if (view == NULL)
    vtree_reach_prefix_error (error, &resolved->manifest);
  return view;
}

bool
vtree_resolved_raise_mark (const VtreeResolved *resolved,
                           const VtreeResolveOptions *options, GError **error)
{
  const VtreeStatement *statement = resolved->statement;
  const VtreeMark mark
    = { statement->version, statement->manifest, statement->created };
  GError *failed = NULL;
  if (vtree_mark_raise (options->paths, statement->ref, &mark, &failed))
    return true;
  if (options->force && g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_ROLLBACK)) {
    g_clear_error (&failed);
    return true;
  }
  g_propagate_error (error, failed);
  return false;
}
