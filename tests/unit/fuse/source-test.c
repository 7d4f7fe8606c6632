/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/source.h"

#include "tests/lib/test.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define DIGEST512 "sha512:" HEX64 HEX64

typedef struct {
  const char *name;
  const char *text;
  const char *options;
  VtreeSourceKind kind;
  const char *path;
  const char *ref; /* NULL: none */
  uint64_t version;
  const char *error; /* NULL: success */
} Row;

static const Row rows[] = {
  { "ref", "/srv/repo:app/x", "", VTREE_SOURCE_REF, "/srv/repo", "app/x", 0, NULL },
  { "version", "/srv/repo:app@12", "", VTREE_SOURCE_REF, "/srv/repo", "app", 12, NULL },
  { "relative", "repo:app", "", VTREE_SOURCE_REF, "repo", "app", 0, NULL },
  { "last colon", "/srv/a:b:app", "", VTREE_SOURCE_REF, "/srv/a:b", "app", 0, NULL },
  { "digest", "/srv/repo:" DIGEST, "", VTREE_SOURCE_REF, "/srv/repo", NULL, 0, NULL },
  { "long digest", "/srv/a:b:" DIGEST512, "", VTREE_SOURCE_REF, "/srv/a:b", NULL, 0,
    NULL },
  { "the same ref", "/r:app", "ref=app", VTREE_SOURCE_REF, "/r", "app", 0, NULL },
  { "another ref", "/r:app", "ref=other", 0, NULL, NULL, 0, "names another ref" },
  { "ref and digest", "/r:" DIGEST, "ref=other", 0, NULL, NULL, 0,
    "names another ref" },
  { "objects beside a repository", "/r:app", "objects=/o", 0, NULL, NULL, 0,
    "option objects" },
  { "statement", "/s/x.root", "ref=app", VTREE_SOURCE_STATEMENT, "/s/x.root", NULL, 0,
    NULL },
  { "statement with colon", "/s:t/x.root", "ref=app", VTREE_SOURCE_STATEMENT,
    "/s:t/x.root", NULL, 0, NULL },
  { "statement without ref", "/s/x.root", "", 0, NULL, NULL, 0, "needs ref=" },
  { "statement, bad ref", "/s/x.root", "ref=a//b", 0, NULL, NULL, 0, "option ref: " },
  { "manifest", "/m/tree.vtm", "digest=" DIGEST, VTREE_SOURCE_MANIFEST, "/m/tree.vtm",
    NULL, 0, NULL },
  { "manifest with colon", "/m/a: b", "digest=" DIGEST, VTREE_SOURCE_MANIFEST,
    "/m/a: b", NULL, 0, NULL },
  { "manifest with ref", "/m/tree.vtm", "ref=app,digest=" DIGEST, 0, NULL, NULL, 0,
    "a manifest has none" },
  { "manifest without digest", "/m/tree.vtm", "", 0, NULL, NULL, 0, "digest=" },
  { "empty", "", "", 0, NULL, NULL, 0, "it is empty" },
  { "no repository", ":app", "", 0, NULL, NULL, 0, "expected REPO:REF" },
  { "only a digest", DIGEST, "", 0, NULL, NULL, 0, "repository has to stand before" },
  { "bad ref", "/r:../x", "", 0, NULL, NULL, 0, "source /r:../x: " },
  { "path behind the ref", "/r:app:etc", "", VTREE_SOURCE_REF, "/r:app", "etc", 0,
    NULL },
  { "short digest", "/r:sha256:12", "", 0, NULL, NULL, 0, "source /r:sha256:12: " },
  { "newline", "/r:a\nb", "", 0, NULL, NULL, 0, "source /r:a\\nb: " },
};

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
  g_auto (VtreeSource) source = { 0 };
  g_autoptr (GError) error = NULL;
  vtree_mount_options_parse (&options, row->options, false, &error);
  g_assert_no_error (error);
  bool ok = vtree_source_parse (&source, row->text, &options, &error);
  if (row->error != NULL) {
    g_assert_false (ok);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, row->error);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpint (source.kind, ==, row->kind);
  g_assert_cmpstr (source.path, ==, row->path);
  g_assert_cmpstr (source.spec.name, ==, row->ref);
  g_assert_cmpuint (source.spec.version, ==, row->version);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_strdup_printf ("/fuse/source/%s", rows[i].name);
    g_test_add_data_func (path, &rows[i], test_row);
  }
  return vtree_test_run ();
}
