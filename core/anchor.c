/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns nothing but the choice between key and certificate, so that nobody else has to
 * make it.
 */
#include "core/anchor.h"

#include "core/signature.h"

bool
vtree_anchor_parse (VtreeAnchor *anchor, const void *pem, size_t size, GError **error)
{
  if (vtree_certificate_is_pem (pem, size)) {
    anchor->certificate = vtree_certificate_new_from_pem (pem, size, error);
    return anchor->certificate != NULL;
  }
  anchor->public = vtree_public_key_new_from_pem (pem, size, error);
  return anchor->public != NULL;
}

void
vtree_anchor_clear (VtreeAnchor *anchor)
{
  g_clear_pointer (&anchor->public, vtree_public_key_free);
  g_clear_pointer (&anchor->certificate, vtree_certificate_free);
}

const VtreeKeyId *
vtree_anchor_id (const VtreeAnchor *anchor)
{
  return anchor->certificate != NULL ? vtree_certificate_id (anchor->certificate)
                                     : vtree_public_key_id (anchor->public);
}

const char *
vtree_anchor_kind (const VtreeAnchor *anchor)
{
  if (anchor->certificate != NULL)
    return VTREE_SIGNATURE_PKCS7;
  return anchor->public != NULL ? VTREE_SIGNATURE_ED25519 : NULL;
}

char *
vtree_anchor_to_pem (const VtreeAnchor *anchor)
{
  return anchor->certificate != NULL ? vtree_certificate_to_pem (anchor->certificate)
                                     : vtree_public_key_to_pem (anchor->public);
}
