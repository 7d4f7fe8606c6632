/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options that say what of the host a command may see, and which runtime it stands
 * on, the same for run and override.
 *
 *   g_auto (VtreeContextWords) words = { .share = NULL };
 *   vtree_context_words_add (&words, entries);         then vtree_cli_parse()
 *   vtree_context_words_each (&words, apply, data, error)
 */
#pragma once

#include "cli/command.h"
#include "cli/context.h"

typedef struct {
  char **share, **unshare;
  char **socket, **nosocket;
  char **device, **nodevice;
  char **filesystem, **nofilesystem;
  char **environment, **unset;
  char **runtime;
} VtreeContextWords;

/* Frees what WORDS holds; a zeroed one is fine. */
void vtree_context_words_clear (VtreeContextWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeContextWords, vtree_context_words_clear)

/* Appends the GOptionEntries to ENTRIES; they point into WORDS. */
void vtree_context_words_add (VtreeContextWords *words, GArray *entries);

/* Hands each word to APPLY, as vtree_context_add() takes it; ends at its first error.
 */
bool vtree_context_words_each (const VtreeContextWords *words,
                               bool (*apply) (void *data, VtreeContextKind kind,
                                              const char *word, GError **error),
                               void *data, GError **error);

/* Says which of the places that WORDS ask for the host has not: they will be left out.
 * Words that are wrong are passed over. */
void vtree_context_words_note_missing (const VtreeContextWords *words,
                                       const VtreeCli *cli);
