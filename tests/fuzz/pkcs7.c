/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A detached PKCS #7 signature, by a certificate whose key exists no more: what is good
 * names the certificate, and what is not says so in one line. */
#include "core/pkcs7.h"

#include <string.h>

#define MESSAGE "vtree-fuzz"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const char pem[]
  = "-----BEGIN CERTIFICATE-----\n"
    "MIIBdjCCARugAwIBAgIUYnY685RQaD4kXPENFXc2UPFYdn0wCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEZnV6ejAgFw0yNjExMjMyMjU0MDhaGA8yMTI2MTAzMDIyNTQw\n"
    "OFowDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHii\n"
    "SO7xG1H0i1tYp9Pz97dupCQILuSRP24Shfx6wUWXfRbtGsJ/QV3S4u+BVvEeKXCp\n"
    "dfDxJOqdw44UGrjuS/2jUzBRMB0GA1UdDgQWBBTZ/7QJRtwM0XKK4q7236jXYjS9\n"
    "ljAfBgNVHSMEGDAWgBTZ/7QJRtwM0XKK4q7236jXYjS9ljAPBgNVHRMBAf8EBTAD\n"
    "AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDMtctIUP+pX/qI3MV4NZFfcquh5b6cQjy/\n"
    "SP2BecKcmQIhAKBiOvrrUWFFZVQsxtPegzhTKoC6UlwouSbGkAO9XWNi\n"
    "-----END CERTIFICATE-----\n";

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const VtreeSpan message = { (const uint8_t *) MESSAGE, strlen (MESSAGE) };
  const VtreeSpan pkcs7 = { data, size };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeCertificate) certificate
    = vtree_certificate_new_from_pem (pem, strlen (pem), &error);
  g_assert_no_error (error);
  if (vtree_pkcs7_verify (certificate, message, pkcs7, &error))
    g_assert_true (vtree_pkcs7_names (certificate, pkcs7));
  else
    g_assert_null (strchr (error->message, '\n'));
  return 0;
}
