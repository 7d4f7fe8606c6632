/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's own key files: what is written where, and what is never overwritten. */
#include "cli/keyring.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

/* A system of its own, below a directory of the test. */
static VtreePaths *
make_paths (void)
{
  g_autofree char *dir = vtree_test_make_dir ();

  return vtree_paths_new_for_system (dir);
}

/* Makes the key NAME; returns its id as text. */
static char *
generate (const VtreePaths *paths, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *private_path = NULL;
  g_autofree char *public_path = NULL;
  char text[VTREE_KEY_ID_TEXT_MAX];
  VtreeKeyId id;
  GStatBuf attributes;

  g_assert_true (
    vtree_keyring_generate (paths, name, &id, &private_path, &public_path, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (private_path, &attributes), ==, 0);
  g_assert_cmpint (attributes.st_mode & 07777, ==, 0600);
  g_assert_cmpint (g_stat (public_path, &attributes), ==, 0);
  g_assert_cmpint (attributes.st_mode & 07777, ==, 0644);
  return g_strdup (vtree_key_id_format (&id, text));
}

/* The id of the key that is chosen for NAME (NULL: by default). */
static void
check_choice (const VtreePaths *paths, const char *name, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePrivateKey) key = vtree_keyring_load (paths, name, &error);
  g_autoptr (VtreePublicKey) public_key = NULL;
  char text[VTREE_KEY_ID_TEXT_MAX];

  g_assert_no_error (error);
  public_key = vtree_private_key_public (key, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vtree_key_id_format (vtree_public_key_id (public_key), text), ==,
                   expected);
}

static void
check_no_choice (const VtreePaths *paths, const char *name, int code, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vtree_keyring_load (paths, name, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
}

static void
test_choice (void)
{
  g_autoptr (VtreePaths) paths = make_paths ();
  g_autofree char *one = NULL;
  g_autofree char *two = NULL;
  g_autofree char *three = NULL;

  check_no_choice (paths, NULL, VTREE_ERROR_MISSING, "key generate");
  one = generate (paths, "one");
  check_choice (paths, NULL, one);
  two = generate (paths, "two");
  check_no_choice (paths, NULL, VTREE_ERROR_INVALID, "choose");
  check_choice (paths, "two", two);
  three = generate (paths, "default");
  check_choice (paths, NULL, three);
  check_no_choice (paths, "four", VTREE_ERROR_MISSING, "four.pem");
}

static void
test_never_overwrites (void)
{
  g_autoptr (VtreePaths) paths = make_paths ();
  g_autofree char *id = generate (paths, "one");
  g_autoptr (GError) error = NULL;
  g_autofree char *private_path = NULL;
  g_autofree char *public_path = NULL;
  VtreeKeyId other;

  g_assert_false (
    vtree_keyring_generate (paths, "one", &other, &private_path, &public_path, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "exists"));
  check_choice (paths, NULL, id);
}

static void
test_names (void)
{
  g_autoptr (VtreePaths) paths = make_paths ();
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) none = vtree_keyring_names (paths, &error);
  g_auto (GStrv) names = NULL;
  g_autofree char *joined = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (none), ==, 0);
  first = generate (paths, "b");
  second = generate (paths, "a");
  g_assert_cmpstr (first, !=, second);
  names = vtree_keyring_names (paths, &error);
  g_assert_no_error (error);
  joined = g_strjoinv (" ", names);
  g_assert_cmpstr (joined, ==, "a b");
}

/* The public key of ID's file in keys.d, loaded. */
static VtreePublicKey *
load_public (const VtreePaths *paths, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path
    = g_strconcat (vtree_paths_keys (paths), "/", name, ".pem", NULL);
  g_autofree char *pem = NULL;
  gsize size;
  VtreePublicKey *key;

  g_assert_true (g_file_get_contents (path, &pem, &size, &error));
  key = vtree_public_key_new_from_pem (pem, size, &error);
  g_assert_no_error (error);
  return key;
}

static void
test_trust (void)
{
  g_autoptr (VtreePaths) paths = make_paths ();
  g_autofree char *one = generate (paths, "one");
  g_autofree char *two = generate (paths, "two");
  g_auto (VtreeAnchor) key = { load_public (paths, "two"), NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *same = NULL;
  g_autofree char *other = NULL;
  g_autofree char *limited = NULL;
  g_autoptr (VtreeTrust) trust = NULL;

  g_assert_true (
    vtree_keyring_trust (vtree_paths_keys (paths), NULL, "two", &key, &same, &error));
  g_assert_true (g_str_has_suffix (same, "/keys.d/two.pem"));
  g_assert_true (
    vtree_keyring_trust (vtree_paths_keys (paths), NULL, "one", &key, &other, &error));
  g_assert_nonnull (strstr (other, two));
  g_assert_true (
    vtree_keyring_trust (vtree_paths_keys (paths), "a/b", "x", &key, &limited, &error));
  g_assert_true (g_str_has_suffix (limited, "/keys.d/a/b/x.pem"));
  trust = vtree_trust_load (paths, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_trust_count (trust), ==, 4);
}

static void
check_id (const VtreePaths *paths, const char *text, const char *expected, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeTrust) trust = vtree_trust_load (paths, NULL, &error);
  char found[VTREE_KEY_ID_TEXT_MAX];
  VtreeKeyId id;

  g_assert_no_error (error);
  g_test_message ("'%s'", text);
  if (expected != NULL) {
    g_assert_true (vtree_keyring_find_id (paths, trust, text, &id, &error));
    g_assert_cmpstr (vtree_key_id_format (&id, found), ==, expected);
    return;
  }
  g_assert_false (vtree_keyring_find_id (paths, trust, text, &id, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, NULL);
}

static void
test_find_id (void)
{
  g_autoptr (VtreePaths) paths = make_paths ();
  g_autofree char *id = generate (paths, "one");
  g_autofree char *eight = g_strndup (id, 8);
  g_autofree char *seven = g_strndup (id, 7);
  g_autofree char *upper = g_strdup (id);
  g_autofree char *unknown = g_strnfill (64, 'a');
  g_autofree char *longer = g_strconcat (id, "0", NULL);

  check_id (paths, id, id, 0);
  check_id (paths, eight, id, 0);
  check_id (paths, seven, NULL, VTREE_ERROR_INVALID);
  check_id (paths, "", NULL, VTREE_ERROR_INVALID);
  check_id (paths, longer, NULL, VTREE_ERROR_INVALID);
  check_id (paths, "0123456g", NULL, VTREE_ERROR_INVALID);
  upper[0] = 'A';
  check_id (paths, upper, NULL, VTREE_ERROR_INVALID);
  check_id (paths, unknown, unknown, 0);
  eight[7] = eight[7] == '0' ? '1' : '0';
  check_id (paths, eight, NULL, VTREE_ERROR_MISSING);
}

static void
test_revoke (void)
{
  g_autoptr (VtreePaths) paths = make_paths ();
  g_autofree char *text = generate (paths, "one");
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeTrust) trust = NULL;
  g_autofree char *path = NULL;
  VtreeKeyId id;

  g_assert_true (vtree_key_id_parse (text, &id));
  g_assert_true (vtree_keyring_revoke (paths, &id, &path, &error));
  g_clear_pointer (&path, g_free);
  g_assert_true (vtree_keyring_revoke (paths, &id, &path, &error));
  trust = vtree_trust_load (paths, NULL, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < vtree_trust_count (trust); i++)
    g_assert_true (vtree_trust_peek (trust, i)->revoked);
  g_assert_cmpuint (vtree_trust_count (trust), >, 0);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/keyring/choice", test_choice);
  g_test_add_func ("/cli/keyring/never-overwrites", test_never_overwrites);
  g_test_add_func ("/cli/keyring/names", test_names);
  g_test_add_func ("/cli/keyring/trust", test_trust);
  g_test_add_func ("/cli/keyring/find-id", test_find_id);
  g_test_add_func ("/cli/keyring/revoke", test_revoke);
  return vtree_test_run ();
}
