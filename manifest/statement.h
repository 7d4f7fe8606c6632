/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root statement: a few lines that name a manifest; what is signed. Parser of
 * untrusted bytes, strict: see doc/formats.md.
 *
 * "vtree-root 1", then lines of "key: value", each ended by LF, in any order and each
 * key once: ref, version, created, manifest, size, and perhaps expires, parent and keys
 * of "x-" and [a-z0-9-]. UTF-8 without control characters; a value is not empty and
 * neither begins nor ends with a space. What is written has the order of
 * VtreeStatement.
 */
#pragma once

#include "core/digest.h"

#define VTREE_STATEMENT_MAX 4096
/* prefix of the signed bytes, its NUL included */
#define VTREE_STATEMENT_CONTEXT "vtree-root-statement-v1"

typedef struct {
  char *ref;
  uint64_t version; /* > 0 */
  int64_t created;  /* seconds since the epoch */
  int64_t expires;  /* 0: never (so no statement can say 1970-01-01T00:00:00Z) */
  VtreeDigest manifest;
  uint64_t size; /* of the manifest, bytes: 1 to INT64_MAX */
  bool has_parent;
  VtreeDigest parent;
  char **extra; /* "x-key", "value", …, NULL; in the order of the file */
} VtreeStatement;

void vtree_statement_free (VtreeStatement *statement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeStatement, vtree_statement_free)

/* Errors: VTREE_ERROR_CORRUPT with the line's number, VTREE_ERROR_UNSUPPORTED for
 * another version of the format. */
VtreeStatement *vtree_statement_parse (const void *data, size_t size, GError **error);
/* Its text; VTREE_ERROR_LIMIT over 4 KiB, VTREE_ERROR_INVALID for what the parser would
 * refuse. */
GBytes *vtree_statement_serialize (const VtreeStatement *statement, GError **error);
/* The bytes that a signature is over: context, NUL, file. */
GBytes *vtree_statement_signed_bytes (GBytes *file);
/* The value of an "x-" key or NULL; borrowed. */
const char *vtree_statement_extra (const VtreeStatement *statement, const char *key);

/* "2026-11-23T18:00:00Z", the only form in a statement: years 1970 to 9999, no leap
 * second. What lies outside is formatted as "@SECONDS", which no parser takes. */
#define VTREE_TIME_MAX INT64_C (253402300799)
char *vtree_time_format (int64_t seconds);
bool vtree_time_parse (const char *text, int64_t *seconds);
