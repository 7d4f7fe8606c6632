/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "manifest/deploy-origin.h"
#include "tests/lib/test.h"

#include <string.h>

#define HEX(x) x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define FIRST "vtree-deployment 1\n"
#define REPOSITORY "repository: /srv/a%20b%0a/repo\n"
#define REF "ref: app/hello\n"
#define VERSION "version: 7\n"
#define MANIFEST "manifest: sha256:" HEX ("ab") "\n"
#define SIZE "size: 12345\n"
#define KEY "key: " HEX ("cd") "\n"
#define DEPLOYED "deployed: 2026-11-24T12:00:00Z\n"
#define BEHIND MANIFEST SIZE KEY DEPLOYED
#define WHOLE FIRST REPOSITORY REF VERSION BEHIND

static const struct {
  const char *name;
  const char *text;
  int code; /* -1: accepted */
} origins[] = {
  { "whole", WHOLE, -1 },
  { "empty", "", VTREE_ERROR_CORRUPT },
  { "first-line-alone", FIRST, VTREE_ERROR_CORRUPT },
  { "another-version", "vtree-deployment 2\n" REPOSITORY REF VERSION BEHIND,
    VTREE_ERROR_UNSUPPORTED },
  { "another-text", "vtree-root 1\n" REPOSITORY REF VERSION BEHIND,
    VTREE_ERROR_CORRUPT },
  { "another-order", FIRST REF REPOSITORY VERSION BEHIND, VTREE_ERROR_CORRUPT },
  { "a-line-more", WHOLE "x: 1\n", VTREE_ERROR_CORRUPT },
  { "no-newline",
    FIRST REPOSITORY REF VERSION MANIFEST SIZE KEY "deployed: 2026-11-24T12:00:00Z",
    VTREE_ERROR_CORRUPT },
  { "carriage-return", FIRST REPOSITORY REF "version: 7\r\n" BEHIND,
    VTREE_ERROR_CORRUPT },
  { "relative", FIRST "repository: srv/repo\n" REF VERSION BEHIND,
    VTREE_ERROR_CORRUPT },
  { "unescaped", FIRST "repository: /srv/a\001b\n" REF VERSION BEHIND,
    VTREE_ERROR_CORRUPT },
  { "bad-ref", FIRST REPOSITORY "ref: ../x\n" VERSION BEHIND, VTREE_ERROR_CORRUPT },
  { "version-0", FIRST REPOSITORY REF "version: 0\n" BEHIND, VTREE_ERROR_CORRUPT },
  { "version-07", FIRST REPOSITORY REF "version: 07\n" BEHIND, VTREE_ERROR_CORRUPT },
  { "short-digest",
    FIRST REPOSITORY REF VERSION "manifest: sha256:abab\n" SIZE KEY DEPLOYED,
    VTREE_ERROR_CORRUPT },
  { "no-time", FIRST REPOSITORY REF VERSION MANIFEST SIZE KEY "deployed: soon\n",
    VTREE_ERROR_CORRUPT },
};

static void
test_origin (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  const char *text = origins[i].text;
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeDeployOrigin) origin
    = vtree_deploy_origin_parse (text, strlen (text), &error);
  if (origins[i].code >= 0) {
    g_assert_null (origin);
    g_assert_error (error, VTREE_ERROR, origins[i].code);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpstr (origin->repository, ==, "/srv/a b\n/repo");
  g_assert_cmpstr (origin->ref, ==, "app/hello");
  g_assert_cmpuint (origin->version, ==, 7);
  g_assert_cmpuint (origin->size, ==, 12345);
  g_assert_cmpint (origin->deployed, ==, 1795521600);
  g_autoptr (GBytes) again = vtree_deploy_origin_serialize (origin);
  g_autoptr (GBytes) expected = g_bytes_new_static (text, strlen (text));
  g_assert_true (g_bytes_equal (again, expected));
}

/* A NUL ends no text. */
static void
test_nul (void)
{
  static const char text[] = WHOLE "\0";
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_deploy_origin_parse (text, strlen (text) + 1, &error));
  g_assert_error (error, VTREE_ERROR, VTREE_ERROR_CORRUPT);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (origins); i++) {
    g_autofree char *path
      = g_strdup_printf ("/manifest/deploy-origin/%s", origins[i].name);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_origin);
  }
  g_test_add_func ("/manifest/deploy-origin/nul", test_nul);
  return vtree_test_run ();
}
