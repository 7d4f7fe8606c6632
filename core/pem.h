/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file that is exactly one PEM block (RFC 7468) and nothing else, as OpenSSL writes
 * it. Parser of untrusted bytes.
 */
#pragma once

#include "core/bytes.h"
#include "core/error.h"

/* True if the SIZE bytes at PEM begin with the line "-----BEGIN LABEL-----". */
bool vtree_pem_is (const void *pem, size_t size, const char *label);

/* The bytes in the one block LABEL ("PUBLIC KEY") that PEM is: line ends LF or CR LF,
 * no header, no text before or behind it, at most VTREE_KEY_FILE_MAX bytes. WHAT
 * ("public key") is for the messages. Errors: VTREE_ERROR_INVALID, one of its own where
 * a private key was given by mistake. */
GBytes *vtree_pem_decode (const void *pem, size_t size, const char *label,
                          const char *what, GError **error);

/* The text of a block LABEL with the SIZE bytes at DATA, lines of 64 characters; to be
 * freed. */
char *vtree_pem_encode (const void *data, size_t size, const char *label);
