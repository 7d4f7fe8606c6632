/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/manifest/release-fixture.h"

#include "core/ingest.h"
#include "manifest/builder.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

void
release_write (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (chmod (path, 0644), ==, 0);
}

static void
make_keys (ReleaseFixture *f)
{
  for (size_t i = 0; i < KEYS; i++) {
    f->key[i] = vtree_private_key_generate (NULL);
    g_autoptr (VtreePublicKey) public = vtree_private_key_public (f->key[i], NULL);
    f->pem[i] = vtree_public_key_to_pem (public);
  }
  release_write (vtree_paths_keys (f->paths), "alice.pem", f->pem[ALICE]);
  release_write (vtree_paths_keys (f->paths), "bob.pem", f->pem[BOB]);
}

/* Two trees that differ in the time of their root. */
static void
make_manifests (ReleaseFixture *f)
{
  g_autoptr (GError) error = NULL;
  VtreeIngestOptions options = { .verity = VTREE_VERITY_AUTO };
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (f->repo, &options, &error);
  g_assert_no_error (error);
  for (unsigned i = 0; i < 2; i++) {
    g_autoptr (VtreeBuilder) builder = vtree_builder_new (VTREE_DIGEST_SHA256);
    VtreeNodeAttributes attributes = { .mode = S_IFDIR | 0755, .mtime = i };
    g_assert_true (
      vtree_node_set_attributes (vtree_builder_root (builder), &attributes, &error));
    g_autoptr (GBytes) bytes = vtree_builder_finish (builder, &error);
    g_assert_no_error (error);
    f->size[i] = g_bytes_get_size (bytes);
    g_assert_true (vtree_ingest_bytes (ingest, g_bytes_get_data (bytes, NULL),
                                       g_bytes_get_size (bytes), &f->manifest[i],
                                       &error));
  }
  g_assert_true (vtree_ingest_seal (ingest, &error));
  g_assert_true (vtree_ingest_sync (ingest, &error));
  g_assert_no_error (error);
}

void
release_set_up (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->dir);
  make_keys (f);
  g_autoptr (GError) error = NULL;
  VtreeRepoOptions options = { .digest = VTREE_DIGEST_SHA256 };
  g_autofree char *path = g_build_filename (f->dir, "repo", NULL);
  g_assert_true (vtree_repo_init (path, &options, &error));
  f->repo = vtree_repo_open (path, &error);
  g_assert_no_error (error);
  make_manifests (f);
}

void
release_tear_down (ReleaseFixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_repo_free (f->repo);
  vtree_paths_free (f->paths);
  for (size_t i = 0; i < KEYS; i++) {
    vtree_private_key_free (f->key[i]);
    g_free (f->pem[i]);
  }
  g_free (f->dir);
}

static int64_t
parse_time (const char *text)
{
  int64_t seconds = 0;
  g_assert_true (vtree_time_parse (text, &seconds));
  return seconds;
}

static const char *
ref_of (const Release *release)
{
  return release->ref != NULL ? release->ref : RELEASE_REF;
}

static uint64_t
version_of (const Release *release)
{
  return release->version != 0 ? release->version : 1;
}

GBytes *
release_statement (const ReleaseFixture *f, const Release *release)
{
  VtreeStatement statement = {
    .ref = (char *) ref_of (release),
    .version = version_of (release),
    .created
    = parse_time (release->created != NULL ? release->created : "2026-01-01T00:00:00Z"),
    .expires = release->expires != NULL ? parse_time (release->expires) : 0,
    .manifest = f->manifest[release->manifest],
    .size = f->size[release->manifest],
  };
  g_autoptr (GError) error = NULL;
  GBytes *bytes = vtree_statement_serialize (&statement, &error);
  g_assert_no_error (error);
  return bytes;
}

GBytes *
release_sign (const ReleaseFixture *f, GBytes *statement, unsigned signers)
{
  g_autoptr (VtreeSignatures) signatures = vtree_signatures_new ();
  g_autoptr (GBytes) message = vtree_statement_signed_bytes (statement);
  for (size_t i = 0; i < KEYS; i++) {
    if (!(signers & 1u << i))
      continue;
    uint8_t value[VTREE_SIGNATURE_SIZE];
    g_autoptr (VtreePublicKey) public = vtree_private_key_public (f->key[i], NULL);
    g_assert_true (vtree_private_key_sign (f->key[i], g_bytes_get_data (message, NULL),
                                           g_bytes_get_size (message), value, NULL));
    g_assert_true (
      vtree_signatures_add (signatures, vtree_public_key_id (public), value, NULL));
  }
  return vtree_signatures_serialize (signatures);
}

static void
overwrite (const ReleaseFixture *f, const char *name, uint64_t version,
           const char *suffix, GBytes *bytes)
{
  g_autofree char *path
    = g_strdup_printf ("%s/refs/%s/%" G_GUINT64_FORMAT "%s", vtree_repo_path (f->repo),
                       name, version, suffix);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  size_t size;
  const char *data = g_bytes_get_data (bytes, &size);
  g_assert_true (g_file_set_contents (path, data, (gssize) size, NULL));
}

void
release_set_head (const ReleaseFixture *f, const char *name, uint64_t version)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_refs_set_head (f->repo, name, version, &error));
  g_assert_no_error (error);
}

void
release_put_bytes (const ReleaseFixture *f, const char *name, uint64_t version,
                   GBytes *root, GBytes *sig)
{
  overwrite (f, name, version, ".root", root);
  if (sig != NULL)
    overwrite (f, name, version, ".sig", sig);
  release_set_head (f, name, version);
}

void
release_put (const ReleaseFixture *f, const Release *release)
{
  unsigned signers = release->signers != 0 ? release->signers : 1u << ALICE;
  g_autoptr (GBytes) root = release_statement (f, release);
  g_autoptr (GBytes) sig = release_sign (f, root, signers);
  release_put_bytes (f, ref_of (release), version_of (release), root, sig);
}

VtreeResolved *
release_resolve (const ReleaseFixture *f, const char *spec,
                 const VtreeResolveOptions *options, GError **error)
{
  VtreeResolveOptions filled = { .raise_mark = true };
  if (options != NULL)
    filled = *options;
  filled.paths = f->paths;
  g_auto (VtreeRefSpec) parsed = { 0 };
  g_autoptr (GError) usage = NULL;
  g_assert_true (vtree_ref_spec_parse (spec, true, &parsed, &usage));
  g_assert_no_error (usage);
  return vtree_resolve (f->repo, &parsed, &filled, error);
}

void
release_assert_mark (const ReleaseFixture *f, uint64_t version)
{
  bool found = false;
  VtreeMark mark = { 0 };
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_mark_load (f->paths, RELEASE_REF, &found, &mark, &error));
  g_assert_no_error (error);
  g_assert_cmpint (found, ==, version != 0);
  g_assert_cmpuint (mark.version, ==, version);
}

void
release_assert_refused (const ReleaseFixture *f, const char *spec,
                        const VtreeResolveOptions *options, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (release_resolve (f, spec, options, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
  g_assert_null (strchr (error->message, '\n'));
}

void
release_assert_accepted (const ReleaseFixture *f, const char *spec,
                         const VtreeResolveOptions *options, uint64_t version,
                         const char *note)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeResolved) resolved = release_resolve (f, spec, options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (resolved->statement->version, ==, version);
  g_assert_cmpuint (resolved->notes->len, ==, note != NULL ? 1 : 0);
  if (note == NULL)
    return;
  const char *text = g_ptr_array_index (resolved->notes, 0);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, note));
}

void
release_accept_five (const ReleaseFixture *f)
{
  release_put (f, &(Release){ .version = 5 });
  release_assert_accepted (f, RELEASE_REF, NULL, 5, NULL);
  release_assert_mark (f, 5);
}
