/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mutable tree that becomes the canonical bytes of a manifest: the sole keeper of the
 * format's invariants for writers. The order in which it is filled does not matter. Not
 * thread-safe, except that vtree_node_set_content() may be called for distinct nodes
 * from several threads.
 */
#pragma once

#include "core/bytes.h"
#include "core/digest.h"
#include <sys/types.h>

typedef struct VtreeBuilder VtreeBuilder;
typedef struct VtreeNode VtreeNode; /* owned by the builder */

typedef struct {
  uint32_t mode; /* st_mode: type and permission bits */
  uint32_t uid, gid;
  int64_t mtime; /* seconds */
  uint32_t nsec; /* < 10^9 */
  uint32_t rdev; /* devices: 12:20 bits, as VtreeInode */
} VtreeNodeAttributes;

/* An empty root directory, 0755 root:root, time 0, until
 * vtree_node_set_attributes(). */
VtreeBuilder *vtree_builder_new (VtreeDigestAlg alg);
void vtree_builder_free (VtreeBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeBuilder, vtree_builder_free)

/* The root directory's node, borrowed. */
VtreeNode *vtree_builder_root (VtreeBuilder *builder);

/* Adds a new inode named NAME in the directory PARENT. Errors: VTREE_ERROR_INVALID
 * (name, type, time), VTREE_ERROR_LIMIT. A second entry of the same name is found at
 * _finish. */
VtreeNode *vtree_builder_add (VtreeBuilder *builder, VtreeNode *parent,
                              const char *name, const VtreeNodeAttributes *attributes,
                              GError **error);

/* A further name (hard link) of NODE, which is no directory. */
bool vtree_builder_link (VtreeBuilder *builder, VtreeNode *parent, const char *name,
                         VtreeNode *node, GError **error);

/* Replaces attributes; the type can't change. */
bool vtree_node_set_attributes (VtreeNode *node, const VtreeNodeAttributes *attributes,
                                GError **error);
/* Regular files: digest and size of the contents; SIZE 0 means empty (DIGEST unused). A
 * digest of another algorithm than the builder's, or a size over 2^63 - 1, is found at
 * _finish. */
void vtree_node_set_content (VtreeNode *node, const VtreeDigest *digest, uint64_t size);
/* Symlinks: 1..4095 bytes. Their permission bits are always 0777, whatever was given.
 * */
bool vtree_node_set_target (VtreeNode *node, const char *target, GError **error);
/* Adds one xattr, in any order. Errors: VTREE_ERROR_INVALID (name twice),
 * VTREE_ERROR_LIMIT (name, value, list or set too long, see doc/formats.md). */
bool vtree_node_add_xattr (VtreeBuilder *builder, VtreeNode *node, const char *name,
                           const void *value, size_t size, GError **error);

/* The manifest. Errors: VTREE_ERROR_INVALID (duplicate names, symlink without target,
 * invalid contents, one digest with two sizes), VTREE_ERROR_LIMIT (more than 2^32 - 2
 * inodes, 2^32 - 1 entries or heap bytes), ENOMEM. The tree stays as it was. */
GBytes *vtree_builder_finish (VtreeBuilder *builder, GError **error);
