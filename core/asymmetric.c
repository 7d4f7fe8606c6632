/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which algorithms and strengths count, and the calls of OpenSSL that use them.
 * Decides nothing about whom to trust.
 */
#include "core/asymmetric.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <string.h>

#define RSA_BITS_MIN 2048
/* Bounds what one verification costs. */
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_MIN 65537

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIGNUM, BN_free)

static bool
check_rsa (EVP_PKEY *pkey, GError **error)
{
  int bits = EVP_PKEY_get_bits (pkey);
  if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "its RSA key has %d bits; %d to %d are accepted", bits,
                            RSA_BITS_MIN, RSA_BITS_MAX);
  g_autoptr (BIGNUM) exponent = NULL;
  if (EVP_PKEY_get_bn_param (pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1
      || BN_num_bits (exponent) < 17 || !BN_is_odd (exponent))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "the exponent of its RSA key is less than %d",
                            RSA_EXPONENT_MIN);
  return true;
}

static bool
check_curve (EVP_PKEY *pkey, GError **error)
{
  static const char *const curves[]
    = { "prime256v1", "secp384r1", "secp521r1", "P-256", "P-384", "P-521", NULL };
  char name[32];
  size_t length;
  if (EVP_PKEY_get_group_name (pkey, name, sizeof name, &length) == 1
      && g_strv_contains (curves, name))
    return true;
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "its curve is none of P-256, P-384 and P-521");
}

bool
vtree_asymmetric_check (EVP_PKEY *pkey, VtreeAsymmetric *kind, GError **error)
{
  switch (EVP_PKEY_get_base_id (pkey)) {
  case EVP_PKEY_RSA:
    *kind = VTREE_ASYMMETRIC_RSA;
    return check_rsa (pkey, error);
  case EVP_PKEY_EC:
    *kind = VTREE_ASYMMETRIC_ECDSA;
    return check_curve (pkey, error);
  case EVP_PKEY_ED25519:
    *kind = VTREE_ASYMMETRIC_ED25519;
    return true;
  default:
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "its key is none of RSA, ECDSA and Ed25519");
  }
}

VtreeAsymmetricHash
vtree_asymmetric_hash_for (EVP_PKEY *pkey)
{
  int bits = EVP_PKEY_get_security_bits (pkey);
  /* RFC 8419 wants SHA-512 beside Ed25519. */
  if (EVP_PKEY_get_base_id (pkey) == EVP_PKEY_ED25519 || bits > 192)
    return VTREE_ASYMMETRIC_SHA512;
  return bits > 128 ? VTREE_ASYMMETRIC_SHA384 : VTREE_ASYMMETRIC_SHA256;
}

static const EVP_MD *
digest_of (VtreeAsymmetricHash hash)
{
  if (hash == VTREE_ASYMMETRIC_SHA512)
    return EVP_sha512 ();
  return hash == VTREE_ASYMMETRIC_SHA384 ? EVP_sha384 () : EVP_sha256 ();
}

/* NULL for Ed25519. */
static const EVP_MD *
digest_for (EVP_PKEY *pkey, VtreeAsymmetricHash hash)
{
  return EVP_PKEY_get_base_id (pkey) == EVP_PKEY_ED25519 ? NULL : digest_of (hash);
}

size_t
vtree_asymmetric_digest (VtreeAsymmetricHash hash, VtreeSpan data,
                         uint8_t value[VTREE_ASYMMETRIC_HASH_MAX])
{
  unsigned size = 0;
  if (EVP_Digest (data.data, data.size, value, &size, digest_of (hash), NULL) != 1)
    return 0;
  return size;
}

bool
vtree_asymmetric_verify (EVP_PKEY *pkey, VtreeAsymmetricHash hash, VtreeSpan data,
                         VtreeSpan signature)
{
  g_autoptr (EVP_MD_CTX) context = EVP_MD_CTX_new ();
  return context != NULL
         && EVP_DigestVerifyInit (context, NULL, digest_for (pkey, hash), NULL, pkey)
              == 1
         && EVP_DigestVerify (context, signature.data, signature.size, data.data,
                              data.size)
              == 1;
}

GBytes *
vtree_asymmetric_sign (EVP_PKEY *pkey, VtreeAsymmetricHash hash, VtreeSpan data,
                       GError **error)
{
  g_autoptr (EVP_MD_CTX) context = EVP_MD_CTX_new ();
  size_t size = 0;
  if (context == NULL
      || EVP_DigestSignInit (context, NULL, digest_for (pkey, hash), NULL, pkey) != 1
      || EVP_DigestSign (context, NULL, &size, data.data, data.size) != 1) {
    vtree_error_set (error, VTREE_ERROR_FAILED, "sign: OpenSSL can't do it");
    return NULL;
  }
  g_autofree uint8_t *value = g_malloc (size);
  if (EVP_DigestSign (context, value, &size, data.data, data.size) != 1) {
    vtree_error_set (error, VTREE_ERROR_FAILED, "sign: OpenSSL can't do it");
    return NULL;
  }
  return g_bytes_new_take (g_steal_pointer (&value), size);
}
