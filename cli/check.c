/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `vtree check`: a line for each file, and the worst verdict as exit status. The
 * judging is manifest/file-seal-check.c's; which files are judged is decided here.
 */
#include "cli/output.h"
#include "cli/sealing.h"
#include "cli/verbs.h"
#include "manifest/file-seal-check.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
  VtreeSealing sealing;
  const CheckWords *words;
  VtreeFileSealChecker checker;
  GHashTable *seen; /* the places that have their line */
  VtreeFileSealVerdict worst;
  unsigned lines;
  unsigned sealed, not_enforced; /* files */
} Run;

static void
run_clear (Run *run)
{
  g_clear_pointer (&run->seen, g_hash_table_unref);
  vtree_sealing_clear (&run->sealing);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

/* --- one file --------------------------------------------------------------------- */

static void
print_json (VtreeJson *json, const char *file, const VtreeFileSealAnswer *answer)
{
  char id[VTREE_KEY_ID_TEXT_MAX];

  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "path", file);
  vtree_json_add_string (json, "verdict",
                         vtree_file_seal_verdict_name (answer->verdict));
  vtree_json_add_string (json, "reason", answer->reason);
  vtree_json_add_bool (json, "logged", answer->logged);
  vtree_json_add_bool (json, "known", answer->known);
  vtree_json_add_bool (json, "enforced", answer->enforced);
  if (answer->seal != NULL) {
    vtree_json_begin_object (json, "seal");
    vtree_sealing_add_seal (json, answer->seal);
    vtree_json_add_string (json, "signed_by", vtree_key_id_format (&answer->key, id));
    vtree_json_add_string (json, "signer", answer->key_name);
    vtree_json_end_object (json);
  } else
    vtree_json_add_null (json, "seal");
  vtree_json_end_object (json);
}

static void
print_answer (Run *run, const char *file, const VtreeFileSealAnswer *answer)
{
  g_autofree char *shown = vtree_error_escape (file, -1);

  if (run->sealing.json != NULL) {
    print_json (run->sealing.json, file, answer);
    return;
  }
  vtree_out_print ("%s ", vtree_file_seal_verdict_name (answer->verdict));
  vtree_out_name (file, -1);
  vtree_out_text ("\n");
  if (answer->reason != NULL)
    vtree_sealing_note (&run->sealing, "%s: %s", shown, answer->reason);
}

static void
count_answer (Run *run, const VtreeFileSealAnswer *answer)
{
  run->worst = MAX (run->worst, answer->verdict);
  run->lines++;
  if (answer->verdict != VTREE_FILE_SEAL_SEALED)
    return;
  run->sealed++;
  run->not_enforced += !answer->enforced;
}

/* PASS_OVER: what has no seal is none of our business, unless it had one. */
static void
check_one (Run *run, const char *file, bool pass_over)
{
  g_auto (VtreeFileSealAnswer) answer = { .place = NULL };

  vtree_file_seal_check (&run->checker, file, &answer);
  if (pass_over && answer.verdict == VTREE_FILE_SEAL_UNSEALED && !answer.logged
      && !answer.known)
    return;
  vtree_sealing_next (&run->sealing);
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
visit_file (Run *run, const FTSENT *entry)
{
  const size_t cut = strlen (VTREE_FILE_SEAL_SUFFIX);
  g_autofree char *file = NULL;
  struct stat st;

  if (!g_str_has_suffix (entry->fts_name, VTREE_FILE_SEAL_SUFFIX)) {
    check_one (run, entry->fts_path, run->words->unsealed == FALSE);
    return;
  }
  /* A detached seal whose file is gone. */
  file = g_strndup (entry->fts_path, strlen (entry->fts_path) - cut);
  if (entry->fts_namelen > cut && lstat (file, &st) != 0)
    check_one (run, file, false);
}

static void
visit (Run *run, const FTSENT *entry)
{
  g_autofree char *shown = vtree_error_escape (entry->fts_path, -1);

  switch (entry->fts_info) {
  case FTS_F:
    visit_file (run, entry);
    break;
  case FTS_D:
  case FTS_SL:
  case FTS_SLNONE:
  case FTS_DEFAULT:
    check_one (run, entry->fts_path, true);
    break;
  case FTS_DNR:
  case FTS_ERR:
  case FTS_NS:
    vtree_sealing_note (&run->sealing, "%s: read it: %s", shown,
                        g_strerror (entry->fts_errno));
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

/* Whether the directory of PATH is DIR or beneath it, for the kernel. */
static bool
is_really_beneath (const char *path, const char *dir)
{
  g_autofree char *above = g_path_get_dirname (path);
  char *real_dir = realpath (dir, NULL); /* malloc(3)'s */
  char *real_above = realpath (above, NULL);
  size_t length = real_dir != NULL ? strlen (real_dir) : 0;
  bool beneath = real_dir != NULL && real_above != NULL
                 && strncmp (real_above, real_dir, length) == 0
                 && (length == 1 || strchr ("/", real_above[length]) != NULL);

  free (real_above);
  free (real_dir);
  return beneath;
}

/* Whether PATH is beneath DIR (both absolute), also where symlinks lead to one of
 * them. */
static bool
is_beneath (const char *path, const char *dir)
{
  g_autofree char *prefix
    = strcmp (dir, "/") == 0 ? g_strdup (dir) : g_strconcat (dir, "/", NULL);

  return g_str_has_prefix (path, prefix) || is_really_beneath (path, dir);
}

/* What the log has beneath DIR (NULL: anywhere) and has no line yet. */
static bool
check_log (Run *run, const char *dir, GError **error)
{
  const VtreePaths *paths = run->sealing.paths;
  g_autoptr (GPtrArray) entries = vtree_file_seal_log_load (paths, error);

  for (guint i = 0; entries != NULL && i < entries->len; i++) {
    const VtreeFileSealEntry *entry = entries->pdata[i];
    g_autofree char *path = vtree_file_seal_place_path (paths, entry->place);

    if ((dir == NULL || is_beneath (path, dir))
        && !g_hash_table_contains (run->seen, entry->place))
      check_one (run, path, false);
  }
  return entries != NULL;
}

/* A directory in which nothing is sealed is not sealed. */
static void
judge_nothing (Run *run, unsigned before, const char *what)
{
  if (run->lines > before)
    return;
  vtree_sealing_note (&run->sealing, "%s: nothing is sealed", what);
  run->worst = MAX (run->worst, VTREE_FILE_SEAL_UNSEALED);
}

static bool
check_directory (Run *run, const char *dir, GError **error)
{
  unsigned before = run->lines;
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
  VtreeSealing *sealing = &run->sealing;

  run->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!vtree_sealing_begin (sealing, "check", run->words->key, error))
    return false;
  run->checker = (VtreeFileSealChecker){ .paths = sealing->paths,
                                         .trust = sealing->trust,
                                         .name = run->words->name,
                                         .progress = vtree_sealing_progress (sealing) };
  if (!run->words->recursive)
    vtree_progress_set_total (sealing->progress, sealing->cli->n_args);
  return true;
}

static void
run_end (Run *run)
{
  vtree_sealing_end (&run->sealing);
  if (run->not_enforced > 0)
    vtree_sealing_note (&run->sealing,
                        "%u of %u sealed files are not enforced by the kernel: they "
                        "were read now, and can be altered after",
                        run->not_enforced, run->sealed);
}

static bool
check_operands (Run *run, GError **error)
{
  for (char **file = run->sealing.cli->args; *file != NULL; file++)
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
  g_auto (Run) run = { .sealing = { .cli = cli }, .words = &words };
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
