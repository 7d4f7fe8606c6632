/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A writable layer for a verified tree: overlayfs with the mount below and DIR/upper
 * above. DIR/origin says which tree the changes belong to and by which kind of
 * overlayfs they were written; nothing else is ever put on another tree or read by
 * another kind. Text of one spelling, the user's own, not sealed.
 *
 *   g_auto (VtreeWritable) layer = VTREE_WRITABLE_INIT;
 *   vtree_writable_open (&layer, dir, &error);
 *   vtree_writable_claim (&layer, repository, &manifest, rebase, &error);
 *   vtree_writable_mount (&layer, lower, target, &error);
 *
 * Who runs from a layer holds it locked until _clear; one that `vtree mount` has made
 * is known by the tree that is mounted on DIR/lower.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"

typedef enum {
  VTREE_WRITABLE_NEW,     /* has not been mounted yet */
  VTREE_WRITABLE_TRUSTED, /* the kernel's, as root: trusted.overlay.* */
  VTREE_WRITABLE_USER,    /* the kernel's, in a user namespace: user.overlay.* */
  VTREE_WRITABLE_FUSE,    /* fuse-overlayfs */
} VtreeWritableKind;

typedef struct {
  char *dir;        /* absolute, no symlinks */
  char *repository; /* absolute path */
  char *target;     /* where `vtree mount` put it last; "" for nowhere */
  VtreeDigest manifest;
  VtreeWritableKind kind;
  bool claimed;   /* it has an origin: the members above are of it */
  bool temporary; /* in a tmpfs, which ends with our namespaces */
  VtreeFd fd;     /* of DIR, locked but for _look */
} VtreeWritable;

/* clang-format off */
#define VTREE_WRITABLE_INIT { .fd = -1 }
/* clang-format on */

/* Frees what LAYER holds, and lets the lock go. */
void vtree_writable_clear (VtreeWritable *layer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeWritable, vtree_writable_clear)

/* The layer in DIR, for looking. Errors: VTREE_ERROR_MISSING (none is there),
 * VTREE_ERROR_CORRUPT, VTREE_ERROR_UNTRUSTED (others can write there). */
bool vtree_writable_look (VtreeWritable *layer, const char *dir, GError **error);

/* The same, locked, to be dropped: also one whose origin is malformed.
 * VTREE_ERROR_BUSY: it is in use. */
bool vtree_writable_take (VtreeWritable *layer, const char *dir, GError **error);

/* Opens and locks DIR, made (0700) where it is missing, for a layer that is in it or a
 * new one. VTREE_ERROR_INVALID: it has other things in it. */
bool vtree_writable_open (VtreeWritable *layer, const char *dir, GError **error);

/* A layer in a tmpfs that is mounted on PLACE, in a mount namespace of our own; another
 * mount on PLACE may hide it from then on. */
bool vtree_writable_open_temporary (VtreeWritable *layer, const char *place,
                                    GError **error);

/* Takes LAYER, opened, for the tree MANIFEST of REPOSITORY. VTREE_ERROR_FAILED: it has
 * changes to another tree, and not REBASE. */
bool vtree_writable_claim (VtreeWritable *layer, const char *repository,
                           const VtreeDigest *manifest, bool rebase, GError **error);

/* Puts LAYER, claimed, and the tree that is mounted on LOWER on TARGET (which may be
 * LOWER). ALONE: in a mount namespace of our own, where nobody else sees it. Errors:
 * VTREE_ERROR_UNSUPPORTED (neither the kernel nor fuse-overlayfs can). */
bool vtree_writable_mount (VtreeWritable *layer, const char *lower, const char *target,
                           bool alone, GError **error);

/* Drops all changes of LAYER, taken. Its directory stays, empty. */
bool vtree_writable_reset (const VtreeWritable *layer, GError **error);

/* DIR/lower, where `vtree mount` puts the tree. To be freed. */
char *vtree_writable_lower (const VtreeWritable *layer);
