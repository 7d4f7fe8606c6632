/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ref names, and the refs/ directory of a repository: refs/NAME/{<version>.root,
 * <version>.sig, head}. Nothing here judges signatures: see resolve.h.
 */
#pragma once

#include "core/repo.h"
#include "core/signature.h"
#include "manifest/statement.h"

#define VTREE_REF_MAX 200

/* What a person writes: NAME, NAME@VERSION or sha256:…, optionally :PATH behind it. */
typedef struct {
  char *name; /* NULL for a digest */
  bool has_version;
  uint64_t version;
  bool is_digest;
  VtreeDigest digest;
  char *path; /* NULL without ":PATH" */
} VtreeRefSpec;

/* Frees what SPEC holds; a zeroed one is fine. */
void vtree_ref_spec_clear (VtreeRefSpec *spec);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeRefSpec, vtree_ref_spec_clear)

/* True for a valid ref name; else VTREE_ERROR_INVALID saying which rule it breaks. */
bool vtree_ref_check_name (const char *name, GError **error);
/* WITH_PATH: whether ":PATH" may follow. */
bool vtree_ref_spec_parse (const char *text, bool with_path, VtreeRefSpec *spec,
                           GError **error);

/* True for a FILE "<version>SUFFIX", as a ref's directory has them. */
bool vtree_ref_parse_file (const char *file, const char *suffix, uint64_t *version);

/* Names of all refs, sorted, NULL-terminated. STRAYS (may be NULL) gets the path below
 * refs/, unescaped, of all that is passed over since it is no ref, nor belongs to one
 * (char *, owned by the array, which has to free them). */
char **vtree_refs_list (const VtreeRepo *repo, GPtrArray *strays, GError **error);
/* Removes what a deletion that was killed has left: signatures without their statement,
 * empty directories. Adds the signatures to *COUNT; DRY_RUN only counts. Exclusive
 * lock, unless it is a dry run. Needs no free space. */
bool vtree_refs_clean (const VtreeRepo *repo, bool dry_run, uint64_t *count,
                       GError **error);
/* Versions of NAME, ascending (GArray of uint64_t), whatever stands under their names;
 * VTREE_ERROR_MISSING without the ref. */
GArray *vtree_refs_versions (const VtreeRepo *repo, const char *name, GError **error);
/* *FOUND false where NAME has no head (yet). */
bool vtree_refs_head (const VtreeRepo *repo, const char *name, bool *found,
                      uint64_t *version, GError **error);
/* Statement and signature bytes of NAME@VERSION. *SIG is NULL where it is unsigned.
 * VTREE_ERROR_MISSING without the statement. */
bool vtree_refs_load (const VtreeRepo *repo, const char *name, uint64_t version,
                      GBytes **root, GBytes **sig, GError **error);

/* One writer a ref: takes NAME's lock (made if missing) until *FD is closed; WAIT
 * seconds, -1 for ever. VTREE_ERROR_BUSY. */
bool vtree_refs_lock (const VtreeRepo *repo, const char *name, int wait, VtreeFd *fd,
                      GError **error);
/* Writes <version>.sig, unless SIG is NULL, and then <version>.root, each durable
 * before it is visible: no version that shall have a signature is ever without one.
 * What the statement names has to be durable already. An existing other statement of
 * that version is an error; where there is none, a signature that lies there is
 * replaced, or removed if SIG is NULL. SEAL says how they are sealed, NULL: as the
 * repository's configuration does. Exclusive lock on the ref. */
bool vtree_refs_put (const VtreeRepo *repo, const char *name, uint64_t version,
                     GBytes *root, GBytes *sig, const VtreeSeal *seal, GError **error);
/* Replaces the signature file, synced; SEAL as above. */
bool vtree_refs_put_signature (const VtreeRepo *repo, const char *name,
                               uint64_t version, GBytes *sig, const VtreeSeal *seal,
                               GError **error);
/* Moves head to VERSION, atomically, synced. */
bool vtree_refs_set_head (const VtreeRepo *repo, const char *name, uint64_t version,
                          GError **error);
/* Removes one version's files (not what head names), or the whole ref. Exclusive
 * lock. */
bool vtree_refs_remove_version (const VtreeRepo *repo, const char *name,
                                uint64_t version, GError **error);
bool vtree_refs_remove (const VtreeRepo *repo, const char *name, GError **error);
