/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/manifest/versions-fixture.h"

#include "core/verity.h"
#include "manifest/builder.h"
#include "manifest/ref.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 64

void
versions_fixture_init (VersionsFixture *fixture)
{
  versions_fixture_init_packing (fixture, 0);
}

void
versions_fixture_init_packing (VersionsFixture *fixture, uint32_t threshold)
{
  VtreeRepoOptions options
    = { .digest = VTREE_DIGEST_SHA256, .pack_threshold = threshold };
  g_autoptr (GError) error = NULL;
  repo_fixture_init (&fixture->repo, &options);
  fixture->home = vtree_test_make_dir ();
  fixture->paths = vtree_paths_new_for_system (fixture->home);
  fixture->key = vtree_private_key_generate (&error);
  g_assert_no_error (error);
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (fixture->key, &error);
  g_autofree char *pem = vtree_public_key_to_pem (public);
  const char *keys = vtree_paths_keys (fixture->paths);
  g_autofree char *file = g_build_filename (keys, "test.pem", NULL);
  g_assert_cmpint (g_mkdir_with_parents (keys, 0755), ==, 0);
  g_assert_true (g_file_set_contents (file, pem, -1, &error));
  g_assert_cmpint (chmod (file, 0644), ==, 0);
}

void
versions_fixture_clear (VersionsFixture *fixture)
{
  vtree_private_key_free (fixture->key);
  vtree_paths_free (fixture->paths);
  g_free (fixture->home);
  repo_fixture_clear (&fixture->repo);
}

VtreeDigest
versions_fixture_digest (const void *data, size_t size)
{
  VtreeVerityParams params
    = { .alg = VTREE_DIGEST_SHA256, .size = size, .merkle_fd = -1 };
  VtreeDigest digest = { 0 };
  g_assert_true (vtree_verity_compute_data (&params, data, &digest, NULL));
  return digest;
}

bool
versions_fixture_has (const VersionsFixture *fixture, const VtreeDigest *digest)
{
  g_autofree char *path = repo_fixture_object (&fixture->repo, digest);
  struct stat st;
  return lstat (path, &st) == 0;
}

/* --- trees ------------------------------------------------------------------------ */

typedef struct {
  VtreeBuilder *builder;
  VtreeIngest *ingest;
  GHashTable *directories; /* name -> VtreeNode */
  VtreeNode *nodes[FILES_MAX];
} Tree;

static VtreeNode *
parent_of (Tree *tree, const char *path, const char **name)
{
  const char *slash = strchr (path, '/');
  VtreeNode *root = vtree_builder_root (tree->builder);
  *name = slash != NULL ? slash + 1 : path;
  if (slash == NULL)
    return root;
  g_autofree char *directory = g_strndup (path, (gsize) (slash - path));
  VtreeNode *node = g_hash_table_lookup (tree->directories, directory);
  if (node != NULL)
    return node;
  VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755 };
  node = vtree_builder_add (tree->builder, root, directory, &attributes, NULL);
  g_assert_nonnull (node);
  g_hash_table_insert (tree->directories, g_steal_pointer (&directory), node);
  return node;
}

static void
add_file (Tree *tree, const VersionFile *files, size_t index)
{
  const VersionFile *file = &files[index];
  g_autoptr (GError) error = NULL;
  const char *name;
  VtreeNode *parent = parent_of (tree, file->path, &name);
  if (file->data == NULL) {
    vtree_builder_link (tree->builder, parent, name, tree->nodes[file->size], &error);
    g_assert_no_error (error);
    return;
  }
  VtreeNodeAttributes attributes = { .mode = S_IFREG | 0644 };
  VtreeDigest digest = { 0 };
  tree->nodes[index]
    = vtree_builder_add (tree->builder, parent, name, &attributes, &error);
  g_assert_no_error (error);
  vtree_ingest_bytes (tree->ingest, file->data, file->size, &digest, &error);
  g_assert_no_error (error);
  vtree_node_set_content (tree->nodes[index], &digest, file->size);
}

/* Stores the objects and the manifest; sets digest and size of STATEMENT. */
static void
put_tree (const VersionsFixture *fixture, const VersionFile *files,
          VtreeStatement *statement)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeIngest) ingest = repo_fixture_ingest (&fixture->repo);
  g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
  g_autoptr (GHashTable) directories
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Tree tree = { .builder = builder, .ingest = ingest, .directories = directories };
  for (size_t i = 0; files[i].path != NULL; i++) {
    g_assert_cmpuint (i, <, FILES_MAX);
    add_file (&tree, files, i);
  }
  g_autoptr (GBytes) manifest = vtree_builder_finish (builder, &error);
  g_assert_no_error (error);
  statement->size = g_bytes_get_size (manifest);
  vtree_ingest_manifest (ingest, g_bytes_get_data (manifest, NULL), statement->size,
                         &statement->manifest, &error);
  g_assert_no_error (error);
  repo_fixture_seal (ingest);
}

/* --- releases --------------------------------------------------------------------- */

static GBytes *
sign (const VersionsFixture *fixture, GBytes *root)
{
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (root);
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (fixture->key, NULL);
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  uint8_t value[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (fixture->key, g_bytes_get_data (message, NULL),
                                         g_bytes_get_size (message), value, NULL));
  g_assert_true (
    vtree_signatures_add (signatures, vtree_public_key_id (public), value, NULL));
  return vtree_signatures_serialize (signatures);
}

VtreeDigest
versions_fixture_put (VersionsFixture *fixture, const VersionSpec *release)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeStatement) statement = g_new0 (VtreeStatement, 1);
  statement->ref = g_strdup (release->ref);
  statement->version = release->version;
  statement->created = 1;
  statement->extra = g_new0 (char *, 1);
  put_tree (fixture, release->files, statement);
  g_autoptr (GBytes) root = vtree_statement_serialize (statement, &error);
  g_assert_no_error (error);
  bool is_signed = !(release->flags & VERSION_UNSIGNED);
  g_autoptr (GBytes) sig = is_signed ? sign (fixture, root) : NULL;
  vtree_refs_put (fixture->repo.repo, release->ref, release->version, root, sig, NULL,
                  &error);
  g_assert_no_error (error);
  if (!(release->flags & VERSION_KEEP_HEAD))
    vtree_refs_set_head (fixture->repo.repo, release->ref, release->version, &error);
  g_assert_no_error (error);
  return statement->manifest;
}
