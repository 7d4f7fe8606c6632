/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A certificate, its DER put into PEM: what is read of it can be shown, what is written
 * again is the same one, and it can be asked about a signature. */
#include "core/pem.h"
#include "core/pkcs7.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
assert_one_line (const char *text)
{
  g_assert_true (g_utf8_validate (text, -1, NULL));
  for (; *text != '\0'; text++)
    g_assert_false (g_ascii_iscntrl (*text));
}

static void
assert_usable (const VtreeCertificate *certificate)
{
  static const uint8_t message[] = "vtree-fuzz";
  g_autofree char *pem = vtree_certificate_to_pem (certificate);
  g_autoptr (VtreeCertificate) again
    = vtree_certificate_new_from_pem (pem, strlen (pem), NULL);
  VtreeKeyId id;
  g_assert_nonnull (again);
  g_assert_true (vtree_key_id_equal (vtree_certificate_id (certificate),
                                     vtree_certificate_id (again)));
  assert_one_line (vtree_certificate_subject (certificate));
  assert_one_line (vtree_certificate_issuer (certificate));
  assert_one_line (vtree_certificate_algorithm (certificate));
  vtree_certificate_key_id (certificate, &id);
  vtree_pkcs7_verify (certificate, (VtreeSpan){ message, sizeof message },
                      vtree_certificate_der (certificate), NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *pem = vtree_pem_encode (data, size, "CERTIFICATE");
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeCertificate) certificate
    = vtree_certificate_new_from_pem (pem, strlen (pem), &error);
  if (certificate != NULL)
    assert_usable (certificate);
  else
    assert_one_line (error->message);
  return 0;
}
