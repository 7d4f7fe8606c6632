/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application exports to the desktop and the shell, as text: each is parsed
 * anew and written anew, so that whoever starts it starts `vtree run`. Who signed may
 * be hostile: nothing is passed on that is not understood. Parsers of untrusted bytes;
 * they open nothing.
 *
 * Errors are VTREE_ERROR_INVALID with the cause alone: the caller knows the file.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Who runs what is exported. */
typedef struct {
  const char *program; /* absolute path of vtree */
  const char *name;    /* the deployment's */
  bool system;         /* it is the system's */
} VtreeExportRunner;

/* What the tree's vtree.ini says of exports. */
typedef struct {
  bool exports;    /* [Application] exports=true: desktop files, icons, services */
  char **commands; /* [Application] commands=, checked names; NULL for none */
} VtreeExportWords;

#define VTREE_EXPORT_INI_MAX (1u << 20)
#define VTREE_EXPORT_TEXT_MAX (256u * 1024)
#define VTREE_EXPORT_ICON_MAX (2u << 20)

/* Frees what WORDS holds; a zeroed one is fine. */
void vtree_export_words_clear (VtreeExportWords *words);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeExportWords, vtree_export_words_clear)

/* True for what is a name anywhere: letters, digits and "._+-@", the first of them no
 * sign; at most 255 bytes. */
bool vtree_export_is_simple (const char *file);

/* True if FILE is NAME, or goes on behind it with ".", "-" or "_": then it is NAME's to
 * export. */
bool vtree_export_belongs (const char *file, const char *name);

/* Reads vtree.ini into the zeroed WORDS. */
bool vtree_export_parse_words (GBytes *bytes, VtreeExportWords *words, GError **error);

/* A desktop file with the same names, texts and actions, and other commands. */
GBytes *vtree_export_desktop (GBytes *bytes, const VtreeExportRunner *runner,
                              GError **error);

/* The D-Bus service BUS_NAME, which has to be what the file is called and calls
 * itself. */
GBytes *vtree_export_service (GBytes *bytes, const char *bus_name,
                              const VtreeExportRunner *runner, GError **error);

/* A script that runs COMMAND (a simple name) with its own arguments. */
GBytes *vtree_export_command (const char *command, const VtreeExportRunner *runner);

/* Whether BYTES may be the icon FILE (*.png, *.svg): a PNG of at most 1024 by 1024. */
bool vtree_export_check_icon (GBytes *bytes, const char *file, GError **error);
