/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/hash.h"
#include "core/verity.h"
#include "tests/lib/test.h"

#include <string.h>

/* GChecksum is the oracle: it shares no code with OpenSSL. */
static void
test_against_glib (gconstpointer data)
{
  VtreeDigestAlg alg = (VtreeDigestAlg) GPOINTER_TO_INT (data);
  GChecksumType type
    = alg == VTREE_DIGEST_SHA512 ? G_CHECKSUM_SHA512 : G_CHECKSUM_SHA256;
  g_autoptr (GError) error = NULL;
  EVP_MD *md = vtree_hash_fetch (alg, &error);
  g_assert_no_error (error);
  g_auto (VtreeHasher) hasher = { 0 };
  g_assert_true (vtree_hasher_init (&hasher, md, &error));
  const size_t sizes[] = { 0, 1, 63, 64, 65, 4095, 4096 };
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    uint8_t block[VTREE_BLOCK_SIZE] = { 0 };
    uint8_t hash[VTREE_DIGEST_MAX_SIZE];
    memset (block, (int) i + 1, sizes[i]);
    g_assert_true (vtree_hasher_hash (&hasher, block, sizes[i], sizeof block, hash));
    VtreeDigest digest;
    char text[VTREE_DIGEST_TEXT_MAX];
    vtree_digest_init (&digest, alg, hash);
    g_autofree char *expected = g_compute_checksum_for_data (type, block, sizeof block);
    g_assert_cmpstr (vtree_digest_format (&digest, text) + strlen ("sha256:"), ==,
                     expected);
  }
  EVP_MD_free (md);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_data_func ("/core/hash/sha256", GINT_TO_POINTER (VTREE_DIGEST_SHA256),
                        test_against_glib);
  g_test_add_data_func ("/core/hash/sha512", GINT_TO_POINTER (VTREE_DIGEST_SHA512),
                        test_against_glib);
  return vtree_test_run ();
}
