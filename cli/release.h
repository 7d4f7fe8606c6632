/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One version of a ref as a person looks at it: what it says, who signed it, and what
 * vtree_resolve() thinks of it. Here statements are parsed before a signature has been
 * verified, in order to be shown as what they are.
 */
#pragma once

#include "cli/json.h"
#include "manifest/resolve.h"

typedef struct {
  const VtreeRepo *repo;   /* borrowed */
  const VtreePaths *paths; /* borrowed */
  const VtreeTrust *trust; /* borrowed */
} VtreeReleaseSource;

typedef struct {
  char *name; /* of the ref */
  uint64_t version;
  GBytes *root;
  GBytes *sig;                 /* NULL: unsigned */
  VtreeStatement *statement;   /* NULL: malformed */
  VtreeSignatures *signatures; /* NULL: unsigned or malformed */
  VtreeResolved *accepted;     /* NULL: it is not */
  GError *verdict;             /* why it is not; NULL where it is */
} VtreeRelease;

/* Frees what RELEASE holds; a zeroed one is fine. */
void vtree_release_clear (VtreeRelease *release);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeRelease, vtree_release_clear)

/* The version that a bare NAME means to a person: its head, else the newest. */
bool vtree_release_default_version (const VtreeRepo *repo, const char *name,
                                    uint64_t *version, GError **error);

/* Loads SPEC (a name) at VERSION into the zeroed RELEASE. The verdict is on what
 * SPEC says: a bare name is held against its mark. Errors: VTREE_ERROR_MISSING, and
 * what keeps the files from being read; a bad statement or signature is a verdict. */
bool vtree_release_load (const VtreeReleaseSource *source, const VtreeRefSpec *spec,
                         uint64_t version, VtreeRelease *release, GError **error);

/* Whether LINE is a good signature for RELEASE; the reason in *REASON (to be freed)
 * where it is not. */
bool vtree_release_judge_line (const VtreeRelease *release, const VtreeTrust *trust,
                               const VtreeSignatureLine *line, char **reason);

/* "ID (NAME)" or "certificate ID (NAME: SUBJECT, valid FROM to TO)", whoever signed
 * RESOLVED, which has a statement; to be freed. */
char *vtree_release_describe_signer (const VtreeResolved *resolved);

/* Members "signed_by", "signer", and "certificate": null, or what a certificate says;
 * RESOLVED may be NULL. */
void vtree_release_add_signer_json (const VtreeResolved *resolved, VtreeJson *json);

/* Members "version", "accepted", "problem", "signed_by", "signer", "certificate". */
void vtree_release_add_verdict_json (const VtreeRelease *release, VtreeJson *json);

/* Members of the statement: "created" and so on, null where it is malformed. */
void vtree_release_add_statement_json (const VtreeRelease *release, VtreeJson *json);
