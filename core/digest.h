/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An fs-verity file digest: algorithm and value, as "fsverity digest" prints it.
 * 4096-byte blocks, no salt. Source: Documentation/filesystems/fsverity.rst.
 */
#pragma once

#include "core/error.h"
#include <stddef.h>
#include <stdint.h>

#define VTREE_DIGEST_MAX_SIZE 64
/* "sha512:" + 128 hex digits + NUL */
#define VTREE_DIGEST_TEXT_MAX 136
/* "ab/" + 126 hex digits + NUL */
#define VTREE_DIGEST_PATH_MAX 130

typedef enum {
  VTREE_DIGEST_SHA256 = 1, /* the kernel's FS_VERITY_HASH_ALG_SHA256 */
  VTREE_DIGEST_SHA512 = 2,
} VtreeDigestAlg;

typedef struct {
  VtreeDigestAlg alg;
  uint8_t value[VTREE_DIGEST_MAX_SIZE]; /* bytes after the algorithm's size are zero */
} VtreeDigest;

/* 32 or 64 bytes; ALG must be valid. */
size_t vtree_digest_alg_size (VtreeDigestAlg alg);

/* "sha256" or "sha512". */
const char *vtree_digest_alg_name (VtreeDigestAlg alg);

/* True and *ALG for one of the two names. */
bool vtree_digest_alg_parse (const char *name, VtreeDigestAlg *alg);

/* Parses "sha256:<64 lower-case hex>" exactly. Errors: VTREE_ERROR_INVALID. */
bool vtree_digest_parse (const char *text, VtreeDigest *digest, GError **error);

/* True when TEXT starts like a digest ("sha256:" or "sha512:"). */
bool vtree_digest_looks_like (const char *text);

/* Makes a digest of raw bytes; SIZE must be the algorithm's. */
void vtree_digest_init (VtreeDigest *digest, VtreeDigestAlg alg, const uint8_t *value);

/* The text form, written to TEXT; returns TEXT. */
char *vtree_digest_format (const VtreeDigest *digest, char text[VTREE_DIGEST_TEXT_MAX]);

/* The path below objects/ or merkle/: "ab/cdef…"; returns PATH. */
char *vtree_digest_path (const VtreeDigest *digest, char path[VTREE_DIGEST_PATH_MAX]);

/* The reverse: from the directory name "ab" and the file name "cdef…". False if they
 * are not exactly of that form for ALG. */
bool vtree_digest_from_path (VtreeDigestAlg alg, const char *dir, const char *file,
                             VtreeDigest *digest);

bool vtree_digest_equal (const VtreeDigest *a, const VtreeDigest *b);
int vtree_digest_compare (const VtreeDigest *a, const VtreeDigest *b);

/* For GHashTable, with const VtreeDigest * as keys (XXH3-64 of the value, folded). */
guint vtree_digest_hash (gconstpointer digest);
gboolean vtree_digest_equal_func (gconstpointer a, gconstpointer b);

/* A copy to be freed with g_free(). */
VtreeDigest *vtree_digest_dup (const VtreeDigest *digest);
