/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"
#include "manifest/export-private.h"
#include "tests/lib/test.h"

#include <stdint.h>
#include <string.h>

static const VtreeExportRunner runner = { "/usr/bin/vtree", "org.x", false };

#define RUN "/usr/bin/vtree run org.x -- "

/* --- Exec ------------------------------------------------------------------------- */

static const struct {
  const char *name;
  const char *exec;
  const char *line; /* behind RUN; NULL: refused */
} execs[] = {
  { "plain", "hello", "hello" },
  { "arguments", "  hello   --a=b  c ", "hello --a=b c" },
  { "quoted", "hello \"a b\" \"\"", "hello \"a b\" \"\"" },
  { "escaped", "hello \"\\$a \\`b\\` \\\"c\\\" \\\\\"",
    "hello \"\\$a \\`b\\` \\\"c\\\" \\\\\"" },
  { "quoted-program", "\"my hello\" %f", "\"my hello\" %f" },
  { "one-file", "hello %f", "hello %f" },
  { "urls", "hello %U --", "hello %U --" },
  { "inside-a-word", "hello --file=%u", "hello --file=%u" },
  { "icon-and-name", "hello %i -caption %c", "hello %i -caption %c" },
  { "percent", "hello 50%% \"50%%\"", "hello 50%% \"50%%\"" },
  { "place-of-the-file", "hello %k x", "hello x" },
  { "old-codes", "hello %d %D %n %N %v %m", "hello" },
  { "letters-of-all-languages", "hällo", "hällo" },
  { "two-files", "hello %f %U", NULL },
  { "files-in-a-word", "hello --files=%F", NULL },
  { "old-code-in-a-word", "hello --k=%k", NULL },
  { "unknown-code", "hello %z", NULL },
  { "open-code", "hello %", NULL },
  { "code-in-quotes", "hello \"a %f\"", NULL },
  { "code-as-program", "%f", NULL },
  { "empty", "", NULL },
  { "spaces", "   ", NULL },
  { "empty-program", "\"\" x", NULL },
  { "open-quote", "hello \"a", NULL },
  { "open-escape", "hello \"a\\", NULL },
  { "useless-escape", "hello \"\\a\"", NULL },
  { "substitution-in-quotes", "hello \"$(reboot)\"", NULL },
  { "backtick-in-quotes", "hello \"`reboot`\"", NULL },
  { "semicolon", "hello; reboot", NULL },
  { "pipe", "hello | sh", NULL },
  { "and", "hello && reboot", NULL },
  { "substitution", "hello $(reboot)", NULL },
  { "variable", "hello $HOME", NULL },
  { "backtick", "hello `reboot`", NULL },
  { "redirection", "hello >file", NULL },
  { "single-quotes", "hello 'a b'", NULL },
  { "backslash", "hello a\\ b", NULL },
  { "comment", "hello # x", NULL },
  { "tilde", "hello ~/x", NULL },
  { "glob", "hello *", NULL },
  { "word-goes-on", "hello \"a\"b", NULL },
  { "quote-in-a-word", "hello a\"b\"", NULL },
  { "newline", "hello\nreboot", NULL },
  { "newline-in-quotes", "hello \"a\nb\"", NULL },
  { "tab", "hello\tb", NULL },
};

static void
test_exec (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_autoptr (GError) error = NULL;
  g_autofree char *line = vtree_export_exec_desktop (execs[i].exec, &runner, &error);
  if (execs[i].line == NULL) {
    g_assert_null (line);
    g_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID);
    return;
  }
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (line, RUN));
  g_assert_cmpstr (line + strlen (RUN), ==, execs[i].line);
}

static void
test_runner (void)
{
  const VtreeExportRunner odd = { "/home/a $b/100%/vtree", "x", true };
  g_autoptr (GError) error = NULL;
  g_autofree char *line = vtree_export_exec_desktop ("hello", &odd, &error);
  g_autofree char *service = vtree_export_exec_service ("hello", &odd, &error);
  g_autoptr (GBytes) command = vtree_export_command ("hello", &odd);
  g_assert_no_error (error);
  g_assert_cmpstr (line, ==, "\"/home/a \\$b/100%%/vtree\" run --system x -- hello");
  g_assert_cmpstr (service, ==, "'/home/a $b/100%/vtree' run --system x -- hello");
  g_autofree char *text
    = g_strndup (g_bytes_get_data (command, NULL), g_bytes_get_size (command));
  g_assert_cmpstr (text, ==,
                   "#!/bin/sh\nexec '/home/a $b/100%/vtree' run --system x -- hello "
                   "\"$@\"\n");
}

/* --- desktop files ---------------------------------------------------------------- */

#define HEAD "[Desktop Entry]\nType=Application\nName=X\n"
#define OUT_HEAD HEAD
#define OUT_TAIL "TryExec=/usr/bin/vtree\nExec=" RUN "x\nX-Vtree=org.x\n"

static const struct {
  const char *name;
  const char *text;
  const char *out; /* NULL: refused */
} desktops[] = {
  { "least", HEAD "Exec=x\n", OUT_HEAD OUT_TAIL },
  { "other-type", "[Desktop Entry]\nType=Link\nName=X\nURL=file:///etc\nExec=x\n",
    NULL },
  { "no-type", "[Desktop Entry]\nName=X\nExec=x\n", NULL },
  { "no-name", "[Desktop Entry]\nType=Application\nExec=x\n", NULL },
  { "name-with-control-character",
    "[Desktop Entry]\nType=Application\nName=X\002\nExec=x\n", NULL },
  { "no-exec", HEAD "DBusActivatable=true\n", NULL },
  { "bad-exec", HEAD "Exec=x;y\n", NULL },
  { "no-group", "[Other]\nType=Application\nName=X\nExec=x\n", NULL },
  { "empty", "", NULL },
  { "no-key-file", "x", NULL },
  { "not-passed-on",
    HEAD "Exec=x\nDBusActivatable=true\nPath=/\nX-GNOME-Autostart-Phase=x\n"
         "TryExec=/bin/sh\nURL=x\nHidden=true\nImplements=org.x;\n[Other]\nExec=y\n",
    OUT_HEAD OUT_TAIL },
  { "translations", HEAD "Name[de_AT@euro]=Y\nExec=x\n",
    OUT_HEAD "Name[de_AT@euro]=Y\n" OUT_TAIL },
  { "exec-of-a-language", HEAD "Exec=x\nExec[de]=reboot\n", OUT_HEAD OUT_TAIL },
  { "icon-is-a-path", HEAD "Icon=/etc/shadow\nExec=x\n", OUT_HEAD OUT_TAIL },
  { "icon-goes-up", HEAD "Icon=../x\nExec=x\n", OUT_HEAD OUT_TAIL },
  { "action",
    HEAD "Actions=a;\nExec=x\n[Desktop Action a]\nName=A\nExec=x --a\nPath=/\n"
         "[Desktop Action b]\nName=B\nExec=reboot\n",
    OUT_HEAD "TryExec=/usr/bin/vtree\nExec=" RUN "x\nActions=a;\nX-Vtree=org.x\n"
             "\n[Desktop Action a]\nName=A\nExec=" RUN "x --a\n" },
  { "action-without-group", HEAD "Actions=a;\nExec=x\n", NULL },
  { "action-with-odd-name", HEAD "Actions=a b;\nExec=x\n", NULL },
  { "bad-action", HEAD "Actions=a;\nExec=x\n[Desktop Action a]\nName=A\nExec=x|y\n",
    NULL },
};

static void
test_desktop (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  const char *text = desktops[i].text;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) in = g_bytes_new_static (text, strlen (text));
  g_autoptr (GBytes) out = vtree_export_desktop (in, &runner, &error);
  if (desktops[i].out == NULL) {
    g_assert_null (out);
    g_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID);
    return;
  }
  g_assert_no_error (error);
  g_autofree char *got
    = g_strndup (g_bytes_get_data (out, NULL), g_bytes_get_size (out));
  g_assert_cmpstr (got, ==, desktops[i].out);
}

static void
test_desktop_limits (void)
{
  g_autofree char *large = g_strnfill (VTREE_EXPORT_TEXT_MAX + 1, '#');
  g_autoptr (GBytes) too_large = g_bytes_new_static (large, VTREE_EXPORT_TEXT_MAX + 1);
  static const char nul[] = HEAD "Exec=x\n\0Exec=y\n";
  g_autoptr (GBytes) with_nul = g_bytes_new_static (nul, sizeof nul - 1);
  g_assert_null (vtree_export_desktop (too_large, &runner, NULL));
  g_assert_null (vtree_export_desktop (with_nul, &runner, NULL));
}

/* --- D-Bus services --------------------------------------------------------------- */

#define SERVICE "[D-BUS Service]\nName=org.x\n"

static const struct {
  const char *name;
  const char *bus_name;
  const char *text;
  const char *out; /* NULL: refused */
} services[] = {
  { "least", "org.x", SERVICE "Exec=/app/x --y\n", SERVICE "Exec=" RUN "/app/x --y\n" },
  { "quoted", "org.x", SERVICE "Exec=x \"a b\" 'c;d' \"\"\n",
    SERVICE "Exec=" RUN "x 'a b' 'c;d' ''\n" },
  { "not-passed-on", "org.x",
    SERVICE "Exec=x\nSystemdService=y.service\nUser=root\nAssumedAppArmorLabel=z\n",
    SERVICE "Exec=" RUN "x\n" },
  { "another-name", "org.y", SERVICE "Exec=x\n", NULL },
  { "no-name", "org.x", "[D-BUS Service]\nExec=x\n", NULL },
  { "no-bus-name", "org", "[D-BUS Service]\nName=org\nExec=x\n", NULL },
  { "digit", "org.3x", "[D-BUS Service]\nName=org.3x\nExec=x\n", NULL },
  { "no-exec", "org.x", SERVICE, NULL },
  { "empty-exec", "org.x", SERVICE "Exec=\n", NULL },
  { "empty-program", "org.x", SERVICE "Exec=''\n", NULL },
  { "open-quote", "org.x", SERVICE "Exec=x 'y\n", NULL },
  { "single-quote", "org.x", SERVICE "Exec=x \"it's\"\n", NULL },
  { "newline", "org.x", SERVICE "Exec=x \"a\\nb\"\n", NULL },
};

static void
test_service (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  const char *text = services[i].text;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) in = g_bytes_new_static (text, strlen (text));
  g_autoptr (GBytes) out
    = vtree_export_service (in, services[i].bus_name, &runner, &error);
  if (services[i].out == NULL) {
    g_assert_null (out);
    g_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID);
    return;
  }
  g_assert_no_error (error);
  g_autofree char *got
    = g_strndup (g_bytes_get_data (out, NULL), g_bytes_get_size (out));
  g_assert_cmpstr (got, ==, services[i].out);
}

/* --- the rest --------------------------------------------------------------------- */

static void
test_names (void)
{
  g_assert_true (vtree_export_belongs ("org.x", "org.x"));
  g_assert_true (vtree_export_belongs ("org.x.desktop", "org.x"));
  g_assert_true (vtree_export_belongs ("git-lfs", "git"));
  g_assert_true (vtree_export_belongs ("git_x", "git"));
  g_assert_false (vtree_export_belongs ("gitk", "git"));
  g_assert_false (vtree_export_belongs ("gi", "git"));
  g_assert_false (vtree_export_belongs ("sudo", "git"));
  g_assert_true (vtree_export_is_simple ("org.x_y-z+1@2"));
  g_assert_false (vtree_export_is_simple (""));
  g_assert_false (vtree_export_is_simple (".x"));
  g_assert_false (vtree_export_is_simple ("-x"));
  g_assert_false (vtree_export_is_simple ("a/b"));
  g_assert_false (vtree_export_is_simple ("a b"));
  g_assert_false (vtree_export_is_simple ("a\n"));
  g_assert_false (vtree_export_is_simple ("\xc3\xa4"));
}

static const struct {
  const char *name;
  const char *text;
  bool accepted, exports;
  unsigned commands;
} words[] = {
  { "empty", "", true, false, 0 },
  { "other-groups", "[Context]\nshared=network\n", true, false, 0 },
  { "exports", "[Application]\nexports=true\n", true, true, 0 },
  { "not", "[Application]\nexports=false\n", true, false, 0 },
  { "commands", "[Application]\ncommands=a;b-c;\n", true, false, 2 },
  { "no-commands", "[Application]\ncommands=\n", true, false, 0 },
  { "neither", "[Application]\nexports=yes\n", false, false, 0 },
  { "a-path", "[Application]\ncommands=../sh\n", false, false, 0 },
  { "an-option", "[Application]\ncommands=-c\n", false, false, 0 },
  { "two-words", "[Application]\ncommands=a b\n", false, false, 0 },
  { "no-key-file", "exports", false, false, 0 },
};

static void
test_words (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_autoptr (GError) error = NULL;
  g_auto (VtreeExportWords) got = { .exports = false };
  g_autoptr (GBytes) in = g_bytes_new_static (words[i].text, strlen (words[i].text));
  bool accepted = vtree_export_parse_words (in, &got, &error);
  unsigned commands = got.commands != NULL ? g_strv_length (got.commands) : 0;
  g_assert_cmpint (accepted, ==, words[i].accepted);
  g_assert_cmpint (error == NULL, ==, words[i].accepted);
  g_assert_cmpint (got.exports, ==, words[i].exports);
  g_assert_cmpuint (commands, ==, words[i].commands);
}

static bool
is_png (uint32_t width, uint32_t height, size_t size)
{
  static const uint8_t head[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
  uint8_t data[32] = { 0 };
  uint32_t sides[2] = { GUINT32_TO_BE (width), GUINT32_TO_BE (height) };
  memcpy (data, head, sizeof head - 1);
  memcpy (data + sizeof head - 1, sides, sizeof sides);
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  return vtree_export_check_icon (bytes, "x.png", NULL);
}

static void
test_icons (void)
{
  g_autoptr (GBytes) svg = g_bytes_new_static ("<svg/>", 6);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("\xff\xfe", 2);
  g_assert_true (is_png (1, 1024, 32));
  g_assert_true (is_png (48, 48, 24));
  g_assert_false (is_png (48, 48, 23));
  g_assert_false (is_png (0, 48, 32));
  g_assert_false (is_png (48, 1025, 32));
  g_assert_false (is_png (UINT32_MAX, 1, 32));
  g_assert_false (is_png (48, 48, 0));
  g_assert_true (vtree_export_check_icon (svg, "x.svg", NULL));
  g_assert_false (vtree_export_check_icon (svg, "x.png", NULL));
  g_assert_false (vtree_export_check_icon (svg, "x.xpm", NULL));
  g_assert_false (vtree_export_check_icon (bytes, "x.svg", NULL));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (execs); i++) {
    g_autofree char *path = g_strconcat ("/manifest/export/exec/", execs[i].name, NULL);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_exec);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (desktops); i++) {
    g_autofree char *path
      = g_strconcat ("/manifest/export/desktop/", desktops[i].name, NULL);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_desktop);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (services); i++) {
    g_autofree char *path
      = g_strconcat ("/manifest/export/service/", services[i].name, NULL);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_service);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++) {
    g_autofree char *path
      = g_strconcat ("/manifest/export/words/", words[i].name, NULL);
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_words);
  }
  g_test_add_func ("/manifest/export/runner", test_runner);
  g_test_add_func ("/manifest/export/desktop-limits", test_desktop_limits);
  g_test_add_func ("/manifest/export/names", test_names);
  g_test_add_func ("/manifest/export/icons", test_icons);
  return vtree_test_run ();
}
