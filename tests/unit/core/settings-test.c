/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "core/settings.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *dir;
  char *file;
  VtreePaths *paths;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  f->paths = vtree_paths_new_for_system (f->dir);
  f->file = g_strdup (vtree_paths_settings (f->paths)[0]);
  g_autofree char *parent = g_path_get_dirname (f->file);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  vtree_paths_free (f->paths);
  g_free (f->file);
  g_free (f->dir);
}

static void
write_settings (const char *file, const char *text)
{
  g_assert_true (g_file_set_contents (file, text, -1, NULL));
  g_assert_cmpint (chmod (file, 0644), ==, 0);
}

/* As they would stand behind -o. */
static char *
join (const GPtrArray *settings)
{
  g_autoptr (GString) joined = g_string_new (NULL);
  for (guint i = 0; i < settings->len; i++) {
    const VtreeSetting *setting = g_ptr_array_index (settings, i);
    if (setting->off)
      continue;
    g_string_append_printf (joined, "%s%s%s%s", joined->len > 0 ? "," : "",
                            setting->name, setting->value != NULL ? "=" : "",
                            setting->value != NULL ? setting->value : "");
  }
  return g_string_free (g_steal_pointer (&joined), FALSE);
}

static const struct {
  const char *name;
  const char *text;
  const char *options; /* joined by commas; NULL: INVALID */
} files[] = {
  { "empty", "", "" },
  { "comment", "# nothing\n", "" },
  { "options", "[mount]\nverity=require\nmin_version = 7\n",
    "verity=require,min_version=7" },
  { "true-and-false", "[mount]\nallow_dev=true\nallow_suid=false\n", "allow_dev" },
  { "other-groups", "[later]\nx=y\n[mount]\nopen=checked\n", "open=checked" },
  { "value-with-equals", "[mount]\nobjects=/a=b\n", "objects=/a=b" },
  { "no-group", "verity=off\n", NULL },
  { "no-key-file", "[mount\n", NULL },
  { "bad-utf8", "[mount]\nlog=\xff\n", NULL },
};

static void
test_files (Fixture *f, gconstpointer unused)
{
  (void) unused;
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    g_test_message ("%s", files[i].name);
    write_settings (f->file, files[i].text);
    g_autoptr (GError) error = NULL;
    g_autoptr (GPtrArray) options = vtree_settings_mount_options (f->paths, &error);
    if (files[i].options == NULL) {
      g_assert_null (options);
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "vtree.conf");
      continue;
    }
    g_assert_no_error (error);
    g_autofree char *joined = join (options);
    g_assert_cmpstr (joined, ==, files[i].options);
  }
}

static void
test_none (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) options = vtree_settings_mount_options (f->paths, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (options->len, ==, 0);
}

static void
assert_error (Fixture *f, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_settings_mount_options (f->paths, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
}

static void
test_not_to_be_relied_on (Fixture *f, gconstpointer unused)
{
  (void) unused;
  write_settings (f->file, "[mount]\nverity=off\n");
  g_assert_cmpint (chmod (f->file, 0666), ==, 0);
  assert_error (f, VTREE_ERROR_UNTRUSTED, "chmod go-w");
  g_assert_cmpint (unlink (f->file), ==, 0);
  g_assert_cmpint (mkfifo (f->file, 0600), ==, 0);
  assert_error (f, VTREE_ERROR_INVALID, "not a regular file");
}

/* In whose directory others can put another file, or none, says nothing. */
static void
test_directory_not_to_be_relied_on (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *dir = g_path_get_dirname (f->file);
  g_assert_cmpint (chmod (dir, 0775), ==, 0);
  assert_error (f, VTREE_ERROR_UNTRUSTED, "chmod go-w");
  write_settings (f->file, "[mount]\nverity=off\n");
  assert_error (f, VTREE_ERROR_UNTRUSTED, "vtree.conf: ");
  g_assert_cmpint (chmod (dir, 0755), ==, 0);
  if (geteuid () != 0)
    return;
  g_assert_cmpint (chown (dir, 4711, 0), ==, 0);
  assert_error (f, VTREE_ERROR_UNTRUSTED, "belongs to uid 4711");
}

static void
test_names_its_file (Fixture *f, gconstpointer unused)
{
  (void) unused;
  write_settings (f->file, "[mount]\nopen=lazy\n");
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) options = vtree_settings_mount_options (f->paths, &error);
  g_assert_no_error (error);
  const VtreeSetting *setting = g_ptr_array_index (options, 0);
  g_assert_cmpstr (setting->file, ==, f->file);
}

static void
test_too_long (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *text = g_strnfill (65537, '#');
  write_settings (f->file, text);
  assert_error (f, VTREE_ERROR_LIMIT, "vtree.conf");
}

/* The administrator's word stands; the user's fills the gaps. A user's first file is
 * the running system's own: where that exists, this can't be tried. */
static void
test_first_file_wins (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (VtreePaths) user = vtree_paths_new_for_user (f->dir, NULL);
  const char *const *settings = vtree_paths_settings (user);
  if (g_file_test (settings[0], G_FILE_TEST_EXISTS)) {
    vtree_test_skip ("this system has an /etc/vtree/vtree.conf");
    return;
  }
  g_autofree char *parent = g_path_get_dirname (settings[1]);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  write_settings (settings[1], "[mount]\nopen=checked\nopen=lazy\n");
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) options = vtree_settings_mount_options (user, &error);
  g_assert_no_error (error);
  g_autofree char *joined = join (options);
  g_assert_cmpstr (joined, ==, "open=lazy");
}

#define ADD(name, func)                                                                \
  g_test_add ("/core/settings/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_unsetenv ("XDG_CONFIG_HOME");
  g_unsetenv ("XDG_DATA_HOME");
  g_unsetenv ("XDG_STATE_HOME");
  ADD ("files", test_files);
  ADD ("none", test_none);
  ADD ("not-to-be-relied-on", test_not_to_be_relied_on);
  ADD ("directory-not-to-be-relied-on", test_directory_not_to_be_relied_on);
  ADD ("names-its-file", test_names_its_file);
  ADD ("too-long", test_too_long);
  ADD ("first-file-wins", test_first_file_wins);
  return vtree_test_run ();
}
