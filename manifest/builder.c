/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the mutable tree: what may be put into it, and the memory that it lies in. Knows
 * nothing of the bytes that it becomes (serialize.c).
 */
#include "manifest/builder.h"

#include "core/error.h"
#include "manifest/format.h"
#include "manifest/name.h"
#include "manifest/tree.h"
#include <string.h>
#include <sys/stat.h>

static bool
is_device (uint32_t mode)
{
  return S_ISCHR (mode) || S_ISBLK (mode);
}

static size_t
node_size (const VtreeBuilder *builder, uint32_t mode)
{
  switch (mode & S_IFMT) {
  case S_IFDIR:
    return sizeof (VtreeNodeDirectory);
  case S_IFREG:
    return sizeof (VtreeNodeRegular) + vtree_digest_alg_size (builder->alg);
  case S_IFLNK:
    return sizeof (VtreeNodeSymlink);
  case S_IFCHR:
  case S_IFBLK:
    return sizeof (VtreeNodeDevice);
  default:
    return sizeof (VtreeNode);
  }
}

/* A symlink's permissions have no meaning and can't be set: always 0777. */
static uint32_t
canonical_mode (uint32_t mode)
{
  return S_ISLNK (mode) ? S_IFLNK | 0777 : mode;
}

static bool
check_attributes (const VtreeNodeAttributes *attributes, GError **error)
{
  if (!vtree_mode_is_valid (canonical_mode (attributes->mode)))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "mode 0%o: not a file's",
                            attributes->mode);
  if (attributes->nsec >= VTREE_VTM_NSEC_END)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "modification time: %u nanoseconds", attributes->nsec);
  return true;
}

static void
copy_attributes (VtreeNode *node, const VtreeNodeAttributes *attributes)
{
  node->mode = canonical_mode (attributes->mode);
  node->uid = attributes->uid;
  node->gid = attributes->gid;
  node->mtime = attributes->mtime;
  node->nsec = attributes->nsec;
  if (is_device (node->mode))
    ((VtreeNodeDevice *) node)->rdev = attributes->rdev;
}

static VtreeNode *
make_node (VtreeBuilder *builder, const VtreeNodeAttributes *attributes, GError **error)
{
  VtreeNode *node
    = vtree_arena_alloc (builder->arena, node_size (builder, attributes->mode), error);
  if (node == NULL)
    return NULL;
  copy_attributes (node, attributes);
  if (S_ISLNK (node->mode))
    ((VtreeNodeSymlink *) node)->builder = builder;
  if (S_ISREG (node->mode))
    ((VtreeNodeRegular *) node)->alg = builder->alg;
  return node;
}

VtreeBuilder *
vtree_builder_new (VtreeDigestAlg alg)
{
  const VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755 };
  VtreeBuilder *builder = g_new0 (VtreeBuilder, 1);
  builder->alg = alg;
  builder->arena = vtree_arena_new ();
  builder->root = (VtreeNodeDirectory *) make_node (builder, &attributes, NULL);
  if (builder->root == NULL)
    g_error ("no memory for a tree's root");
  builder->inodes = 1;
  builder->directories = 1;
  return builder;
}

void
vtree_builder_free (VtreeBuilder *builder)
{
  vtree_arena_free (builder->arena);
  g_free (builder);
}

VtreeNode *
vtree_builder_root (VtreeBuilder *builder)
{
  return &builder->root->node;
}

char *
vtree_tree_path (const VtreeNodeDirectory *directory, const VtreeNodeEntry *entry)
{
  g_autoptr (GString) path = g_string_new (NULL);
  while (entry != NULL) {
    g_autofree char *name
      = vtree_error_escape ((const char *) entry->name, entry->name_size);
    g_string_prepend (path, name);
    g_string_prepend_c (path, '/');
    entry = directory->entry;
    directory = directory->parent;
  }
  return g_strdup (path->len > 0 ? path->str : "/");
}

/* Checks what every new entry has to satisfy, and makes it; nothing names it yet. */
static VtreeNodeEntry *
make_entry (VtreeBuilder *builder, const VtreeNode *parent, const char *name,
            GError **error)
{
  VtreeSpan span = { (const uint8_t *) name, strlen (name) };
  if (!S_ISDIR (parent->mode)) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "add an entry: parent is no directory");
    return NULL;
  }
  if (!vtree_name_is_valid (span)) {
    g_autofree char *escaped = vtree_error_escape (name, -1);
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "name '%s': not possible in a manifest", escaped);
    return NULL;
  }
  if (builder->entries >= VTREE_VTM_COUNT_MAX) {
    vtree_error_set (error, VTREE_ERROR_LIMIT, "more than %u names in a tree",
                     VTREE_VTM_COUNT_MAX);
    return NULL;
  }
  VtreeNodeEntry *entry = vtree_arena_alloc (
    builder->arena, offsetof (VtreeNodeEntry, name) + span.size, error);
  if (entry == NULL)
    return NULL;
  entry->name_size = (uint8_t) span.size;
  memcpy (entry->name, name, span.size);
  return entry;
}

static void
add_entry (VtreeBuilder *builder, VtreeNode *parent, VtreeNodeEntry *entry,
           VtreeNode *node)
{
  VtreeNodeDirectory *directory = (VtreeNodeDirectory *) parent;
  entry->node = node;
  entry->next = directory->entries;
  directory->entries = entry;
  directory->count++;
  node->names++;
  builder->entries++;
}

VtreeNode *
vtree_builder_add (VtreeBuilder *builder, VtreeNode *parent, const char *name,
                   const VtreeNodeAttributes *attributes, GError **error)
{
  if (!check_attributes (attributes, error))
    return NULL;
  if (builder->inodes >= VTREE_VTM_INODES_MAX) {
    vtree_error_set (error, VTREE_ERROR_LIMIT, "more than %u inodes in a tree",
                     VTREE_VTM_INODES_MAX);
    return NULL;
  }
  VtreeNodeEntry *entry = make_entry (builder, parent, name, error);
  if (entry == NULL)
    return NULL;
  VtreeNode *node = make_node (builder, attributes, error);
  if (node == NULL)
    return NULL;
  add_entry (builder, parent, entry, node);
  builder->inodes++;
  if (S_ISDIR (node->mode)) {
    ((VtreeNodeDirectory *) node)->parent = (VtreeNodeDirectory *) parent;
    ((VtreeNodeDirectory *) node)->entry = entry;
    ((VtreeNodeDirectory *) parent)->subdirectories++;
    builder->directories++;
  }
  return node;
}

bool
vtree_builder_link (VtreeBuilder *builder, VtreeNode *parent, const char *name,
                    VtreeNode *node, GError **error)
{
  if (S_ISDIR (node->mode))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "add a hard link: a directory has one name");
  VtreeNodeEntry *entry = make_entry (builder, parent, name, error);
  if (entry == NULL)
    return false;
  add_entry (builder, parent, entry, node);
  return true;
}

bool
vtree_node_set_attributes (VtreeNode *node, const VtreeNodeAttributes *attributes,
                           GError **error)
{
  if (!check_attributes (attributes, error))
    return false;
  if ((node->mode & S_IFMT) != (attributes->mode & S_IFMT))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "set attributes: a file's type can't change");
  copy_attributes (node, attributes);
  return true;
}

void
vtree_node_set_content (VtreeNode *node, const VtreeDigest *digest, uint64_t size)
{
  g_return_if_fail (S_ISREG (node->mode));
  VtreeNodeRegular *regular = (VtreeNodeRegular *) node;
  regular->size = size;
  regular->invalid = size > INT64_MAX || (size > 0 && digest->alg != regular->alg);
  if (size > 0 && !regular->invalid)
    memcpy (regular->digest, digest->value, vtree_digest_alg_size (regular->alg));
}

bool
vtree_node_set_target (VtreeNode *node, const char *target, GError **error)
{
  size_t size = strlen (target);
  if (!S_ISLNK (node->mode))
    return vtree_error_set (error, VTREE_ERROR_INVALID, "set a target: not a symlink");
  if (size == 0 || size > VTREE_VTM_TARGET_MAX)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "symlink target of %zu bytes",
                            size);
  VtreeNodeSymlink *symlink = (VtreeNodeSymlink *) node;
  uint8_t *copy = vtree_arena_alloc (symlink->builder->arena, size, error);
  if (copy == NULL)
    return false;
  memcpy (copy, target, size);
  symlink->target = copy;
  symlink->target_size = (uint16_t) size;
  return true;
}

/* A further xattr NAME (SIZE bytes of value) beside those that NODE has. */
static bool
check_xattr (const VtreeNode *node, VtreeSpan name, size_t size, GError **error)
{
  size_t list = name.size + 1;
  size_t set = VTREE_VTM_X_COUNT_SIZE + VTREE_VTM_X_HEADER_SIZE + name.size + size;
  g_autofree char *escaped
    = vtree_error_escape ((const char *) name.data, (gssize) name.size);
  if (name.size == 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "xattr without a name");
  if (name.size > VTREE_VTM_XATTR_NAME_MAX || size > VTREE_VTM_XATTR_VALUE_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "xattr '%s': %zu bytes of name, %zu of value", escaped,
                            name.size, size);
  for (const VtreeNodeXattr *old = node->xattrs; old != NULL; old = old->next) {
    if (vtree_span_compare (name, (VtreeSpan){ old->bytes, old->name_size }) == 0)
      return vtree_error_set (error, VTREE_ERROR_INVALID, "xattr '%s': set twice",
                              escaped);
    list += old->name_size + 1u;
    set += VTREE_VTM_X_HEADER_SIZE + old->name_size + (size_t) old->value_size;
  }
  if (list > VTREE_VTM_XATTR_LIST_MAX || set > VTREE_VTM_XATTR_SET_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "xattr '%s': one too many for one file", escaped);
  return true;
}

bool
vtree_node_add_xattr (VtreeBuilder *builder, VtreeNode *node, const char *name,
                      const void *value, size_t size, GError **error)
{
  VtreeSpan span = { (const uint8_t *) name, strlen (name) };
  if (!check_xattr (node, span, size, error))
    return false;
  VtreeNodeXattr *xattr = vtree_arena_alloc (
    builder->arena, offsetof (VtreeNodeXattr, bytes) + span.size + size, error);
  if (xattr == NULL)
    return false;
  xattr->name_size = (uint8_t) span.size;
  xattr->value_size = (uint32_t) size;
  memcpy (xattr->bytes, name, span.size);
  if (size > 0)
    memcpy (xattr->bytes + span.size, value, size);
  xattr->next = node->xattrs;
  node->xattrs = xattr;
  return true;
}
