/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/delta-trees.h"

#include "core/ingest.h"
#include "manifest/builder.h"

#include <string.h>
#include <sys/stat.h>

#define LARGE ((size_t) 9 << 20) /* more than a chunk has */

typedef struct {
  VtreeBuilder *builder;
  VtreeIngest *ingest;
  unsigned number;
} Tree;

/* SIZE bytes that depend on SEED and compress to almost nothing if PLAIN. */
static uint8_t *
contents (unsigned seed, size_t size, bool plain)
{
  uint8_t *data = g_malloc (size);
  uint32_t state = seed * 2654435761u + 1;
  for (size_t i = 0; i < size; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = plain ? (uint8_t) ('a' + (seed + i) % 26) : (uint8_t) (state >> 24);
  }
  return data;
}

static VtreeNode *
add (const Tree *tree, VtreeNode *parent, const char *name, mode_t mode)
{
  VtreeNodeAttributes attributes = { .mode = mode, .mtime = tree->number };
  VtreeNode *node = vtree_builder_add (tree->builder, parent, name, &attributes, NULL);
  g_assert_nonnull (node);
  return node;
}

/* Takes DATA. */
static VtreeNode *
add_file (const Tree *tree, VtreeNode *parent, const char *name, uint8_t *data,
          size_t size)
{
  mode_t mode = tree->number == DELTA_TREE_MODES ? 0755 : 0644;
  VtreeNode *node = add (tree, parent, name, S_IFREG | mode);
  g_autofree uint8_t *own = data;
  VtreeDigest digest;
  g_assert_true (vtree_ingest_bytes (tree->ingest, own, size, &digest, NULL));
  vtree_node_set_content (node, &digest, size);
  return node;
}

static void
fill_base (const Tree *tree, VtreeNode *root)
{
  bool changed = tree->number == DELTA_TREE_CHANGED;
  VtreeNode *usr = add (tree, root, "usr", S_IFDIR | 0755);
  VtreeNode *lib = add (tree, usr, changed ? "lib-2.1" : "lib-1.25", S_IFDIR | 0755);
  uint8_t *large = contents (1, 30000, false);
  memset (large + 15000, changed, 3);
  VtreeNode *file
    = add_file (tree, lib, changed ? "libx.so.2.1" : "libx.so.1.25", large, 30000);
  g_assert_true (vtree_builder_link (tree->builder, usr, "twin", file, NULL));
  for (unsigned i = 0; i < 8; i++) {
    g_autofree char *name = g_strdup_printf ("f%u", i);
    bool other = changed && i % 2 == 1;
    size_t size = 1 + 700 * i;
    if (!(changed && i == 4))
      add_file (tree, root, name, contents (other ? 100 + i : i, size, true), size);
  }
  add (tree, root, "type", changed ? S_IFDIR | 0755 : S_IFIFO | 0644);
}

static void
fill_many (const Tree *tree, VtreeNode *root)
{
  for (unsigned i = 0; i < 200; i++) {
    g_autofree char *name = g_strdup_printf ("a-longer-name-for-file-%u", i);
    add_file (tree, root, name, contents (1000 + i, 20, true), 20);
  }
}

static void
fill (const Tree *tree, VtreeNode *root)
{
  VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755 };
  g_assert_true (vtree_node_set_attributes (root, &attributes, NULL));
  if (tree->number == DELTA_TREE_MANY)
    fill_many (tree, root);
  else
    fill_base (tree, root);
  if (tree->number == DELTA_TREE_LARGE)
    add_file (tree, root, "large", contents (7, LARGE, true), LARGE);
}

VtreeRepo *
vtree_fuzz_delta_repo_new (const char *path, VtreeDigestAlg alg)
{
  const VtreeRepoOptions options
    = { .digest = alg, .verity = VTREE_VERITY_OFF, .pack_threshold = 4096 };
  g_autoptr (GError) error = NULL;
  vtree_repo_init (path, &options, &error);
  g_assert_no_error (error);
  VtreeRepo *repo = vtree_repo_open (path, &error);
  g_assert_no_error (error);
  return repo;
}

static VtreeStatement *
describe (unsigned number)
{
  VtreeStatement *statement = g_new0 (VtreeStatement, 1);
  statement->ref = g_strdup ("os/fuzz");
  statement->version = number + 1;
  statement->created = 1;
  statement->extra = g_new0 (char *, 1);
  return statement;
}

VtreeStatement *
vtree_fuzz_delta_put (const VtreeRepo *repo, unsigned number)
{
  const VtreeIngestOptions options = { .verity = VTREE_VERITY_OFF };
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (repo, &options, &error);
  g_assert_no_error (error);
  g_autoptr (VtreeBuilder) builder
    = vtree_builder_new (vtree_repo_options (repo)->digest);
  Tree tree = { builder, ingest, number };
  VtreeStatement *statement = describe (number);
  fill (&tree, vtree_builder_root (builder));
  g_autoptr (GBytes) manifest = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  statement->size = g_bytes_get_size (manifest);
  vtree_ingest_manifest (ingest, g_bytes_get_data (manifest, NULL), statement->size,
                         &statement->manifest, &error);
  g_assert_no_error (error);
  vtree_ingest_seal (ingest, &error);
  g_assert_no_error (error);
  return statement;
}
