/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a command that runs from a tree sees: bubblewrap's arguments. Of the host
 * nothing, unless the tree's vtree.ini (GKeyFile, signed with the tree) or the command
 * line says so; a later word wins.
 *
 *   g_autoptr (VtreeSandbox) sandbox = vtree_sandbox_new (files);
 *   vtree_sandbox_load (sandbox, &error);                      vtree.ini, if any
 *   vtree_sandbox_set_runtime (sandbox, runtime, &error);      its mount point, if any
 *   vtree_context_add (vtree_sandbox_context (sandbox), …);    and so on
 *   argv = vtree_sandbox_argv (sandbox, command, &error);      g_strfreev()
 */
#pragma once

#include "cli/context.h"

typedef struct VtreeSandbox VtreeSandbox;

/* FILES is the tree's mount point, absolute. */
VtreeSandbox *vtree_sandbox_new (const char *files);
void vtree_sandbox_free (VtreeSandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeSandbox, vtree_sandbox_free)

/* Looks at the tree, before anything can be written to it: is it a root, and what does
 * its vtree.ini say? None is no error. Errors: VTREE_ERROR_CORRUPT (its bytes are not
 * what was signed), VTREE_ERROR_FAILED (it is malformed). */
bool vtree_sandbox_load (VtreeSandbox *sandbox, GError **error);

/* Whether the tree has a /usr and will be the root, where no runtime can be. */
bool vtree_sandbox_is_root (const VtreeSandbox *sandbox);

/* The tree's /app stands over what is mounted on FILES, absolute, in place of the
 * host's /usr. Errors: VTREE_ERROR_MISSING (it has none). */
bool vtree_sandbox_set_runtime (VtreeSandbox *sandbox, const char *files,
                                GError **error);

/* What it may see of the host; words may be added. Borrowed. */
VtreeContext *vtree_sandbox_context (const VtreeSandbox *sandbox);

/* The tree's mount is writable, and so is what the command sees of it. */
void vtree_sandbox_set_writable (VtreeSandbox *sandbox);

/* The whole command line; COMMAND (NULL-terminated; NULL or empty: vtree.ini's) is
 * looked up and read once in the tree, so that one whose bytes are not what was signed
 * is VTREE_ERROR_CORRUPT and names the file. VTREE_ERROR_MISSING: no command. */
char **vtree_sandbox_argv (const VtreeSandbox *sandbox, char **command, GError **error);
