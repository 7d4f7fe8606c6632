/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tree exports: its vtree.ini, desktop files, icons, D-Bus services and
 * commands, read out of the store (each byte verified) and written anew
 * (manifest/export-text.h). No mount, nothing written.
 */
#pragma once

#include "core/store.h"
#include "manifest/export-text.h"
#include "manifest/view.h"

typedef struct {
  char *path; /* "share/applications/hello.desktop": simple names, no ".." */
  GBytes *bytes;
  mode_t mode;
} VtreeExport;

typedef struct {
  GPtrArray *files; /* VtreeExport * */
  GPtrArray *notes; /* char *: what is not exported, and why */
} VtreeExports;

void vtree_exports_free (VtreeExports *exports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeExports, vtree_exports_free)

/* All that VIEW, which has passed vtree_check_manifest(), exports under RUNNER's name.
 * A file that can't be exported is a note. Errors: VTREE_ERROR_CORRUPT (a byte that was
 * not signed), VTREE_ERROR_MISSING (an object), VTREE_ERRNO_ERROR. */
VtreeExports *vtree_exports_collect (VtreeView *view, const VtreeStore *store,
                                     const VtreeExportRunner *runner, GError **error);
