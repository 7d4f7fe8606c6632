/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * large-manifest INODES FILE: writes the manifest of a tree of that many inodes:
 * directories of a hundred files each, which all have the contents of 4096 zeros.
 */
#include "core/verity.h"
#include "manifest/builder.h"

#include <stdio.h>
#include <sys/stat.h>

#define FILES 100

typedef struct {
  VtreeBuilder *builder;
  uint64_t left; /* inodes to be made */
  VtreeDigest digest;
} Making;

static VtreeNode *
add (Making *making, VtreeNode *parent, char kind, unsigned number, uint32_t mode)
{
  char name[16];
  VtreeNodeAttributes attributes = { .mode = mode, .mtime = number };
  g_snprintf (name, sizeof name, "%c%u", kind, number);
  making->left--;
  VtreeNode *node
    = vtree_builder_add (making->builder, parent, name, &attributes, NULL);
  g_assert (node != NULL);
  return node;
}

static void
fill (Making *making)
{
  VtreeNode *root = vtree_builder_root (making->builder);
  for (unsigned d = 0; making->left > 0; d++) {
    VtreeNode *dir = add (making, root, 'd', d, S_IFDIR | 0755);
    for (unsigned f = 0; f < FILES && making->left > 0; f++)
      vtree_node_set_content (add (making, dir, 'f', f, S_IFREG | 0644),
                              &making->digest, VTREE_BLOCK_SIZE);
  }
}

int
main (int argc, char **argv)
{
  static const uint8_t zeros[VTREE_BLOCK_SIZE];
  g_autoptr (GError) error = NULL;
  uint64_t inodes;
  if (argc != 3
      || !g_ascii_string_to_unsigned (argv[1], 10, 1, 1u << 30, &inodes, NULL)) {
    fprintf (stderr, "usage: large-manifest INODES FILE\n");
    return 2;
  }
  VtreeVerityParams params
    = { .alg = VTREE_DIGEST_SHA256, .size = sizeof zeros, .merkle_fd = -1 };
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (params.alg);
  Making making = { .builder = builder, .left = inodes - 1 };
  bool ok = vtree_verity_compute_data (&params, zeros, &making.digest, &error);
  if (ok)
    fill (&making);
  g_autoptr (GBytes) bytes = ok ? vtree_builder_finish (builder, &error) : NULL;
  gsize size = 0;
  const char *data = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;
  if (data == NULL || !g_file_set_contents (argv[2], data, (gssize) size, &error)) {
    fprintf (stderr, "large-manifest: %s\n", error->message);
    return 1;
  }
  return 0;
}
