/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the use of libfsverity for signing. Enables nothing: see seal.c. libfsverity
 * reads the two files itself, so what is checked here beforehand is for the messages'
 * sake, and that nobody is asked for a pass phrase.
 */
#include "core/object-signer.h"

#include "core/fd.h"
#include "core/key.h"
#include <errno.h>
#include <fcntl.h>
#include <libfsverity.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are looked at. */
#define PEM_MAX 65536

struct VtreeObjectSigner {
  char *key_file;
  char *cert_file;
};

/* --- the two files ---------------------------------------------------------------- */

static bool
set_open_error (GError **error, const char *what, const char *path)
{
  int errnum = errno;
  g_autofree char *name = vtree_error_escape (path, -1);
  if (errnum == ENOENT)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "load %s %s: there is no such file", what, name);
  return vtree_error_set_errno (error, errnum, "load %s %s", what, name);
}

static bool
set_malformed (GError **error, const char *what, const char *path, const char *cause)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID, "load %s %s: %s", what, name,
                          cause);
}

/* LABEL has to be in it. What is read may be secret: it is wiped. */
static bool
check_pem (int fd, const char *path, const char *what, const char *label,
           GError **error)
{
  size_t got;
  g_autofree char *text = g_malloc0 (PEM_MAX + 1);
  if (!vtree_fd_pread (fd, text, PEM_MAX, 0, &got, error)) {
    g_autofree char *name = vtree_error_escape (path, -1);
    g_prefix_error (error, "load %s %s: ", what, name);
    return false;
  }
  bool encrypted = strstr (text, "ENCRYPTED") != NULL;
  bool found = strstr (text, label) != NULL;
  OPENSSL_cleanse (text, PEM_MAX);
  if (encrypted)
    return set_malformed (error, what, path, "encrypted keys are not supported");
  return found || set_malformed (error, what, path, "it is not PEM");
}

static bool
check_key_file (const char *path, GError **error)
{
  static const char what[] = "object key";
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return set_open_error (error, what, path);
  g_autofree char *name = vtree_error_escape (path, -1);
  return vtree_private_key_check_file (fd, name, error)
         && check_pem (fd, path, what, "PRIVATE KEY-----", error);
}

static bool
check_cert_file (const char *path, GError **error)
{
  static const char what[] = "object certificate";
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return set_open_error (error, what, path);
  return check_pem (fd, path, what, "-----BEGIN CERTIFICATE-----", error);
}

/* --- signing ---------------------------------------------------------------------- */

static GBytes *
sign (const VtreeObjectSigner *signer, const VtreeDigest *digest, int *errnum)
{
  union {
    struct libfsverity_digest digest;
    uint8_t room[sizeof (struct libfsverity_digest) + VTREE_DIGEST_MAX_SIZE];
  } message = { .digest = { 0 } };
  size_t size = vtree_digest_alg_size (digest->alg);
  message.digest.digest_algorithm = (uint16_t) digest->alg;
  message.digest.digest_size = (uint16_t) size;
  memcpy (message.room + sizeof (struct libfsverity_digest), digest->value, size);
  const struct libfsverity_signature_params params
    = { .keyfile = signer->key_file, .certfile = signer->cert_file };
  uint8_t *signature = NULL;
  size_t signature_size = 0;
  *errnum
    = -libfsverity_sign_digest (&message.digest, &params, &signature, &signature_size);
  if (*errnum != 0)
    return NULL;
  return g_bytes_new_with_free_func (signature, signature_size, free, signature);
}

GBytes *
vtree_object_signer_sign (const VtreeObjectSigner *signer, const VtreeDigest *digest,
                          GError **error)
{
  int errnum;
  GBytes *signature = sign (signer, digest, &errnum);
  if (signature != NULL)
    return signature;
  g_autofree char *key = vtree_error_escape (signer->key_file, -1);
  g_autofree char *cert = vtree_error_escape (signer->cert_file, -1);
  if (errnum == EBADMSG || errnum == EINVAL)
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "sign with %s and %s: no private key with its certificate, or "
                     "of a kind that PKCS#7 has not",
                     key, cert);
  else if (errnum == ENOSYS || errnum == EOPNOTSUPP || errnum == ENOPKG)
    vtree_error_set (
      error, VTREE_ERROR_UNSUPPORTED,
      "sign with %s and %s: this libfsverity makes no signatures, or its "
      "OpenSSL has no %s",
      key, cert, vtree_digest_alg_name (digest->alg));
  else
    vtree_error_set_errno (error, errnum, "sign with %s and %s", key, cert);
  return NULL;
}

/* --- beginning and end ------------------------------------------------------------ */

static bool
try_once (const VtreeObjectSigner *signer, GError **error)
{
  static const uint8_t zeros[VTREE_DIGEST_MAX_SIZE];
  VtreeDigest digest;
  vtree_digest_init (&digest, VTREE_DIGEST_SHA256, zeros);
  g_autoptr (GBytes) signature = vtree_object_signer_sign (signer, &digest, error);
  return signature != NULL;
}

VtreeObjectSigner *
vtree_object_signer_new (const char *key_file, const char *cert_file, GError **error)
{
  if (!check_key_file (key_file, error) || !check_cert_file (cert_file, error))
    return NULL;
  g_autoptr (VtreeObjectSigner) signer = g_new0 (VtreeObjectSigner, 1);
  signer->key_file = g_strdup (key_file);
  signer->cert_file = g_strdup (cert_file);
  return try_once (signer, error) ? g_steal_pointer (&signer) : NULL;
}

void
vtree_object_signer_free (VtreeObjectSigner *signer)
{
  if (signer == NULL)
    return;
  g_free (signer->key_file);
  g_free (signer->cert_file);
  g_free (signer);
}
