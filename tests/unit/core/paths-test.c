/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/fd.h"
#include "core/paths.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const variables[]
  = { "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME" };

/* Every variable is VALUE; NULL: not set. */
static void
set_environment (const char *value)
{
  for (size_t i = 0; i < G_N_ELEMENTS (variables); i++) {
    if (value != NULL)
      g_setenv (variables[i], value, TRUE);
    else
      g_unsetenv (variables[i]);
  }
}

static void
test_root_ignores_environment (void)
{
  set_environment ("/evil");
  g_autoptr (VtreePaths) paths = vtree_paths_new_for_system ("");
  g_assert_true (vtree_paths_is_root (paths));
  g_assert_cmpstr (vtree_paths_repo (paths), ==, VTREE_STATE_DIR "/repo");
  g_assert_cmpstr (vtree_paths_marks (paths), ==, VTREE_STATE_DIR "/marks");
  g_assert_cmpstr (vtree_paths_cache (paths), ==, VTREE_STATE_DIR "/cache");
  g_assert_cmpstr (vtree_paths_private (paths), ==, VTREE_SYSCONF_DIR "/private");
  g_assert_cmpstr (vtree_paths_keys (paths), ==, VTREE_SYSCONF_DIR "/keys.d");
  g_assert_cmpstr (vtree_paths_revoked (paths), ==, VTREE_SYSCONF_DIR "/revoked.d");
  g_assert_cmpstr (vtree_paths_certificates (paths), ==, VTREE_SYSCONF_DIR "/certs.d");
  const char *const *keys = vtree_paths_all_keys (paths);
  g_assert_cmpstr (keys[0], ==, VTREE_VENDOR_DIR "/keys.d");
  g_assert_cmpstr (keys[1], ==, VTREE_SYSCONF_DIR "/keys.d");
  g_assert_null (keys[2]);
  const char *const *settings = vtree_paths_settings (paths);
  g_assert_cmpstr (settings[0], ==, VTREE_SYSCONF_DIR "/vtree.conf");
  g_assert_null (settings[1]);
  set_environment (NULL);
}

static void
test_the_caller_is_the_effective_uid (void)
{
  set_environment ("/evil");
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePaths) paths = vtree_paths_new (&error);
  g_assert_no_error (error);
  g_assert_cmpint (vtree_paths_is_root (paths), ==, geteuid () == 0);
  set_environment (NULL);
}

static void
test_user_from_home (void)
{
  set_environment (NULL);
  g_setenv ("HOME", "/evil", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePaths) paths = vtree_paths_new_for_user ("/home/u", &error);
  g_assert_no_error (error);
  g_assert_false (vtree_paths_is_root (paths));
  g_assert_cmpstr (vtree_paths_repo (paths), ==, "/home/u/.local/share/vtree/repo");
  g_assert_cmpstr (vtree_paths_marks (paths), ==, "/home/u/.local/state/vtree/marks");
  g_assert_cmpstr (vtree_paths_cache (paths), ==, "/home/u/.cache/vtree");
  g_assert_cmpstr (vtree_paths_private (paths), ==, "/home/u/.config/vtree/private");
  g_assert_cmpstr (vtree_paths_keys (paths), ==, "/home/u/.config/vtree/keys.d");
  g_assert_cmpstr (vtree_paths_revoked (paths), ==, "/home/u/.config/vtree/revoked.d");
  const char *const *revoked = vtree_paths_all_revoked (paths);
  g_assert_cmpstr (revoked[0], ==, VTREE_VENDOR_DIR "/revoked.d");
  g_assert_cmpstr (revoked[1], ==, VTREE_SYSCONF_DIR "/revoked.d");
  g_assert_cmpstr (revoked[2], ==, "/home/u/.config/vtree/revoked.d");
  g_assert_null (revoked[3]);
  const char *const *certificates = vtree_paths_all_certificates (paths);
  g_assert_cmpstr (certificates[0], ==, VTREE_VENDOR_DIR "/certs.d");
  g_assert_cmpstr (certificates[1], ==, VTREE_SYSCONF_DIR "/certs.d");
  g_assert_cmpstr (certificates[2], ==, "/home/u/.config/vtree/certs.d");
  g_assert_null (certificates[3]);
  const char *const *settings = vtree_paths_settings (paths);
  g_assert_cmpstr (settings[0], ==, VTREE_SYSCONF_DIR "/vtree.conf");
  g_assert_cmpstr (settings[1], ==, "/home/u/.config/vtree/vtree.conf");
  g_assert_null (settings[2]);
}

static void
test_user_from_variables (void)
{
  set_environment (NULL);
  g_setenv ("XDG_CONFIG_HOME", "/c", TRUE);
  g_setenv ("XDG_DATA_HOME", "/d", TRUE);
  g_setenv ("XDG_STATE_HOME", "/s", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePaths) paths = vtree_paths_new_for_user (NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vtree_paths_repo (paths), ==, "/d/vtree/repo");
  g_assert_cmpstr (vtree_paths_marks (paths), ==, "/s/vtree/marks");
  g_assert_cmpstr (vtree_paths_private (paths), ==, "/c/vtree/private");
  /* Who has no home and names no place for a cache has it with the state. */
  g_assert_cmpstr (vtree_paths_cache (paths), ==, "/s/vtree/cache");
  g_setenv ("XDG_CACHE_HOME", "/k", TRUE);
  g_autoptr (VtreePaths) cached = vtree_paths_new_for_user (NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vtree_paths_cache (cached), ==, "/k/vtree");
  set_environment (NULL);
}

static void
test_relative_variables_do_not_count (void)
{
  set_environment ("relative");
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePaths) paths = vtree_paths_new_for_user ("/home/u", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vtree_paths_marks (paths), ==, "/home/u/.local/state/vtree/marks");
  g_assert_cmpstr (vtree_paths_cache (paths), ==, "/home/u/.cache/vtree");
  set_environment (NULL);
}

static void
test_no_home (void)
{
  set_environment (NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_paths_new_for_user (NULL, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_FAILED, "XDG_CONFIG_HOME");
}

static unsigned
mode_of (const char *path)
{
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  return st.st_mode & 07777;
}

static void
test_open_makes_private_directories (void)
{
  g_autofree char *top = vtree_test_make_dir ();
  g_autofree char *parent = g_build_filename (top, "a", NULL);
  g_autofree char *dir = g_build_filename (parent, "marks", NULL);
  g_autofree char *keys = g_build_filename (parent, "keys.d", NULL);
  g_autoptr (GError) error = NULL;
  mode_t old = umask (0);
  g_auto (VtreeFd) fd = vtree_paths_open_directory (dir, true, NULL, &error);
  g_assert_no_error (error);
  g_auto (VtreeFd) keys_fd = vtree_paths_open_directory (keys, true, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *limited = g_build_filename (parent, "certs.d", "a", "b", NULL);
  g_auto (VtreeFd) limited_fd
    = vtree_paths_open_directory (limited, true, NULL, &error);
  g_assert_no_error (error);
  umask (old);
  unsigned public = geteuid () == 0 ? 0755 : 0700;
  g_assert_cmpuint (mode_of (parent), ==, public);
  g_assert_cmpuint (mode_of (dir), ==, 0700);
  g_assert_cmpuint (mode_of (keys), ==, public);
  g_assert_cmpuint (mode_of (limited), ==, public);
}

static void
test_open_tells_absence (void)
{
  g_autofree char *top = vtree_test_make_dir ();
  g_autofree char *dir = g_build_filename (top, "none", NULL);
  g_autoptr (GError) error = NULL;
  bool missing = false;
  g_assert_cmpint (vtree_paths_open_directory (dir, false, &missing, &error), ==, -1);
  g_assert_no_error (error);
  g_assert_true (missing);
}

static void
test_open_refuses_a_file (void)
{
  g_autofree char *top = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (top, "file", NULL);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  g_autoptr (GError) error = NULL;
  bool missing = true;
  g_assert_cmpint (vtree_paths_open_directory (path, true, &missing, &error), ==, -1);
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, ENOTDIR, "file");
  g_assert_false (missing);
}

static const struct {
  const char *name;
  mode_t mode;
  bool ok;
} modes[] = {
  { "private", 0700, true },         { "readable", 0755, true },
  { "group-writable", 0770, false }, { "world-writable", 0707, false },
  { "sticky", 01777, false },
};

static void
test_writable_by_others (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_test_message ("%s", modes[i].name);
    g_autofree char *dir = vtree_test_make_dir ();
    g_assert_cmpint (chmod (dir, modes[i].mode), ==, 0);
    g_autoptr (GError) error = NULL;
    bool missing;
    g_auto (VtreeFd) fd = vtree_paths_open_directory (dir, false, &missing, &error);
    g_assert_cmpint (fd >= 0, ==, modes[i].ok);
    if (!modes[i].ok)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "chmod go-w");
  }
}

/* Who can write to the directory above can take one of ours away, so that it is seen as
 * missing, or put another in its place. */
static void
test_parent_writable_by_others (void)
{
  static const char *const names[] = { "there", "missing" };
  g_autofree char *top = vtree_test_make_dir ();
  g_autofree char *there = g_build_filename (top, "there", NULL);
  g_assert_cmpint (mkdir (there, 0700), ==, 0);
  g_assert_cmpint (chmod (top, 0777), ==, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *dir = g_build_filename (top, names[i], NULL);
    g_autoptr (GError) error = NULL;
    bool missing = true;
    g_assert_cmpint (vtree_paths_open_directory (dir, false, &missing, &error), ==, -1);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "chmod go-w");
    g_assert_false (missing);
  }
}

static void
test_of_another_user (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can give a directory away");
    return;
  }
  g_autofree char *dir = vtree_test_make_dir ();
  g_assert_cmpint (chown (dir, 12345, 0), ==, 0);
  g_autoptr (GError) error = NULL;
  bool missing;
  g_assert_cmpint (vtree_paths_open_directory (dir, false, &missing, &error), ==, -1);
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "uid 12345");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/paths/root-ignores-environment",
                   test_root_ignores_environment);
  g_test_add_func ("/core/paths/the-caller-is-the-effective-uid",
                   test_the_caller_is_the_effective_uid);
  g_test_add_func ("/core/paths/user-from-home", test_user_from_home);
  g_test_add_func ("/core/paths/user-from-variables", test_user_from_variables);
  g_test_add_func ("/core/paths/relative-variables-do-not-count",
                   test_relative_variables_do_not_count);
  g_test_add_func ("/core/paths/no-home", test_no_home);
  g_test_add_func ("/core/paths/open-makes-private-directories",
                   test_open_makes_private_directories);
  g_test_add_func ("/core/paths/open-tells-absence", test_open_tells_absence);
  g_test_add_func ("/core/paths/open-refuses-a-file", test_open_refuses_a_file);
  g_test_add_func ("/core/paths/writable-by-others", test_writable_by_others);
  g_test_add_func ("/core/paths/parent-writable-by-others",
                   test_parent_writable_by_others);
  g_test_add_func ("/core/paths/of-another-user", test_of_another_user);
  return vtree_test_run ();
}
