/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run over plain files, as seal, check and unseal make it: whom it trusts, the JSON
 * that it answers with, the line of progress.
 *
 *   g_auto (VtreeSealing) run = { .cli = cli };
 *   if (!vtree_sealing_begin (&run, "seal", NULL, error))
 *     return false;
 *   … per file: work with run.progress, then vtree_sealing_next() and the answer …
 *   vtree_sealing_end (&run);
 */
#pragma once

#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "core/trust.h"
#include "manifest/file-seal-store.h"

typedef struct {
  const VtreeCli *cli;
  VtreePaths *paths;
  VtreeTrust *trust;
  VtreeJson *json;         /* NULL without --json; in the array "files" */
  VtreeProgress *progress; /* what is drawn */
  uint64_t files, bytes;   /* done */
  uint64_t current;        /* bytes of the file at work */
} VtreeSealing;

/* Frees what RUN holds; one without anything but CLI is fine. */
void vtree_sealing_clear (VtreeSealing *run);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeSealing, vtree_sealing_clear)

/* WHAT is the line's first word. KEY_FILE: the only one that is trusted; NULL: those of
 * the directories. */
bool vtree_sealing_begin (VtreeSealing *run, const char *what, const char *key_file,
                          GError **error);

/* What tells RUN, which stays where it is, of the bytes of the file at work. */
VtreeFileSealProgress vtree_sealing_progress (VtreeSealing *run);

/* The file at work is done; its line can be printed. */
void vtree_sealing_next (VtreeSealing *run);

/* As vtree_cli_note(), beside the line of progress. */
void vtree_sealing_note (VtreeSealing *run, const char *format, ...)
  G_GNUC_PRINTF (2, 3);

/* The members that say what SEAL says. */
void vtree_sealing_add_seal (VtreeJson *json, const VtreeFileSeal *seal);

/* Ends the JSON. */
void vtree_sealing_end (VtreeSealing *run);
