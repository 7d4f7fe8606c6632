/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A libfsverity whose signing fails, by a function in the place of its own: what is
 * said of it.
 */
#include "core/object-signer.h"
#include "tests/unit/core/certificate.h"

#include <errno.h>
#include <libfsverity.h>

static int failure;

int
libfsverity_sign_digest (const struct libfsverity_digest *digest,
                         const struct libfsverity_signature_params *params,
                         uint8_t **signature, size_t *size)
{
  (void) digest, (void) params, (void) signature;
  *size = 0;
  return -failure;
}

static const struct {
  const char *name;
  GQuark (*domain) (void);
  const char *says;
  int errnum, code;
} rows[] = {
  { "no-signing", vtree_error_quark, "this libfsverity makes no signatures", ENOSYS,
    VTREE_ERROR_UNSUPPORTED },
  { "not-supported", vtree_error_quark, "this libfsverity makes no signatures",
    EOPNOTSUPP, VTREE_ERROR_UNSUPPORTED },
  { "no-algorithm", vtree_error_quark, "no sha256", ENOPKG, VTREE_ERROR_UNSUPPORTED },
  { "not-a-key", vtree_error_quark, "with its certificate", EBADMSG,
    VTREE_ERROR_INVALID },
  { "memory", vtree_errno_error_quark, "sign with", ENOMEM, ENOMEM },
};

static void
test_row (gconstpointer data)
{
  size_t row = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  g_auto (Certificate) certificate = CERTIFICATE_INIT;
  if (!certificate_make (&certificate))
    return;
  failure = rows[row].errnum;
  g_autoptr (VtreeObjectSigner) signer
    = vtree_object_signer_new (certificate.key, certificate.cert, &error);
  g_assert_null (signer);
  vtree_test_assert_error (error, rows[row].domain (), rows[row].code, rows[row].says);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name = g_strconcat ("/core/object-signer/", rows[i].name, NULL);
    g_test_add_data_func (name, GSIZE_TO_POINTER (i), test_row);
  }
  return vtree_test_run ();
}
