/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a name to a trusted manifest: signature, ref binding, expiry, mark. The one
 * place that decides; mount and every verb that trusts go through it.
 *
 * Order: signature over the bytes (trust) -> parse -> ref equal -> digest= ->
 * min_version -> mark -> version equal to the file's name -> expiry -> mark raised and
 * synced -> manifest opened and its digest bound.
 *
 * What may be older than the mark: a version that is named (NAME@V) or a manifest that
 * is pinned (digest=); that is noted and lowers no mark. `force` accepts a version
 * below the mark, another manifest at it, and one that has expired, each with a note;
 * it changes no mark either (`vtree mark reset` does), and accepts no bad signature and
 * nothing below min_version. Nothing can name another manifest at the mark's version
 * but digest= and force.
 *
 * The caller holds the repository's shared lock from before vtree_resolve() until after
 * vtree_resolved_open(): then gc can't remove the manifest between them.
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
  bool force;                /* accept below the mark and expired: the notes say so */
  bool raise_mark;           /* true for mount and verify; false for looking */
} VtreeResolveOptions;

/* What has been accepted. */
typedef struct {
  VtreeStatement *statement; /* NULL for a manifest pinned by digest alone */
  GBytes *root, *sig; /* the bytes that were accepted, both NULL without statement */
  VtreeDigest manifest;
  uint64_t manifest_size; /* bytes */
  VtreeKeyId key; /* that signed, or the certificate's; unset without statement */
  char *key_name;
  char *subject; /* of the certificate that signed; NULL where a key did */
  int64_t not_before, not_after; /* the certificate's, which are shown, not judged */
  GPtrArray *notes; /* char *: what was forced or overridden, for log and stderr */
} VtreeResolved;

void vtree_resolved_free (VtreeResolved *resolved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeResolved, vtree_resolved_free)

/* Resolves SPEC in REPO (its path is not looked at). Errors: UNTRUSTED (signature, key,
 * another ref), ROLLBACK, EXPIRED, MISSING, CORRUPT (malformed, digest=), or that the
 * state directory can't be read or written (a note where digest= or min_version= is
 * given). A spec that is a digest has no statement: its size is what the store has, for
 * vtree_resolved_open() to check. */
VtreeResolved *vtree_resolve (const VtreeRepo *repo, const VtreeRefSpec *spec,
                              const VtreeResolveOptions *options, GError **error);

/* The same for a statement outside a repository; REF (a checked name) is what it has to
 * be for, SIG may be NULL. */
VtreeResolved *vtree_resolve_statement (const char *ref, GBytes *root, GBytes *sig,
                                        const VtreeResolveOptions *options,
                                        GError **error);

/* Raises the mark to RESOLVED, which was resolved without raise_mark: for who looks
 * first whether all of it is there. What OPTIONS forced in place of the mark's own
 * manifest leaves the mark alone. Errors: those of vtree_mark_raise(). */
bool vtree_resolved_raise_mark (const VtreeResolved *resolved,
                                const VtreeResolveOptions *options, GError **error);

/* Opens the manifest as an object of STORE, takes LOCK_SH on it (kept as long as the
 * view lives) and opens the view. CORRUPT if size or digest differ (a block deeper in
 * it is checked when it is read), BUSY if a gc is removing it just now. */
VtreeView *vtree_resolved_open (const VtreeResolved *resolved, const VtreeStore *store,
                                VtreeVerityPolicy policy, GError **error);
