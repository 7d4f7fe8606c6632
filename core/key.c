/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns Ed25519: key ids, public keys from PEM, private key files, signing and
 * verifying. Which key may sign what is decided in trust.c.
 */
#include "core/key.h"

#include "core/certificate-private.h"
#include "core/fd.h"
#include "core/pem.h"
#include "core/publish.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAW_SIZE 32
#define PEM_LABEL "PUBLIC KEY"

/* What stands before the raw key in every Ed25519 SubjectPublicKeyInfo (RFC 8410). */
static const uint8_t spki_prefix[]
  = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
#define SPKI_SIZE (sizeof spki_prefix + RAW_SIZE)

struct VtreePublicKey {
  EVP_PKEY *pkey;
  uint8_t raw[RAW_SIZE];
  VtreeKeyId id;
};

struct VtreePrivateKey {
  EVP_PKEY *pkey;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIO, BIO_free_all)

char *
vtree_key_id_format (const VtreeKeyId *id, char text[VTREE_KEY_ID_TEXT_MAX])
{
  return vtree_text_format_hex (id->bytes, VTREE_KEY_ID_SIZE, text);
}

bool
vtree_key_id_parse (const char *text, VtreeKeyId *id)
{
  VtreeKeyId parsed = { 0 };
  if (strlen (text) != 2 * VTREE_KEY_ID_SIZE
      || !vtree_text_parse_hex (text, parsed.bytes, VTREE_KEY_ID_SIZE))
    return false;
  *id = parsed;
  return true;
}

bool
vtree_key_id_equal (const VtreeKeyId *a, const VtreeKeyId *b)
{
  return memcmp (a->bytes, b->bytes, VTREE_KEY_ID_SIZE) == 0;
}

static VtreePublicKey *
public_key_new (const uint8_t raw[RAW_SIZE], GError **error)
{
  g_autoptr (EVP_PKEY) pkey
    = EVP_PKEY_new_raw_public_key (EVP_PKEY_ED25519, NULL, raw, RAW_SIZE);
  if (pkey == NULL) {
    vtree_error_set (error, VTREE_ERROR_FAILED,
                     "load a public key: this OpenSSL has no Ed25519");
    return NULL;
  }
  VtreePublicKey *key = g_new0 (VtreePublicKey, 1);
  key->pkey = g_steal_pointer (&pkey);
  memcpy (key->raw, raw, RAW_SIZE);
  SHA256 (raw, RAW_SIZE, key->id.bytes);
  return key;
}

static bool
parse_public_pem (const void *pem, size_t size, uint8_t raw[RAW_SIZE], GError **error)
{
  g_autoptr (GBytes) bytes
    = vtree_pem_decode (pem, size, PEM_LABEL, "public key", error);
  if (bytes == NULL)
    return false;
  size_t der_size;
  const uint8_t *der = g_bytes_get_data (bytes, &der_size);
  if (der_size != SPKI_SIZE || memcmp (der, spki_prefix, sizeof spki_prefix) != 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "parse public key: not an Ed25519 key");
  memcpy (raw, der + sizeof spki_prefix, RAW_SIZE);
  return true;
}

VtreePublicKey *
vtree_public_key_new_from_pem (const void *pem, size_t size, GError **error)
{
  uint8_t raw[RAW_SIZE];
  return parse_public_pem (pem, size, raw, error) ? public_key_new (raw, error) : NULL;
}

void
vtree_public_key_free (VtreePublicKey *key)
{
  if (key == NULL)
    return;
  EVP_PKEY_free (key->pkey);
  g_free (key);
}

const VtreeKeyId *
vtree_public_key_id (const VtreePublicKey *key)
{
  return &key->id;
}

char *
vtree_public_key_to_pem (const VtreePublicKey *key)
{
  uint8_t der[SPKI_SIZE];
  memcpy (der, spki_prefix, sizeof spki_prefix);
  memcpy (der + sizeof spki_prefix, key->raw, RAW_SIZE);
  return vtree_pem_encode (der, sizeof der, PEM_LABEL);
}

bool
vtree_public_key_verify (const VtreePublicKey *key, const void *data, size_t size,
                         const uint8_t *signature)
{
  g_autoptr (EVP_MD_CTX) context = EVP_MD_CTX_new ();
  return context != NULL
         && EVP_DigestVerifyInit (context, NULL, NULL, NULL, key->pkey) == 1
         && EVP_DigestVerify (context, signature, VTREE_SIGNATURE_SIZE, data, size)
              == 1;
}

static VtreePrivateKey *
private_key_take (EVP_PKEY *pkey)
{
  VtreePrivateKey *key = g_new0 (VtreePrivateKey, 1);
  key->pkey = pkey;
  return key;
}

VtreePrivateKey *
vtree_private_key_generate (GError **error)
{
  EVP_PKEY *pkey = EVP_PKEY_Q_keygen (NULL, NULL, "ED25519");
  if (pkey == NULL) {
    vtree_error_set (error, VTREE_ERROR_FAILED,
                     "generate a key: OpenSSL can't make an Ed25519 key");
    return NULL;
  }
  return private_key_take (pkey);
}

void
vtree_private_key_free (VtreePrivateKey *key)
{
  if (key == NULL)
    return;
  EVP_PKEY_free (key->pkey);
  g_free (key);
}

bool
vtree_private_key_check_file (int fd, const char *name, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "load private key %s", name);
  if (!S_ISREG (st.st_mode))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "load private key %s: not a regular file", name);
  if (st.st_uid != 0 && st.st_uid != geteuid ())
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "load private key %s: it belongs to uid %ju, not to root "
                            "or this user",
                            name, (uintmax_t) st.st_uid);
  if (st.st_mode & 077)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "load private key %s: others may use it (mode %04o); "
                            "run `chmod 600` on it, or replace it if they did",
                            name, st.st_mode & 07777);
  return true;
}

/* Refuses to ask anybody for the pass phrase of an encrypted key. */
static int
no_pass_phrase (char *buffer, int size, int writing, void *context)
{
  (void) writing;
  if (size > 0)
    buffer[0] = '\0';
  *(bool *) context = true;
  return -1;
}

static VtreePrivateKey *
parse_private_pem (const void *pem, size_t size, const char *name, GError **error)
{
  bool encrypted = false;
  g_autoptr (BIO) bio = BIO_new_mem_buf (pem, (int) size);
  g_autoptr (EVP_PKEY) pkey
    = bio != NULL ? PEM_read_bio_PrivateKey (bio, NULL, no_pass_phrase, &encrypted)
                  : NULL;
  if (pkey != NULL)
    return private_key_take (g_steal_pointer (&pkey));
  const char *cause
    = encrypted ? "encrypted keys are not supported" : "not a PEM private key";
  vtree_error_set (error, VTREE_ERROR_INVALID, "load private key %s: %s", name, cause);
  return NULL;
}

/* Reads the file into memory that is wiped when it is freed. */
static VtreePrivateKey *
load_private (int fd, const char *name, GError **error)
{
  char pem[VTREE_KEY_FILE_MAX];
  size_t size;
  if (!vtree_fd_pread (fd, pem, sizeof pem, 0, &size, error)) {
    g_prefix_error (error, "load private key %s: ", name);
    return NULL;
  }
  VtreePrivateKey *key = NULL;
  if (size < sizeof pem)
    key = parse_private_pem (pem, size, name, error);
  else
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "load private key %s: %d bytes or more", name, VTREE_KEY_FILE_MAX);
  OPENSSL_cleanse (pem, sizeof pem);
  return key;
}

/* Of any kind that OpenSSL can read. */
static VtreePrivateKey *
load_path (const char *path, const char *name, GError **error)
{
  g_auto (VtreeFd) fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && errno == ENOENT)
    vtree_error_set (error, VTREE_ERROR_MISSING,
                     "load private key %s: there is no such file", name);
  else if (fd < 0)
    vtree_error_set_errno (error, errno, "load private key %s", name);
  if (fd < 0 || !vtree_private_key_check_file (fd, name, error))
    return NULL;
  return load_private (fd, name, error);
}

VtreePrivateKey *
vtree_private_key_load (const char *path, GError **error)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  g_autoptr (VtreePrivateKey) key = load_path (path, name, error);
  if (key == NULL)
    return NULL;
  if (EVP_PKEY_get_id (key->pkey) == EVP_PKEY_ED25519)
    return g_steal_pointer (&key);
  vtree_error_set (error, VTREE_ERROR_INVALID,
                   "load private key %s: not an Ed25519 key; RSA and ECDSA keys sign "
                   "with a certificate (--cert)",
                   name);
  return NULL;
}

VtreePrivateKey *
vtree_private_key_load_any (const char *path, GError **error)
{
  g_autofree char *name = vtree_error_escape (path, -1);
  g_autoptr (VtreePrivateKey) key = load_path (path, name, error);
  VtreeAsymmetric kind;
  if (key == NULL)
    return NULL;
  if (vtree_asymmetric_check (key->pkey, &kind, error))
    return g_steal_pointer (&key);
  g_prefix_error (error, "load private key %s: ", name);
  return NULL;
}

EVP_PKEY *
vtree_private_key_peek_key (const VtreePrivateKey *key)
{
  return key->pkey;
}

bool
vtree_private_key_save (const VtreePrivateKey *key, int dirfd, const char *name,
                        GError **error)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_secmem ());
  if (bio == NULL
      || PEM_write_bio_PrivateKey (bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "save private key %s: OpenSSL can't write it", name);
  char *pem;
  long size = BIO_get_mem_data (bio, &pem);
  if (!vtree_publish (dirfd, name, pem, (size_t) size, 0600, VTREE_PUBLISH_EXCLUSIVE,
                      error)) {
    g_prefix_error (error, "save private key: ");
    return false;
  }
  return true;
}

VtreePublicKey *
vtree_private_key_public (const VtreePrivateKey *key, GError **error)
{
  uint8_t raw[RAW_SIZE];
  size_t size = sizeof raw;
  if (EVP_PKEY_get_raw_public_key (key->pkey, raw, &size) != 1 || size != RAW_SIZE) {
    vtree_error_set (error, VTREE_ERROR_FAILED,
                     "derive a public key: OpenSSL can't do it");
    return NULL;
  }
  return public_key_new (raw, error);
}

bool
vtree_private_key_sign (const VtreePrivateKey *key, const void *data, size_t size,
                        uint8_t signature[VTREE_SIGNATURE_SIZE], GError **error)
{
  size_t got = VTREE_SIGNATURE_SIZE;
  g_autoptr (EVP_MD_CTX) context = EVP_MD_CTX_new ();
  if (context == NULL || EVP_DigestSignInit (context, NULL, NULL, NULL, key->pkey) != 1
      || EVP_DigestSign (context, signature, &got, data, size) != 1
      || got != VTREE_SIGNATURE_SIZE)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "sign: OpenSSL can't do it");
  return true;
}
