/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree delta create` and `vtree delta apply`: the work is manifest/delta.h's. */
#include "manifest/delta.h"
#include "cli/argument.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/pulled.h"
#include "cli/repacking.h"
#include "cli/signing.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- create ----------------------------------------------------------------------- */

typedef struct {
  gboolean from_empty;
  char *level;
  char *threads;
} CreateWords;

static void
create_words_clear (CreateWords *words)
{
  g_clear_pointer (&words->level, g_free);
  g_clear_pointer (&words->threads, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CreateWords, create_words_clear)

static bool
apply_create_words (const VtreeCli *cli, const CreateWords *words,
                    VtreeDeltaOptions *options, GError **error)
{
  uint64_t level = VTREE_DELTA_LEVEL;

  if (cli->n_args != (words->from_empty ? 1 : 2))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "delta create: FROM and TO expected, or --from-empty and "
                            "TO; see `vtree delta create --help`");
  if (words->level != NULL
      && !vtree_argument_number ("--level", words->level, 1, 22, &level, error))
    return false;
  options->level = (int) level;
  return words->threads == NULL
         || vtree_argument_threads (words->threads, &options->threads, error);
}

/* A terminal is no place for it. */
static bool
check_output (GError **error)
{
  return !isatty (STDOUT_FILENO)
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "delta create: it is written to standard output, which is "
                             "a terminal; add > FILE");
}

static bool
create (const VtreeCli *cli, const VtreeRefSpec *from, const VtreeRefSpec *to,
        VtreeDeltaOptions *options, GError **error)
{
  g_autoptr (VtreePaths) paths = vtree_paths_new (error);
  g_autoptr (VtreeRepo) repo
    = paths != NULL ? vtree_cli_open_repo (cli, paths, error) : NULL;
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("delta", !cli->quiet);
  g_auto (VtreeDeltaResult) result = { .ref = NULL };

  if (repo == NULL)
    return false;
  options->paths = paths;
  options->wait = cli->wait;
  options->progress = vtree_progress_count;
  options->progress_context = progress;
  if (!vtree_delta_create (repo, from, to, STDOUT_FILENO, options, &result, error))
    return false;
  g_clear_pointer (&progress, vtree_progress_free);
  vtree_cli_note (
    cli,
    "%s version %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT
    " new objects (%" G_GUINT64_FORMAT " bytes) in %" G_GUINT64_FORMAT " bytes",
    result.ref, result.version, result.objects, result.bytes, result.size);
  return true;
}

bool
vtree_verb_delta_create (VtreeCli *cli, GError **error)
{
  g_auto (CreateWords) words = { .level = NULL };
  const GOptionEntry entries[]
    = { { "from-empty", 0, 0, G_OPTION_ARG_NONE, &words.from_empty,
          "Start from nothing: FROM is left out", NULL },
        { "level", 0, 0, G_OPTION_ARG_FILENAME, &words.level,
          "How hard zstd tries, 1 to 22 (default: 19)", "N" },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &words.threads,
          "So many workers (default: one a processor)", "N" },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_auto (VtreeRefSpec) from = { .name = NULL };
  g_auto (VtreeRefSpec) to = { .name = NULL };
  VtreeDeltaOptions options = { .paths = NULL };

  if (!vtree_cli_parse (cli, entries, error)
      || !apply_create_words (cli, &words, &options, error)
      || !vtree_ref_spec_parse (cli->args[cli->n_args - 1], false, &to, error)
      || (!words.from_empty
          && !vtree_ref_spec_parse (cli->args[0], false, &from, error))
      || !check_output (error))
    return false;
  return create (cli, words.from_empty ? NULL : &from, &to, &options, error);
}

/* --- apply ------------------------------------------------------------------------ */

typedef struct {
  gboolean force, allow_secret;
  char *verity;
  char *threads;
  VtreeObjectWords object;
} ApplyWords;

static void
apply_words_clear (ApplyWords *words)
{
  g_clear_pointer (&words->verity, g_free);
  g_clear_pointer (&words->threads, g_free);
  vtree_object_words_clear (&words->object);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ApplyWords, apply_words_clear)

static GArray *
apply_entries (ApplyWords *words)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  const GOptionEntry own[]
    = { { "force", 0, 0, G_OPTION_ARG_NONE, &words->force,
          "Accept a version that is expired or older than one accepted before", NULL },
        { "allow-secret", 0, 0, G_OPTION_ARG_NONE, &words->allow_secret,
          "Take files that not everybody may read into a shared repository", NULL },
        { "verity", 0, 0, G_OPTION_ARG_FILENAME, &words->verity,
          "Enable fs-verity: auto, require or off (default: the configuration's)",
          "WORD" },
        { "threads", 0, 0, G_OPTION_ARG_FILENAME, &words->threads,
          "So many workers (default: one a processor)", "N" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
  vtree_object_words_add (&words->object, entries);
  return entries;
}

static bool
apply_words (const ApplyWords *words, VtreePullOptions *options, GError **error)
{
  options->force = words->force != FALSE;
  options->allow_secret = words->allow_secret != FALSE;
  options->has_verity = words->verity != NULL;
  if (options->has_verity
      && !vtree_argument_verity (words->verity, &options->verity, error))
    return false;
  return words->threads == NULL
         || vtree_argument_threads (words->threads, &options->threads, error);
}

/* "-" is standard input. */
static int
open_delta (const char *path, GError **error)
{
  int fd = strcmp (path, "-") == 0 ? fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                   : open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  g_autofree char *escaped = vtree_error_escape (path, -1);

  if (fd < 0 && errno == ENOENT)
    vtree_error_set (error, VTREE_ERROR_MISSING, "delta apply: there is no %s",
                     escaped);
  else if (fd < 0)
    vtree_error_set_errno (error, errno, "delta apply: open %s", escaped);
  return fd;
}

static bool
apply (const VtreeCli *cli, const VtreeRepo *repo, VtreePullOptions *options,
       GError **error)
{
  g_autoptr (VtreeProgress) progress = vtree_progress_new ("delta", !cli->quiet);
  g_auto (VtreePullResult) result = { .version = 0 };
  g_autoptr (VtreeJson) json = NULL;
  g_auto (VtreeFd) fd = open_delta (cli->args[0], error);

  if (fd < 0)
    return false;
  options->progress = vtree_progress_count;
  options->progress_context = progress;
  if (!vtree_delta_apply (repo, fd, options, &result, error))
    return false;
  g_clear_pointer (&progress, vtree_progress_free);
  if (cli->json) {
    json = vtree_json_new (stdout);
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "applied");
  }
  vtree_pulled_print (cli, &result, json);
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  return vtree_repacking_consider (cli, repo, options->signer, error);
}

bool
vtree_verb_delta_apply (VtreeCli *cli, GError **error)
{
  g_auto (ApplyWords) words = { .verity = NULL };
  g_autoptr (GArray) entries = apply_entries (&words);
  g_autoptr (VtreeObjectSigner) signer = NULL;
  g_autoptr (VtreePaths) paths = NULL;
  g_autoptr (VtreeRepo) repo = NULL;
  VtreePullOptions options = { .paths = NULL };

  if (!vtree_cli_parse (cli, (const GOptionEntry *) (void *) entries->data, error)
      || !apply_words (&words, &options, error)
      || !vtree_object_words_load (&words.object, &signer, error))
    return false;
  repo = vtree_cli_open_own_repo (cli, &paths, error);
  if (repo == NULL)
    return false;
  options.paths = paths;
  options.signer = signer;
  options.wait = cli->wait;
  return apply (cli, repo, &options, error);
}
