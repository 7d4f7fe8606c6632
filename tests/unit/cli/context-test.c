/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the words of a context mean, which are refused, and which one wins. */
#include "cli/context.h"
#include "tests/lib/test.h"

static void
test_words (void)
{
  static const struct {
    const char *word;
    VtreeContextKind kind;
    bool good;
  } rows[] = {
    { "network", VTREE_CONTEXT_SHARE, true },
    { "!ipc", VTREE_CONTEXT_SHARE, true },
    { "everything", VTREE_CONTEXT_SHARE, false },
    { "", VTREE_CONTEXT_SHARE, false },
    { "!", VTREE_CONTEXT_SHARE, false },
    { "session-bus", VTREE_CONTEXT_SOCKET, true },
    { "network", VTREE_CONTEXT_SOCKET, false },
    { "all", VTREE_CONTEXT_DEVICE, true },
    { "sda", VTREE_CONTEXT_DEVICE, false },
    { "home:ro", VTREE_CONTEXT_FILESYSTEM, true },
    { "~/x:create", VTREE_CONTEXT_FILESYSTEM, true },
    { "xdg-config/app", VTREE_CONTEXT_FILESYSTEM, true },
    { "xdg-nothing", VTREE_CONTEXT_FILESYSTEM, false },
    { "relative", VTREE_CONTEXT_FILESYSTEM, false },
    { "", VTREE_CONTEXT_FILESYSTEM, false },
    { ":ro", VTREE_CONTEXT_FILESYSTEM, false },
    { "/", VTREE_CONTEXT_FILESYSTEM, false },
    { "/usr", VTREE_CONTEXT_FILESYSTEM, false },
    { "/srv/../usr/lib", VTREE_CONTEXT_FILESYSTEM, false },
    { "/app", VTREE_CONTEXT_FILESYSTEM, false },
    { "/run", VTREE_CONTEXT_FILESYSTEM, false },
    { "/run/host/x", VTREE_CONTEXT_FILESYSTEM, false },
    { "/run/user/7/x", VTREE_CONTEXT_FILESYSTEM, true },
    { "/usrlocal", VTREE_CONTEXT_FILESYSTEM, true },
    { "A=", VTREE_CONTEXT_ENVIRONMENT, true },
    { "A", VTREE_CONTEXT_ENVIRONMENT, false },
    { "=b", VTREE_CONTEXT_ENVIRONMENT, false },
    { "A", VTREE_CONTEXT_UNSET, true },
    { "A=b", VTREE_CONTEXT_UNSET, false },
    { "", VTREE_CONTEXT_UNSET, false },
    { "org/runtime", VTREE_CONTEXT_RUNTIME, true },
    { "org/runtime@7", VTREE_CONTEXT_RUNTIME, true },
    { "", VTREE_CONTEXT_RUNTIME, true },
    { "org/../x", VTREE_CONTEXT_RUNTIME, false },
    { "org/runtime@0x7", VTREE_CONTEXT_RUNTIME, false },
    { "org/runtime:usr", VTREE_CONTEXT_RUNTIME, false },
    { "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      VTREE_CONTEXT_RUNTIME, false },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (VtreeContext) context = vtree_context_new ();
    g_autoptr (GError) error = NULL;
    bool good = vtree_context_add (context, rows[i].kind, rows[i].word, &error);

    g_test_message ("%s", rows[i].word);
    g_assert_true (good == rows[i].good);
    if (!good)
      g_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID);
  }
}

static void
add (VtreeContext *context, VtreeContextKind kind, const char *word)
{
  g_autoptr (GError) error = NULL;

  vtree_context_add (context, kind, word, &error);
  g_assert_no_error (error);
}

static void
test_later_wins (void)
{
  g_autoptr (VtreeContext) context = vtree_context_new ();
  g_autoptr (GList) places = NULL;

  add (context, VTREE_CONTEXT_SHARE, "network");
  add (context, VTREE_CONTEXT_SHARE, "ipc");
  add (context, VTREE_CONTEXT_SHARE, "!network");
  g_assert_false (vtree_context_has (context, VTREE_CONTEXT_SHARE, "network"));
  g_assert_true (vtree_context_has (context, VTREE_CONTEXT_SHARE, "ipc"));
  add (context, VTREE_CONTEXT_FILESYSTEM, "/srv/b");
  add (context, VTREE_CONTEXT_FILESYSTEM, "/srv/a:ro");
  add (context, VTREE_CONTEXT_FILESYSTEM, "/srv//b/:ro");
  add (context, VTREE_CONTEXT_FILESYSTEM, "/srv/c");
  add (context, VTREE_CONTEXT_FILESYSTEM, "!/srv/c");
  places = vtree_context_list_places (context);
  g_assert_cmpuint (g_list_length (places), ==, 2);
  g_assert_cmpstr (places->data, ==, "/srv/a");
  g_assert_cmpint (vtree_context_place_mode (context, "/srv/b"), ==,
                   VTREE_CONTEXT_READ_ONLY);
  add (context, VTREE_CONTEXT_ENVIRONMENT, "A=b=c");
  g_assert_cmpstr (vtree_context_variable (context, "A"), ==, "b=c");
  add (context, VTREE_CONTEXT_UNSET, "A");
  g_assert_null (vtree_context_variable (context, "A"));
  add (context, VTREE_CONTEXT_RUNTIME, "org/runtime");
  add (context, VTREE_CONTEXT_RUNTIME, "org/runtime@7");
  g_assert_cmpstr (vtree_context_runtime (context), ==, "org/runtime@7");
  add (context, VTREE_CONTEXT_RUNTIME, "");
  g_assert_null (vtree_context_runtime (context));
}

static void
save (GKeyFile *file, VtreeContextKind kind, const char *word)
{
  g_autoptr (GError) error = NULL;

  vtree_context_save (file, kind, word, &error);
  g_assert_no_error (error);
}

/* What is saved replaces what was said of the same thing. */
static void
test_save (void)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VtreeContext) context = vtree_context_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  save (file, VTREE_CONTEXT_SHARE, "network");
  save (file, VTREE_CONTEXT_SHARE, "!network");
  save (file, VTREE_CONTEXT_FILESYSTEM, "home");
  save (file, VTREE_CONTEXT_FILESYSTEM, "/srv/a;b");
  save (file, VTREE_CONTEXT_FILESYSTEM, "home:ro");
  save (file, VTREE_CONTEXT_UNSET, "A");
  save (file, VTREE_CONTEXT_ENVIRONMENT, "A=1");
  save (file, VTREE_CONTEXT_ENVIRONMENT, "B=1");
  save (file, VTREE_CONTEXT_UNSET, "B");
  save (file, VTREE_CONTEXT_RUNTIME, "org/runtime");
  save (file, VTREE_CONTEXT_RUNTIME, "org/runtime@7");
  text = g_key_file_to_data (file, NULL, NULL);
  g_assert_cmpstr (text, ==,
                   "[Context]\nshared=!network;\n"
                   "filesystems=/srv/a\\;b;home:ro;\nunset-environment=B;\n\n"
                   "[Environment]\nA=1\n\n"
                   "[Application]\nruntime=org/runtime@7\n");
  vtree_context_load (context, file, true, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vtree_context_runtime (context), ==, "org/runtime@7");
  g_assert_cmpint (vtree_context_place_mode (context, "/srv/a;b"), ==,
                   VTREE_CONTEXT_READ_WRITE);
  g_assert_false (vtree_context_save (file, VTREE_CONTEXT_DEVICE, "sda", &error));
  g_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID);
}

static void
test_unknown_key (void)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (VtreeContext) context = vtree_context_new ();
  g_autoptr (GError) error = NULL;

  g_key_file_set_string (file, "Context", "share", "network");
  vtree_context_load (context, file, false, &error);
  g_assert_no_error (error);
  g_assert_false (vtree_context_load (context, file, true, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "'share'");
  g_clear_error (&error);
  g_key_file_remove_group (file, "Context", NULL);
  g_key_file_set_string (file, "Application", "command", "sh");
  vtree_context_load (context, file, false, &error);
  g_assert_no_error (error);
  g_assert_false (vtree_context_load (context, file, true, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "'command'");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/context/words", test_words);
  g_test_add_func ("/cli/context/later-wins", test_later_wins);
  g_test_add_func ("/cli/context/save", test_save);
  g_test_add_func ("/cli/context/unknown-key", test_unknown_key);
  return vtree_test_run ();
}
