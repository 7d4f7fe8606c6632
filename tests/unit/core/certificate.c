/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the calls of the openssl command for certificates.
 */
#include "tests/unit/core/certificate.h"

void
certificate_run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  int status = -1;
  g_spawn_sync (NULL, (char **) (void *) argv, NULL,
                G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL
                  | G_SPAWN_STDERR_TO_DEV_NULL,
                NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
}

bool
certificate_make (Certificate *certificate)
{
  g_autofree char *openssl = g_find_program_in_path ("openssl");
  if (openssl == NULL) {
    vtree_test_skip ("no openssl command");
    return false;
  }
  g_autofree char *dir = vtree_test_make_dir ();
  certificate->key = g_build_filename (dir, "key.pem", NULL);
  certificate->cert = g_build_filename (dir, "cert.pem", NULL);
  const char *const argv[] = { openssl,    "req",
                               "-x509",    "-newkey",
                               "rsa:2048", "-nodes",
                               "-subj",    "/CN=vtree test",
                               "-days",    "2",
                               "-keyout",  certificate->key,
                               "-out",     certificate->cert,
                               NULL };
  certificate_run (argv);
  return true;
}

void
certificate_clear (Certificate *certificate)
{
  g_free (certificate->key);
  g_free (certificate->cert);
}
