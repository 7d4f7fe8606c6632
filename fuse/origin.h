/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a source to what can be mounted: trust decided, manifest open, store open.
 */
#pragma once

#include "core/paths.h"
#include "fuse/fs.h"
#include "fuse/source.h"
#include "manifest/resolve.h"

typedef struct {
  VtreeRepo *repo; /* NULL for a bare directory of objects */
  VtreeStore *store;
  VtreeView *view;
  VtreeResolved *resolved; /* NULL for a manifest pinned by its digest alone */
  VtreeDigest manifest;
  VtreeEnforcer enforcer; /* of the manifest */
} VtreeOrigin;

/* Closes everything. */
void vtree_origin_clear (VtreeOrigin *origin);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeOrigin, vtree_origin_clear)

/* ORIGIN must be zeroed. FAKE: look only, raise no mark. Errors: those of resolve.h and
 * store.h, each with what it was about. */
bool vtree_origin_open (VtreeOrigin *origin, const VtreeSource *source,
                        const VtreeMountOptions *options, const VtreePaths *paths,
                        bool fake, GError **error);

/* True when root without capabilities could not read all of the store. */
bool vtree_origin_needs_privilege (const VtreeOrigin *origin);
