/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree check`: a line for each file, and the worst verdict as exit status. The
 * judging is manifest/file-seal-check.c's; which files are judged is decided here.
 */
#include "cli/json.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "manifest/file-seal-check.h"

#include <errno.h>
#include <fts.h>
#include <string.h>

typedef struct {
  char *name; /* --as */
  char *key;  /* --key-file */
  gboolean recursive;
  gboolean all;
  gboolean unsealed;
} CheckWords;

static void
check_words_clear (CheckWords *words)
{
  g_clear_pointer (&words->name, g_free);
  g_clear_pointer (&words->key, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CheckWords, check_words_clear)

typedef struct {
  const VtreeCli *cli;
  const CheckWords *words;
  VtreePaths *paths;
  VtreeTrust *trust;
  VtreeFileSealChecker checker;
  VtreeJson *json;  /* NULL without --json */
  GHashTable *seen; /* the places that have their line */
  VtreeFileSealVerdict worst;
  unsigned sealed, not_enforced; /* files */
} Run;

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->seen, g_hash_table_unref);
  g_clear_pointer (&run->json, vtree_json_free);
  g_clear_pointer (&run->trust, vtree_trust_free);
  g_clear_pointer (&run->paths, vtree_paths_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

/* --- one file --------------------------------------------------------------------- */

static void
print_json (VtreeJson *json, const char *file, const VtreeFileSealAnswer *answer)
{
  const VtreeFileSeal *seal = answer->seal;
  char id[VTREE_KEY_ID_TEXT_MAX];
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "path", file);
  vtree_json_add_string (json, "verdict",
                         vtree_file_seal_verdict_name (answer->verdict));
  vtree_json_add_string (json, "reason", answer->reason);
  vtree_json_add_bool (json, "logged", answer->logged);
  vtree_json_add_bool (json, "enforced", answer->enforced);
  if (seal != NULL) {
    g_autofree char *mode = g_strdup_printf ("%04o", seal->mode);
    g_autofree char *created = vtree_time_format (seal->created);

    vtree_json_begin_object (json, "seal");
    vtree_json_add_string (json, "name", seal->name);
    vtree_json_add_uint (json, "version", seal->version);
    vtree_json_add_string (json, "created", created);
    vtree_json_add_string (json, "digest", vtree_digest_format (&seal->digest, digest));
    vtree_json_add_uint (json, "size", seal->size);
    vtree_json_add_string (json, "mode", mode);
    vtree_json_add_string (json, "signed_by", vtree_key_id_format (&answer->key, id));
    vtree_json_add_string (json, "signer", answer->key_name);
    vtree_json_end_object (json);
  } else
    vtree_json_add_null (json, "seal");
  vtree_json_end_object (json);
}

static void
print_answer (const Run *run, const char *file, const VtreeFileSealAnswer *answer)
{
  g_autofree char *shown = vtree_error_escape (file, -1);

  if (run->json != NULL) {
    print_json (run->json, file, answer);
    return;
  }
  vtree_out_print ("%s ", vtree_file_seal_verdict_name (answer->verdict));
  vtree_out_name (file, -1);
  vtree_out_text ("\n");
  if (answer->reason != NULL)
    vtree_cli_note (run->cli, "%s: %s", shown, answer->reason);
}

static void
count_answer (Run *run, const VtreeFileSealAnswer *answer)
{
  run->worst = MAX (run->worst, answer->verdict);
  if (answer->verdict != VTREE_FILE_SEAL_SEALED)
    return;
  run->sealed++;
  run->not_enforced += !answer->enforced;
}

/* PASS_OVER: a file without a seal is none of our business, unless it had one. */
static void
check_one (Run *run, const char *file, bool pass_over)
{
  g_auto (VtreeFileSealAnswer) answer = { .place = NULL };

  vtree_file_seal_check (&run->checker, file, &answer);
  if (pass_over && answer.verdict == VTREE_FILE_SEAL_UNSEALED && !answer.logged)
    return;
  g_hash_table_add (run->seen, g_strdup (answer.place));
  print_answer (run, file, &answer);
  count_answer (run, &answer);
}

/* --- which files ------------------------------------------------------------------ */

static int
compare_entries (const FTSENT **a, const FTSENT **b)
{
  return strcmp ((*a)->fts_name, (*b)->fts_name);
}

static void
visit (Run *run, const FTSENT *entry)
{
  g_autofree char *shown = vtree_error_escape (entry->fts_path, -1);

  switch (entry->fts_info) {
  case FTS_F:
    if (!g_str_has_suffix (entry->fts_name, VTREE_FILE_SEAL_SUFFIX))
      check_one (run, entry->fts_path, run->words->unsealed == FALSE);
    break;
  case FTS_DNR:
  case FTS_ERR:
  case FTS_NS:
    vtree_cli_note (run->cli, "%s: read it: %s", shown, g_strerror (entry->fts_errno));
    run->worst = MAX (run->worst, VTREE_FILE_SEAL_FAILED);
    break;
  default:
    break;
  }
}

/* All regular files in DIR, at any depth; symlinks in it are not followed. */
static bool
walk (Run *run, const char *dir, GError **error)
{
  g_autofree char *copy = g_strdup (dir);
  char *const dirs[] = { copy, NULL };
  FTS *walker
    = fts_open (dirs, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, compare_entries);
  g_autofree char *shown = vtree_error_escape (dir, -1);
  const FTSENT *entry;

  if (walker == NULL)
    return vtree_error_set_errno (error, errno, "read %s", shown);
  while ((entry = fts_read (walker)) != NULL)
    visit (run, entry);
  if (errno != 0) {
    int errnum = errno;

    fts_close (walker);
    return vtree_error_set_errno (error, errnum, "read %s", shown);
  }
  return fts_close (walker) == 0
         || vtree_error_set_errno (error, errno, "read %s", shown);
}

/* Whether ENTRY's PATH is beneath DIR (absolute). The home directory can be reached by
 * two names, so places are compared too. */
static bool
is_beneath (const Run *run, const VtreeFileSealEntry *entry, const char *path,
            const char *dir)
{
  g_autofree char *prefix
    = strcmp (dir, "/") == 0 ? g_strdup (dir) : g_strconcat (dir, "/", NULL);
  g_autofree char *place = vtree_file_seal_place (run->paths, prefix);

  return g_str_has_prefix (path, prefix) || g_str_has_prefix (entry->place, place);
}

/* What the log has beneath DIR (NULL: anywhere) and has no line yet. */
static bool
check_log (Run *run, const char *dir, GError **error)
{
  g_autoptr (GPtrArray) entries = vtree_file_seal_log_load (run->paths, error);

  for (guint i = 0; entries != NULL && i < entries->len; i++) {
    const VtreeFileSealEntry *entry = entries->pdata[i];
    g_autofree char *path = vtree_file_seal_place_path (run->paths, entry->place);

    if ((dir == NULL || is_beneath (run, entry, path, dir))
        && !g_hash_table_contains (run->seen, entry->place))
      check_one (run, path, false);
  }
  return entries != NULL;
}

/* A directory in which nothing is sealed is not sealed. */
static void
judge_nothing (Run *run, unsigned before, const char *what)
{
  if (g_hash_table_size (run->seen) > before)
    return;
  vtree_cli_note (run->cli, "%s: nothing is sealed", what);
  run->worst = MAX (run->worst, VTREE_FILE_SEAL_UNSEALED);
}

static bool
check_directory (Run *run, const char *dir, GError **error)
{
  unsigned before = g_hash_table_size (run->seen);
  g_autofree char *path = vtree_file_seal_path (dir);
  g_autofree char *shown = vtree_error_escape (dir, -1);

  if (!walk (run, dir, error) || !check_log (run, path, error))
    return false;
  judge_nothing (run, before, shown);
  return true;
}

static bool
check_all (Run *run, GError **error)
{
  if (!check_log (run, NULL, error))
    return false;
  judge_nothing (run, 0, "--all");
  return true;
}

/* --- the verb --------------------------------------------------------------------- */

static bool
run_begin (Run *run, GError **error)
{
  run->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  run->paths = vtree_paths_new (error);
  run->trust
    = run->paths != NULL ? vtree_trust_load (run->paths, run->words->key, error) : NULL;
  if (run->trust == NULL)
    return false;
  run->checker = (VtreeFileSealChecker){ .paths = run->paths,
                                         .trust = run->trust,
                                         .name = run->words->name };
  if (!run->cli->json)
    return true;
  run->json = vtree_json_new (stdout);
  vtree_json_begin_answer (run->json);
  vtree_json_begin_array (run->json, "files");
  return true;
}

static void
run_end (Run *run)
{
  if (run->json != NULL) {
    vtree_json_end_array (run->json);
    vtree_json_end_object (run->json);
  }
  if (run->not_enforced > 0)
    vtree_cli_note (run->cli,
                    "%u of %u sealed files are not enforced by the kernel: they were "
                    "read now, and can be altered after",
                    run->not_enforced, run->sealed);
}

static bool
check_operands (Run *run, GError **error)
{
  for (char **file = run->cli->args; *file != NULL; file++)
    if (!run->words->recursive)
      check_one (run, *file, false);
    else if (!check_directory (run, *file, error))
      return false;
  return true;
}

static bool
check_words (const VtreeCli *cli, const CheckWords *words, GError **error)
{
  if (words->all ? cli->n_args > 0 || words->recursive : cli->n_args == 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "FILE..., -r DIR... or --all expected, one of them");
  if (words->name != NULL && (words->all || words->recursive || cli->n_args > 1))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--as: one name is for one file");
  if (words->unsealed && !words->recursive)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "--unsealed is for -r");
  return true;
}

bool
vtree_verb_check (VtreeCli *cli, GError **error)
{
  g_auto (CheckWords) words = { .name = NULL };
  g_auto (Run) run = { .cli = cli, .words = &words };
  const GOptionEntry entries[]
    = { { "recursive", 'r', 0, G_OPTION_ARG_NONE, &words.recursive,
          "Check the sealed files in directories", NULL },
        { "all", 'a', 0, G_OPTION_ARG_NONE, &words.all,
          "Check all files that you have sealed", NULL },
        { "as", 0, 0, G_OPTION_ARG_FILENAME, &words.name,
          "The seal must be for NAME instead of the file's path", "NAME" },
        { "key-file", 0, 0, G_OPTION_ARG_FILENAME, &words.key,
          "Trust this public key or certificate alone", "FILE" },
        { "unsealed", 0, 0, G_OPTION_ARG_NONE, &words.unsealed,
          "With -r: files without a seal count too", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (!check_words (cli, &words, error)) {
    cli->misused = true;
    return false;
  }
  if (!run_begin (&run, error)
      || !(words.all ? check_all (&run, error) : check_operands (&run, error)))
    return false;
  run_end (&run);
  cli->status = vtree_file_seal_verdict_exit (run.worst);
  return true;
}
