/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ed25519 keys (OpenSSL EVP). Key id = SHA-256 of the raw 32-byte public key. Keys of
 * other kinds sign through a certificate: see certificate.h and pkcs7.h.
 */
#pragma once

#include "core/error.h"
#include <stddef.h>
#include <stdint.h>

#define VTREE_KEY_ID_SIZE 32
/* 64 hex digits and NUL */
#define VTREE_KEY_ID_TEXT_MAX 65
#define VTREE_SIGNATURE_SIZE 64
/* A PEM file longer than this is refused, a certificate's too. */
#define VTREE_KEY_FILE_MAX 16384

typedef struct {
  uint8_t bytes[VTREE_KEY_ID_SIZE];
} VtreeKeyId;

/* Lower-case hex; returns TEXT. */
char *vtree_key_id_format (const VtreeKeyId *id, char text[VTREE_KEY_ID_TEXT_MAX]);
/* Exactly 64 lower-case hex digits. */
bool vtree_key_id_parse (const char *text, VtreeKeyId *id);
bool vtree_key_id_equal (const VtreeKeyId *a, const VtreeKeyId *b);

typedef struct VtreePublicKey VtreePublicKey;
typedef struct VtreePrivateKey VtreePrivateKey;

/* Parses one PEM SubjectPublicKeyInfo ("-----BEGIN PUBLIC KEY-----", as `openssl pkey
 * -pubout` writes it; line ends may be CR LF). Anything but Ed25519, text before it or
 * behind it, or a second key is VTREE_ERROR_INVALID. */
VtreePublicKey *vtree_public_key_new_from_pem (const void *pem, size_t size,
                                               GError **error);
void vtree_public_key_free (VtreePublicKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePublicKey, vtree_public_key_free)
const VtreeKeyId *vtree_public_key_id (const VtreePublicKey *key);
/* PEM text as OpenSSL writes it, to be freed. */
char *vtree_public_key_to_pem (const VtreePublicKey *key);
/* True if SIGNATURE (VTREE_SIGNATURE_SIZE bytes) is KEY's over the SIZE bytes at
 * DATA. */
bool vtree_public_key_verify (const VtreePublicKey *key, const void *data, size_t size,
                              const uint8_t *signature);

/* A new Ed25519 key from the system's random numbers. */
VtreePrivateKey *vtree_private_key_generate (GError **error);
/* Loads a PEM private key file (PKCS #8, not encrypted): regular (symlinks are
 * followed), owned by this user or root, no permission for group and others; otherwise
 * VTREE_ERROR_UNTRUSTED. VTREE_ERROR_MISSING if there is none, VTREE_ERROR_INVALID if
 * it is no Ed25519 private key. */
VtreePrivateKey *vtree_private_key_load (const char *path, GError **error);
/* The file's part of that: what an open private key file has to be. NAME (escaped) is
 * for the message. */
bool vtree_private_key_check_file (int fd, const char *name, GError **error);
/* As vtree_private_key_load(), for a key of any kind that core/asymmetric.h knows, to
 * sign with its certificate (core/pkcs7.h). */
VtreePrivateKey *vtree_private_key_load_any (const char *path, GError **error);
/* Writes PEM to NAME beneath DIRFD, mode 0600, never over an existing file (EEXIST),
 * synced. */
bool vtree_private_key_save (const VtreePrivateKey *key, int dirfd, const char *name,
                             GError **error);
void vtree_private_key_free (VtreePrivateKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePrivateKey, vtree_private_key_free)
VtreePublicKey *vtree_private_key_public (const VtreePrivateKey *key, GError **error);
bool vtree_private_key_sign (const VtreePrivateKey *key, const void *data, size_t size,
                             uint8_t signature[VTREE_SIGNATURE_SIZE], GError **error);
