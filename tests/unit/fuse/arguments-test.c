/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/arguments.h"

#include "tests/lib/test.h"

typedef struct {
  const char *name;
  const char *line; /* words */
  const char *source, *dir, *namespace_, *key;
  bool fake;
  const char *error; /* NULL: success */
} Row;

static const Row rows[] = {
  { "as mount calls it", "R:a /m -o rw,key=/k", "R:a", "/m", NULL, "/k", false, NULL },
  { "every flag", "R:a /m -f -v -s -n -o bogus", "R:a", "/m", NULL, NULL, true, NULL },
  { "flags together", "-fvsn R:a /m", "R:a", "/m", NULL, NULL, true, NULL },
  { "options first", "-o key=/k R:a /m", "R:a", "/m", NULL, "/k", false, NULL },
  { "options joined", "R:a /m -okey=/k", "R:a", "/m", NULL, "/k", false, NULL },
  { "options twice", "R:a /m -o key=/a -o key=/b", "R:a", "/m", NULL, "/b", false,
    NULL },
  { "namespace", "R:a /m -N /proc/7/ns/mnt", "R:a", "/m", "/proc/7/ns/mnt", NULL, false,
    NULL },
  { "type", "R:a /m -t fuse.vtree", "R:a", "/m", NULL, NULL, false, NULL },
  { "operands only", "-- -a -m", "-a", "-m", NULL, NULL, false, NULL },
  { "a dash is an operand", "- /m", "-", "/m", NULL, NULL, false, NULL },
  { "no directory", "R:a", NULL, NULL, NULL, NULL, false, "a directory are needed" },
  { "too many", "R:a /m /n", NULL, NULL, NULL, NULL, false, "too many" },
  { "unknown letter", "R:a /m -x", NULL, NULL, NULL, NULL, false, "\"-x\"" },
  { "value missing", "R:a /m -o", NULL, NULL, NULL, NULL, false, "\"-o\"" },
  { "unknown option", "R:a /m -o bogus", NULL, NULL, NULL, NULL, false, "bogus" },
};

static void
test_row (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *line = g_strconcat ("mount.fuse.vtree ", row->line, NULL);
  g_auto (GStrv) argv = g_strsplit (line, " ", -1);
  g_auto (VtreeArguments) arguments = { 0 };
  g_autoptr (GError) error = NULL;
  bool ok
    = vtree_arguments_parse (&arguments, (int) g_strv_length (argv), argv, &error);
  if (row->error != NULL) {
    g_assert_false (ok);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, row->error);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpstr (arguments.source, ==, row->source);
  g_assert_cmpstr (arguments.dir, ==, row->dir);
  g_assert_cmpstr (arguments.namespace_, ==, row->namespace_);
  g_assert_cmpstr (arguments.options.key, ==, row->key);
  g_assert_cmpint (arguments.fake, ==, row->fake);
}

static void
test_help (void)
{
  static char *const words[] = { "mount.fuse.vtree", "--help" };
  g_auto (VtreeArguments) arguments = { 0 };
  g_assert_true (vtree_arguments_parse (&arguments, 2, (char **) words, NULL));
  g_assert_true (arguments.help);
}

/* Never from fstab: it is no option. */
static void
test_foreground (void)
{
  static const struct {
    const char *line;
    bool foreground;
  } lines[] = { { "R:a /m", false },
                { "R:a /m -F", true },
                { "R:a /m -vFo rw", true },
                { "R:a /m -o x-foreground", false } };
  for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_autofree char *line = g_strconcat ("mount.fuse.vtree ", lines[i].line, NULL);
    g_auto (GStrv) argv = g_strsplit (line, " ", -1);
    g_auto (VtreeArguments) arguments = { 0 };
    g_autoptr (GError) error = NULL;
    vtree_arguments_parse (&arguments, (int) g_strv_length (argv), argv, &error);
    g_assert_no_error (error);
    g_assert_cmpint (arguments.foreground, ==, lines[i].foreground);
  }
}

/* Nor that, so that the log of a boot is whole. */
static void
test_quiet (void)
{
  static const struct {
    const char *line;
    bool quiet;
  } lines[] = { { "R:a /m", false },
                { "R:a /m -q", true },
                { "-qF R:a /m", true },
                { "R:a /m -o quiet", false } };
  for (size_t i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_autofree char *line = g_strconcat ("mount.fuse.vtree ", lines[i].line, NULL);
    g_auto (GStrv) argv = g_strsplit (line, " ", -1);
    g_auto (VtreeArguments) arguments = { 0 };
    vtree_arguments_parse (&arguments, (int) g_strv_length (argv), argv, NULL);
    g_assert_cmpint (arguments.quiet, ==, lines[i].quiet);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_strdup_printf ("/fuse/arguments/%s", rows[i].name);
    g_test_add_data_func (path, &rows[i], test_row);
  }
  g_test_add_func ("/fuse/arguments/help", test_help);
  g_test_add_func ("/fuse/arguments/foreground", test_foreground);
  g_test_add_func ("/fuse/arguments/quiet", test_quiet);
  return vtree_test_run ();
}
