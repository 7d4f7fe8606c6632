/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What verbs that add packs say of repacking, or do. */
#pragma once

#include "cli/command.h"
#include "core/object-signer.h"
#include "core/repo.h"

/* Where folding packs would pay, says so, or does it if the configuration's auto-repack
 * is true; then with built-in signatures by SIGNER (NULL: none). The caller holds no
 * lock of the repository. Errors: vtree_repack()'s, but for VTREE_ERROR_BUSY, which is
 * said only. */
bool vtree_repacking_consider (const VtreeCli *cli, const VtreeRepo *repo,
                               const VtreeObjectSigner *signer, GError **error);

/* The same where the caller knows that it pays, by DEAD bytes. */
bool vtree_repacking_do (const VtreeCli *cli, const VtreeRepo *repo,
                         const VtreeObjectSigner *signer, uint64_t dead,
                         GError **error);
