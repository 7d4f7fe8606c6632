/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the step from an accepted release to its manifest's view. Decides nothing: see
 * resolve.c.
 */
#include "core/pages.h"
#include "manifest/resolve.h"

/* Held by the object's descriptor, so as long as the view lives. */
static VtreeView *
open_locked (VtreeObject *object, GError **error)
{
  if (!vtree_object_hold (object, error))
    return NULL;
  g_autoptr (VtreePages) pages = vtree_pages_new (object, error);
  return pages != NULL ? vtree_view_new (pages, error) : NULL;
}

VtreeView *
vtree_resolved_open (const VtreeResolved *resolved, const VtreeStore *store,
                     VtreeVerityPolicy policy, GError **error)
{
  VtreeObjectSpec spec = { resolved->manifest, resolved->manifest_size, policy };
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, &spec, error);
  VtreeView *view = object != NULL ? open_locked (object, error) : NULL;
  if (view == NULL) {
    char text[VTREE_DIGEST_TEXT_MAX];
    g_prefix_error (error,
                    "manifest %s: ", vtree_digest_format (&resolved->manifest, text));
  }
  return view;
}
