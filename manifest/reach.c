/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the way from a manifest's digest to the digests of its objects.
 */
#include "manifest/reach.h"

#include "core/pages.h"
#include "manifest/check.h"

#include <string.h>

static VtreeView *
open_checked (const VtreeStore *store, const VtreeObjectSpec *spec, GError **error)
{
  g_autoptr (VtreeObject) object = vtree_store_open_object (store, spec, error);
  if (object == NULL)
    return NULL;
  g_autoptr (VtreePages) pages = vtree_pages_new (object, error);
  if (pages == NULL)
    return NULL;
  g_autoptr (VtreeView) view = vtree_view_new (pages, error);
  if (view == NULL || !vtree_check_manifest (view, error))
    return NULL;
  return g_steal_pointer (&view);
}

void
vtree_reach_prefix_error (GError **error, const VtreeDigest *digest)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_autofree char *object
    = g_strdup_printf ("object %s: ", vtree_digest_format (digest, text));
  if (error != NULL && g_str_has_prefix ((*error)->message, object)) {
    g_autofree char *longer = (*error)->message;
    (*error)->message = g_strdup (longer + strlen (object));
  }
  g_prefix_error (error, "manifest %s: ", text);
}

VtreeView *
vtree_reach_open (const VtreeStore *store, const VtreeDigest *digest, uint64_t size,
                  GError **error)
{
  VtreeObjectSpec spec = {
    .digest = *digest, .size = size, .policy = VTREE_VERITY_AUTO, .own_file = true
  };
  VtreeView *view = open_checked (store, &spec, error);
  if (view == NULL)
    vtree_reach_prefix_error (error, digest);
  return view;
}

bool
vtree_reach_foreach (VtreeView *view, VtreeStoreEach each, void *context,
                     GError **error)
{
  uint32_t count = vtree_view_totals (view)->objects;
  for (uint32_t i = 0; i < count; i++) {
    VtreeDigest digest;
    uint64_t size;
    if (!vtree_view_object (view, i, &digest, &size, error)
        || !each (context, &digest, size, error))
      return false;
  }
  return true;
}

GHashTable *
vtree_digest_set_new (void)
{
  return g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func, g_free,
                                NULL);
}

bool
vtree_digest_set_add (GHashTable *set, const VtreeDigest *digest)
{
  return !g_hash_table_contains (set, digest)
         && g_hash_table_add (set, vtree_digest_dup (digest));
}
