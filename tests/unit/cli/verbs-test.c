/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of verbs keeps its own rules, and its help comes out. */
#include "cli/verbs.h"
#include "core/handoff.h"
#include "tests/lib/test.h"

#include <string.h>

static void
test_find (void)
{
  static const struct {
    const char *words[4];
    const char *verb; /* NULL: none */
    unsigned used;
  } rows[] = {
    { { "commit" }, "commit", 1 },
    { { "commit", "ref", "dir" }, "commit", 1 },
    { { "key", "list" }, "key list", 2 },
    { { "key", "list", "x" }, "key list", 2 },
    { { "key" }, NULL, 0 },
    { { "key", "no" }, NULL, 0 },
    { { "key list" }, NULL, 0 },
    { { "com" }, NULL, 0 },
    { { "" }, NULL, 0 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    unsigned used = 0;
    const VtreeVerb *verb
      = vtree_verbs_find ((char **) (void *) (uintptr_t) rows[i].words, &used);

    g_assert_cmpstr (verb != NULL ? verb->name : NULL, ==, rows[i].verb);
    if (verb != NULL)
      g_assert_cmpuint (used, ==, rows[i].used);
  }
}

static void
test_table (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (size_t i = 0; i < vtree_verbs_count (); i++) {
    const VtreeVerb *verb = vtree_verbs_peek (i);
    g_autofree char *example = g_strdup_printf ("vtree %s", verb->name);

    g_test_message ("%s", verb->name);
    g_assert_true (g_hash_table_add (seen, (char *) (uintptr_t) verb->name));
    g_assert_cmpuint (strlen (verb->name), <=, 14);
    g_assert_cmpuint (strlen (verb->summary), <=, 63);
    g_assert_null (strpbrk (verb->summary, "\n."));
    g_assert_nonnull (strstr (verb->description, example));
    g_assert_false (g_str_has_suffix (verb->description, "\n"));
    g_assert_cmpuint (verb->min_args, <=, verb->max_args);
    g_assert_nonnull (verb->run);
  }
}

static void
print_help (const VtreeVerb *verb)
{
  g_auto (GStrv) words = g_strsplit (verb->name, " ", 2);
  char help[] = "--help";
  char program[] = "vtree";
  char *argv[] = { program, words[0], words[1] != NULL ? words[1] : help,
                   words[1] != NULL ? help : NULL, NULL };

  g_assert_cmpint (vtree_cli_main ((int) g_strv_length (argv), argv), ==,
                   VTREE_EXIT_DONE);
}

static void
test_help (void)
{
  if (g_test_subprocess ()) {
    for (size_t i = 0; i < vtree_verbs_count (); i++)
      print_help (vtree_verbs_peek (i));
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("");
  for (size_t i = 0; i < vtree_verbs_count (); i++) {
    const VtreeVerb *verb = vtree_verbs_peek (i);
    g_autofree char *usage = g_strdup_printf ("*vtree %s ?OPTION*", verb->name);

    g_test_trap_assert_stdout (usage);
  }
}

static void
test_wrong_words (void)
{
  static const struct {
    const char *name;
    const char *words[5];
  } rows[] = {
    { "no verb", { "vtree" } },
    { "unknown verb", { "vtree", "frobnicate" } },
    { "unknown global option", { "vtree", "--frob", "init" } },
    { "repo without a value", { "vtree", "--repo" } },
    { "half a family", { "vtree", "key" } },
    { "unknown option", { "vtree", "refs", "--frob" } },
    { "too few arguments", { "vtree", "commit", "ref" } },
    { "too many arguments", { "vtree", "refs", "x" } },
    { "bad wait", { "vtree", "gc", "--wait=soon" } },
    { "neither of two", { "vtree", "umount" } },
  };

  if (g_test_subprocess ()) {
    for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
      char **words = (char **) (void *) (uintptr_t) rows[i].words;

      g_assert_cmpint (vtree_cli_main ((int) g_strv_length (words), words), ==,
                       VTREE_EXIT_USAGE);
    }
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr (
    "*vtree: there is no verb 'frobnicate'; see `vtree --help`\n*");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/verbs/find", test_find);
  g_test_add_func ("/cli/verbs/table", test_table);
  g_test_add_func ("/cli/verbs/help", test_help);
  g_test_add_func ("/cli/verbs/wrong-words", test_wrong_words);
  return vtree_test_run ();
}
