/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seal of one plain file: a few lines that say what the file is called and what it
 * is, with signatures. Parser of untrusted bytes, strict: see doc/formats.md.
 *
 * A seal is a statement, an empty line, and the bytes of a .sig file
 * (core/signature.h). The statement is written in one way only:
 *
 *   vtree-seal 1
 *   name: ~/.bashrc          printable ASCII; other bytes, the space and '%' as %xx
 *   version: 3
 *   created: 2026-11-23T18:00:00Z
 *   digest: sha256:…         of the contents
 *   size: 3526
 *   mode: 0644
 *
 * What is signed begins with a context of its own, so that no signature over a root
 * statement is one over a seal, nor the reverse.
 */
#pragma once

#include "core/mark.h"
#include "core/trust.h"
#include "manifest/statement.h"

/* prefix of the signed bytes, its NUL included */
#define VTREE_FILE_SEAL_CONTEXT "vtree-file-seal-v1"
/* What stands for all sealed files where a key's prefix is asked for (keys.d/@files).
 * No ref is called so: '@' begins no component of one. */
#define VTREE_FILE_SEAL_REF "@files"
#define VTREE_FILE_SEAL_XATTR "user.vtree-seal"
/* FILE.vsig: a detached seal */
#define VTREE_FILE_SEAL_SUFFIX ".vsig"
/* bytes of a name: a path that can be opened */
#define VTREE_FILE_SEAL_NAME_MAX 4095
#define VTREE_FILE_SEAL_STATEMENT_MAX 16384
/* bytes of a whole seal */
#define VTREE_FILE_SEAL_MAX                                                            \
  (VTREE_FILE_SEAL_STATEMENT_MAX + 1 + VTREE_SIGNATURE_FILE_MAX)
/* permission bits that a seal can vouch for: the set-id ones need an owner */
#define VTREE_FILE_SEAL_MODE_MASK 01777u

typedef struct {
  char *name;       /* any bytes but NUL: 1 to VTREE_FILE_SEAL_NAME_MAX */
  uint64_t version; /* > 0 */
  int64_t created;  /* seconds since the epoch, 0 to VTREE_TIME_MAX */
  VtreeDigest digest;
  uint64_t size; /* 0 to INT64_MAX */
  uint32_t mode; /* within VTREE_FILE_SEAL_MODE_MASK */
} VtreeFileSeal;

void vtree_file_seal_free (VtreeFileSeal *seal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeFileSeal, vtree_file_seal_free)

/* Reads a statement. Errors: VTREE_ERROR_CORRUPT with the line's number,
 * VTREE_ERROR_UNSUPPORTED for another version of the format. */
VtreeFileSeal *vtree_file_seal_parse (const void *data, size_t size, GError **error);
/* The statement's text; SEAL is within the bounds above (asserted). */
GBytes *vtree_file_seal_serialize (const VtreeFileSeal *seal);
/* The bytes that a signature is over: context, NUL, statement. */
GBytes *vtree_file_seal_signed_bytes (GBytes *statement);

/* Cuts a whole seal into its statement and the bytes of its signatures; judges neither.
 * Errors: VTREE_ERROR_CORRUPT. */
bool vtree_file_seal_split (GBytes *whole, GBytes **statement, GBytes **signatures,
                            GError **error);
/* The reverse. */
GBytes *vtree_file_seal_join (GBytes *statement, const VtreeSignatures *signatures);

/* Nothing of WHOLE's statement is looked at before a trusted signature over it has been
 * found. STATEMENT gets its bytes, KEY is borrowed from TRUST. Errors:
 * VTREE_ERROR_UNTRUSTED, VTREE_ERROR_CORRUPT, VTREE_ERROR_UNSUPPORTED. */
VtreeFileSeal *vtree_file_seal_verify (GBytes *whole, const VtreeTrust *trust,
                                       GBytes **statement, const VtreeTrustKey **key,
                                       GError **error);

/* NAME as it is written in a statement, and back: NULL for what is not written so. */
char *vtree_file_seal_name_encode (const char *name);
char *vtree_file_seal_name_decode (const char *text);

/* What NAME's mark is kept under instead of a ref (core/mark.h): "@files/" and the
 * SHA-256 of NAME in hexadecimal. To be freed. */
char *vtree_file_seal_mark_ref (const char *name);
/* Whether REF is such a thing. */
bool vtree_file_seal_is_mark_ref (const char *ref);
/* What a mark has of a seal: version, fs-verity digest of the statement, time. */
bool vtree_file_seal_to_mark (const VtreeFileSeal *seal, GBytes *statement,
                              VtreeMark *mark, GError **error);
/* Makes MARK one of a version that no seal has: of zeros. And whether it is such. */
void vtree_file_seal_burn_mark (VtreeMark *mark, uint64_t version);
bool vtree_file_seal_is_burnt (const VtreeMark *mark);
