/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mount helper mount.fuse.vtree, as a child of ours. */
#pragma once

#include "cli/command.h"
#include "core/digest.h"

/* Mounts SOURCE on DIR (absolute) with OPTIONS ("" for none), and returns when the tree
 * is usable. The helper says what there is to note, unless CLI is quiet. Errors: the
 * helper's own, with their codes. */
bool vtree_mounter_mount (const VtreeCli *cli, const char *source, const char *dir,
                          const char *options, GError **error);

/* The same in the foreground: this process becomes the helper, so that who started it
 * has to do with one. Returns only on errors. */
bool vtree_mounter_become (const VtreeCli *cli, const char *source, const char *dir,
                           const char *options, GError **error);

/* *MANIFEST is that of the tree which is mounted on DIR, as its daemon says. Errors:
 * VTREE_ERRNO_ERROR (ENOTTY: no mount of ours), VTREE_ERROR_CORRUPT. */
bool vtree_mounter_ask (const char *dir, VtreeDigest *manifest, GError **error);

/* What is mounted on DIR has to be MANIFEST: else VTREE_ERROR_CORRUPT, or as for
 * vtree_mounter_ask(). */
bool vtree_mounter_check (const char *dir, const VtreeDigest *manifest, GError **error);

/* *MOUNTED: a tree of ours stands on DIR and answers. One whose daemon has ended is
 * removed. */
bool vtree_mounter_look (const VtreeCli *cli, const char *dir, bool *mounted,
                         GError **error);

/* Unmounts what stands on DIR and answers everything with ENOTCONN, its daemon having
 * ended; it is said. Errors: it is no mount of ours; those of
 * vtree_mounts_unmount(). */
bool vtree_mounter_remove_stale (const VtreeCli *cli, const char *dir, GError **error);
