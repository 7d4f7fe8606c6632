/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the host a command that runs from a deployment may see: nothing, unless words
 * say so; and which runtime it stands on. They come from the tree's vtree.ini, from
 * overrides and from the command line; a later one wins. Words and their meaning are
 * Flatpak's (flatpak-metadata(5)).
 */
#pragma once

#include "core/error.h"

typedef struct VtreeContext VtreeContext;

typedef enum {
  VTREE_CONTEXT_SHARE,       /* network, ipc */
  VTREE_CONTEXT_SOCKET,      /* wayland, x11, pulseaudio, session-bus… */
  VTREE_CONTEXT_DEVICE,      /* dri, kvm, shm, all */
  VTREE_CONTEXT_FILESYSTEM,  /* home, host, xdg-download, ~/PATH, /PATH; :ro, :create */
  VTREE_CONTEXT_ENVIRONMENT, /* NAME=VALUE */
  VTREE_CONTEXT_UNSET,       /* NAME: not in the environment */
  VTREE_CONTEXT_RUNTIME,     /* REF, whose /usr stands for the host's; "": the host's */
} VtreeContextKind;

/* How a place of the host is shown. */
typedef enum {
  VTREE_CONTEXT_READ_ONLY = 1,
  VTREE_CONTEXT_READ_WRITE = 2,
  VTREE_CONTEXT_CREATE = 3, /* read and write; a directory that is missing is made */
} VtreeContextMode;

/* One that shows nothing. */
VtreeContext *vtree_context_new (void);
void vtree_context_free (VtreeContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeContext, vtree_context_free)

/* Adds WORD; with ! in front (of the first four kinds) takes it away. Errors:
 * VTREE_ERROR_INVALID, with the words that there are. */
bool vtree_context_add (VtreeContext *context, VtreeContextKind kind, const char *word,
                        GError **error);

/* Adds [Context], [Environment] and the runtime in [Application] of FILE. STRICT: a key
 * of the first and the last that we don't know here is an error; else one that is not
 * for us. Errors: VTREE_ERROR_INVALID. */
bool vtree_context_load (VtreeContext *context, GKeyFile *file, bool strict,
                         GError **error);

/* Puts WORD into FILE in place of what was said of the same thing before, so that
 * vtree_context_load() adds it. Errors: VTREE_ERROR_INVALID. */
bool vtree_context_save (GKeyFile *file, VtreeContextKind kind, const char *word,
                         GError **error);

/* True if WORD of one of the first three kinds has been added. */
bool vtree_context_has (const VtreeContext *context, VtreeContextKind kind,
                        const char *word);

/* The runtime's REF, well-formed; NULL: the host's /usr. Borrowed. */
const char *vtree_context_runtime (const VtreeContext *context);

/* The places, sorted, so that what is deeper comes later: absolute paths, or "host",
 * "host-os", "host-etc". The list is the caller's, its strings are borrowed. */
GList *vtree_context_list_places (const VtreeContext *context);
VtreeContextMode vtree_context_place_mode (const VtreeContext *context,
                                           const char *place);

/* The names of variables, sorted, likewise; the value is NULL for one that is unset. */
GList *vtree_context_list_variables (const VtreeContext *context);
const char *vtree_context_variable (const VtreeContext *context, const char *name);
