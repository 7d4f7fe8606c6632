/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options that say how a directory is captured, the same for commit and diff.
 *
 *   g_auto (VtreeCaptureWords) words = { .mtime = NULL };
 *   vtree_capture_words_add (&words, entries);         then vtree_cli_parse()
 *   vtree_capture_words_apply (&words, repo, &capture, error)
 */
#pragma once

#include "core/repo.h"
#include "manifest/capture.h"

typedef struct {
  char *mtime;
  char *owner;
  char *xattrs;
  char **exclude;
  char *threads;
  gboolean one_file_system;
  gboolean overlay_xattrs;
  char **patterns; /* parsed from xattrs */
} VtreeCaptureWords;

/* Frees what WORDS holds; a zeroed one is fine. */
void vtree_capture_words_clear (VtreeCaptureWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeCaptureWords, vtree_capture_words_clear)

/* Appends the GOptionEntries to ENTRIES; they point into WORDS. */
void vtree_capture_words_add (VtreeCaptureWords *words, GArray *entries);

/* Initialises CAPTURE for REPO and puts what WORDS say there; it borrows from WORDS.
 * The repository's own directory is forbidden ground. Errors: VTREE_ERROR_INVALID. */
bool vtree_capture_words_apply (VtreeCaptureWords *words, const VtreeRepo *repo,
                                VtreeCaptureOptions *capture, GError **error);
