/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a name to a trusted manifest: signature, ref binding, expiry, mark. The one
 * place that decides; mount and every verb that trusts go through it.
 *
 * Order: signature over the bytes (trust) -> parse -> ref equal -> min_version -> mark
 * -> expiry -> mark raised and synced -> manifest opened and its digest bound.
 */
#pragma once

#include "core/store.h"
#include "core/trust.h"
#include "manifest/ref.h"
#include "manifest/view.h"

typedef struct {
  const VtreePaths *paths;
  const char *key_file;      /* key=: replaces the keys.d directories; may be NULL */
  const VtreeDigest *digest; /* digest=: must be this manifest; may be NULL */
  uint64_t min_version;      /* 0: none */
  bool force;                /* accept below the mark and expired: *LOG says so */
  bool raise_mark;           /* true for mount and verify; false for looking */
  VtreeVerityPolicy verity;  /* for reading the manifest */
} VtreeResolveOptions;

/* What has been accepted. */
typedef struct {
  VtreeStatement *statement; /* NULL for a manifest pinned by digest alone */
  VtreeDigest manifest;
  uint64_t manifest_size; /* bytes */
  VtreeKeyId key;         /* that signed; unset without a statement */
  char *key_name;
  GPtrArray *notes; /* char *: what was forced or overridden, for log and stderr */
} VtreeResolved;

void vtree_resolved_free (VtreeResolved *resolved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeResolved, vtree_resolved_free)

/* Resolves SPEC in REPO. Errors: UNTRUSTED, ROLLBACK, EXPIRED, MISSING, CORRUPT. */
VtreeResolved *vtree_resolve (const VtreeRepo *repo, const VtreeRefSpec *spec,
                              const VtreeResolveOptions *options, GError **error);

/* The same for a statement outside a repository; REF is what it has to be for. */
VtreeResolved *vtree_resolve_statement (const char *ref, GBytes *root, GBytes *sig,
                                        const VtreeResolveOptions *options,
                                        GError **error);

/* Opens the manifest as an object of STORE, takes LOCK_SH on it (kept as long as the
 * view lives) and opens the view. CORRUPT if size or digest differ. */
VtreeView *vtree_resolved_open (const VtreeResolved *resolved, const VtreeStore *store,
                                VtreeVerityPolicy policy, GError **error);
