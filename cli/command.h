/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of the command: which verb, the options that all verbs share, where the
 * output goes. The table of verbs is in verbs.c; each verb is one function there:
 *
 *   bool
 *   vtree_verb_cat (VtreeCli *cli, GError **error)
 *   {
 *     gboolean flag = FALSE;
 *     const GOptionEntry entries[] = { { "flag", … &flag, … }, { NULL } };
 *
 *     if (!vtree_cli_parse (cli, entries, error))
 *       return false;                      wrong usage, or --help was printed
 *     … cli->args …
 *   }
 */
#pragma once

#include "core/error.h"
#include "core/paths.h"
#include "core/repo.h"

struct VtreeCompletion;

typedef struct VtreeCli VtreeCli;
typedef struct VtreeVerb VtreeVerb;

typedef enum {
  VTREE_VERB_REPO = 1 << 0,    /* --repo */
  VTREE_VERB_JSON = 1 << 1,    /* --json */
  VTREE_VERB_QUIET = 1 << 2,   /* --quiet */
  VTREE_VERB_WAIT = 1 << 3,    /* --wait */
  VTREE_VERB_COMMAND = 1 << 4, /* behind the first argument is a command's line */
} VtreeVerbFlags;

struct VtreeVerb {
  const char *name;        /* "commit", "key trust": one word, or two of a family */
  const char *arguments;   /* "REF DIR", for the usage line; "" for none */
  const char *summary;     /* one line, no full stop */
  const char *description; /* paragraphs and an example, ends without a newline */
  unsigned min_args;
  unsigned max_args; /* G_MAXUINT: any number */
  VtreeVerbFlags flags;

  /* Does it. False with an error, or false without one after --help. */
  bool (*run) (VtreeCli *cli, GError **error);
};

struct VtreeCli {
  const VtreeVerb *verb; /* NULL until it is known */
  char **words; /* the verb's own words, not parsed yet; words[0] is its name */

  /* After vtree_cli_parse(). */
  char **args;     /* what is no option, NULL-terminated */
  unsigned n_args; /* their number, within the verb's bounds */
  char *repo_path; /* --repo; NULL: see vtree_cli_open_repo() */
  int wait;        /* seconds for locks, -1: for ever */
  gboolean json;
  gboolean quiet;
  gboolean help; /* the help was printed: nothing else is to be done */
  bool misused;  /* the words were wrong: the help would help */

  void *option_data; /* set before vtree_cli_parse(): for options with a callback */

  /* not NULL: vtree_cli_parse() only hands the options over, see complete.h */
  struct VtreeCompletion *completion;

  int status; /* exit status after success: diff --exit-code has a 1 to tell */
};

/* Seconds that a lock is waited for without --wait. */
#define VTREE_CLI_WAIT 10

/* The whole program. ARGV as main() has it. Returns the exit status. */
int vtree_cli_main (int argc, char **argv);

/* Finds the verb that WORDS (NULL-terminated) name and runs it. As VtreeVerb.run. */
bool vtree_cli_run (VtreeCli *cli, char **words, GError **error);

/* Frees what CLI owns. */
void vtree_cli_clear (VtreeCli *cli);

/* Parses the verb's words: ENTRIES (ended by { NULL }), the shared options that its
 * flags name, --help, and the number of arguments. Option values are raw bytes, so
 * ENTRIES use G_OPTION_ARG_FILENAME. Call it first of all, whatever the words are.
 * Errors: VTREE_ERROR_INVALID; false without one after --help. */
bool vtree_cli_parse (VtreeCli *cli, const GOptionEntry *entries, GError **error);

/* The repository's path: --repo, else $VTREE_REPO, else the user's own. To be freed. */
char *vtree_cli_repo_path (const VtreeCli *cli, const VtreePaths *paths);

/* Opens it. Errors as vtree_repo_open()'s. */
VtreeRepo *vtree_cli_open_repo (const VtreeCli *cli, const VtreePaths *paths,
                                GError **error);

/* The same for a verb that has read no paths yet: *PATHS (owned) are. */
VtreeRepo *vtree_cli_open_own_repo (const VtreeCli *cli, VtreePaths **paths,
                                    GError **error);

/* One line for the person on stderr, "vtree VERB: …"; nothing with --quiet. */
void vtree_cli_note (const VtreeCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* The error's line on stderr, or its JSON object with --json. */
void vtree_cli_report (const VtreeCli *cli, const GError *error);
