/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options that choose who signs, the same for every verb that does, and those of
 * built-in signatures, the same for every verb that writes files with verity. */
#pragma once

#include "cli/keyring.h"
#include "core/object-signer.h"
#include "core/repo.h"
#include "core/signer.h"

typedef struct {
  char **names;  /* --key */
  char **files;  /* --key-file */
  char *cert;    /* --cert */
  char *command; /* --sign-command */
} VtreeSigningWords;

/* Frees what WORDS holds; a zeroed one is fine. */
void vtree_signing_words_clear (VtreeSigningWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeSigningWords, vtree_signing_words_clear)

/* Appends the GOptionEntries to ENTRIES; they point into WORDS. */
void vtree_signing_words_add (VtreeSigningWords *words, GArray *entries);

/* Whether the person chose a signer at all. */
bool vtree_signing_words_given (const VtreeSigningWords *words);

/* Whom WORDS choose: the keys that are named, or the default one; the certificate with
 * its key; the command with what it signs for. A list of VtreeSigner * that owns them,
 * for vtree_signers_sign(). Errors: as vtree_keyring_load()'s; VTREE_ERROR_INVALID
 * where the words don't go together. */
GPtrArray *vtree_signing_words_signers (const VtreeSigningWords *words,
                                        const VtreePaths *paths, GError **error);

typedef struct {
  char *key;  /* --object-key */
  char *cert; /* --object-cert */
} VtreeObjectWords;

/* Frees what WORDS holds; a zeroed one is fine. */
void vtree_object_words_clear (VtreeObjectWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeObjectWords, vtree_object_words_clear)

/* Appends the GOptionEntries to ENTRIES; they point into WORDS. */
void vtree_object_words_add (VtreeObjectWords *words, GArray *entries);

/* *SIGNER (owned) is what WORDS name, NULL where they name nothing. */
bool vtree_object_words_load (const VtreeObjectWords *words, VtreeObjectSigner **signer,
                              GError **error);

/* How REPO's own files are sealed: as its configuration says where SIGNER is NULL; else
 * signed by it, and then it is an error that they can't be: VTREE_ERROR_UNSUPPORTED,
 * VTREE_ERRNO_ERROR. */
bool vtree_object_words_seal (const VtreeRepo *repo, const VtreeObjectSigner *signer,
                              VtreeSeal *seal, GError **error);

/* Has REPO's configuration signed as SEAL says; nothing where that has no signer. WAIT
 * as for vtree_repo_lock(). */
bool vtree_object_words_sign_config (const VtreeRepo *repo, const VtreeSeal *seal,
                                     int wait, GError **error);
