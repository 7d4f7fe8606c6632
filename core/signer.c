/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the making of signature lines. Whether anybody trusts their signer is trust.c's
 * affair.
 */
#include "core/signer.h"

#include "core/anchor.h"
#include "core/command.h"
#include "core/pkcs7.h"

#include <string.h>

struct VtreeSigner {
  VtreeAnchor anchor;
  VtreePrivateKey *key; /* NULL where there is a command */
  char *command;
  char *file;
};

VtreeSigner *
vtree_signer_new_for_key_take (VtreePrivateKey *key, GError **error)
{
  g_autoptr (VtreeSigner) signer = g_new0 (VtreeSigner, 1);
  signer->key = key;
  signer->anchor.public = vtree_private_key_public (key, error);
  return signer->anchor.public != NULL ? g_steal_pointer (&signer) : NULL;
}

VtreeSigner *
vtree_signer_new_for_certificate_take (VtreeCertificate *certificate,
                                       VtreePrivateKey *key, GError **error)
{
  g_autoptr (VtreeSigner) signer = g_new0 (VtreeSigner, 1);
  signer->anchor.certificate = certificate;
  signer->key = key;
  if (vtree_certificate_has_key (certificate, key))
    return g_steal_pointer (&signer);
  vtree_error_set (error, VTREE_ERROR_INVALID,
                   "the private key is not that of the certificate '%s'",
                   vtree_certificate_subject (certificate));
  return NULL;
}

VtreeSigner *
vtree_signer_new_for_command (const char *command, const char *file, const void *pem,
                              size_t size, GError **error)
{
  g_autoptr (VtreeSigner) signer = g_new0 (VtreeSigner, 1);
  if (!vtree_anchor_parse (&signer->anchor, pem, size, error))
    return NULL;
  signer->command = g_strdup (command);
  signer->file = g_canonicalize_filename (file, NULL);
  return g_steal_pointer (&signer);
}

void
vtree_signer_free (VtreeSigner *signer)
{
  if (signer == NULL)
    return;
  vtree_anchor_clear (&signer->anchor);
  vtree_private_key_free (signer->key);
  g_free (signer->command);
  g_free (signer->file);
  g_free (signer);
}

static void
free_signer (void *signer)
{
  vtree_signer_free (signer);
}

GPtrArray *
vtree_signers_new (void)
{
  return g_ptr_array_new_with_free_func (free_signer);
}

static VtreeSpan
span_of (GBytes *bytes)
{
  VtreeSpan span;
  span.data = g_bytes_get_data (bytes, &span.size);
  return span;
}

static GBytes *
sign_with_key (const VtreeSigner *signer, VtreeSpan message, GError **error)
{
  uint8_t value[VTREE_SIGNATURE_SIZE];
  if (signer->anchor.certificate != NULL)
    return vtree_pkcs7_sign (signer->anchor.certificate, signer->key, message, error);
  if (!vtree_private_key_sign (signer->key, message.data, message.size, value, error))
    return NULL;
  return g_bytes_new (value, sizeof value);
}

static GBytes *
sign_with_command (const VtreeSigner *signer, const VtreeSigningRequest *request,
                   GError **error)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *version = g_strdup_printf ("%" G_GUINT64_FORMAT, request->version);
  const char *const environment[]
    = { "VTREE_SIGN_KIND",
        vtree_anchor_kind (&signer->anchor),
        "VTREE_SIGN_ID",
        vtree_key_id_format (vtree_anchor_id (&signer->anchor), id),
        "VTREE_SIGN_FILE",
        signer->file,
        "VTREE_SIGN_REF",
        request->ref,
        "VTREE_SIGN_VERSION",
        version,
        NULL };
  return vtree_command_run (signer->command, environment, request->message,
                            VTREE_PKCS7_MAX, error);
}

static bool
verify_key (const VtreeSigner *signer, VtreeSpan message, VtreeSpan value,
            GError **error)
{
  if (value.size != VTREE_SIGNATURE_SIZE)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "it gave %zu bytes; a raw Ed25519 signature has %d",
                            value.size, VTREE_SIGNATURE_SIZE);
  if (vtree_public_key_verify (signer->anchor.public, message.data, message.size,
                               value.data))
    return true;
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "what it gave is not this key's signature over these bytes");
}

/* What is not verified here would only be refused by everybody later. */
static bool
verify (const VtreeSigner *signer, VtreeSpan message, VtreeSpan value, GError **error)
{
  if (signer->anchor.certificate == NULL)
    return verify_key (signer, message, value, error);
  g_autoptr (GError) cause = NULL;
  if (vtree_pkcs7_verify (signer->anchor.certificate, message, value, &cause))
    return true;
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "what it gave does not count as this certificate's: %s",
                          cause->message);
}

static bool
add_value (const VtreeSigner *signer, VtreeSpan value, VtreeSignatures *signatures,
           GError **error)
{
  if (signer->anchor.certificate != NULL)
    return vtree_signatures_add_pkcs7 (signatures, vtree_anchor_id (&signer->anchor),
                                       value.data, value.size, error);
  return vtree_signatures_add (signatures, vtree_anchor_id (&signer->anchor),
                               value.data, error);
}

static bool
sign (const VtreeSigner *signer, const VtreeSigningRequest *request,
      VtreeSignatures *signatures, GError **error)
{
  VtreeSpan message = span_of (request->message);
  g_autoptr (GBytes) value = signer->command != NULL
                               ? sign_with_command (signer, request, error)
                               : sign_with_key (signer, message, error);
  if (value != NULL && verify (signer, message, span_of (value), error))
    return add_value (signer, span_of (value), signatures, error);
  if (signer->command != NULL) {
    g_autofree char *escaped = vtree_error_escape (signer->command, -1);
    g_prefix_error (error, "sign command '%s': ", escaped);
  }
  return false;
}

VtreeSignatures *
vtree_signers_sign (const GPtrArray *signers, const VtreeSigningRequest *request,
                    GError **error)
{
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  for (guint i = 0; i < signers->len; i++) {
    if (!sign (signers->pdata[i], request, signatures, error))
      return NULL;
  }
  return g_steal_pointer (&signatures);
}
