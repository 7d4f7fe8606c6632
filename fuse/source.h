/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a mount's SOURCE names: REPO:REF, REPO:sha256:…, the path of a root statement
 * (X.root, with X.sig beside it and ref=), or the path of a manifest (with digest=).
 * Parser of untrusted bytes; it opens nothing.
 */
#pragma once

#include "fuse/options.h"
#include "manifest/ref.h"

typedef enum {
  VTREE_SOURCE_REF,
  VTREE_SOURCE_STATEMENT,
  VTREE_SOURCE_MANIFEST,
} VtreeSourceKind;

typedef struct {
  VtreeSourceKind kind;
  char *path;        /* of the repository, statement or manifest */
  VtreeRefSpec spec; /* VTREE_SOURCE_REF */
} VtreeSource;

/* Frees what it owns. */
void vtree_source_clear (VtreeSource *source);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeSource, vtree_source_clear)

/* SOURCE must be zeroed. TEXT is split at its last ':' that is not part of a digest;
 * OPTIONS say what a path is, and must not contradict. Errors: VTREE_ERROR_INVALID. */
bool vtree_source_parse (VtreeSource *source, const char *text,
                         const VtreeMountOptions *options, GError **error);
