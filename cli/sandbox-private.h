/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the sandbox: bubblewrap's arguments as they are gathered, and
 * the tree as it is looked at before. */
#pragma once

#include "cli/context.h"

/* Appends copies of WORDS (NULL-terminated) to ARGV. */
void vtree_sandbox_append (GPtrArray *argv, const char *const *words);
#define VTREE_SANDBOX_ADD(argv, ...)                                                   \
  vtree_sandbox_append (argv, (const char *const[]){ __VA_ARGS__, NULL })

/* What CONTEXT lets the command see of the host: devices, places, sockets, with the
 * variables that name them. What the host has not is left out. Behind /dev, /tmp and
 * /run. */
void vtree_sandbox_add_host (const VtreeContext *context, GPtrArray *argv);

/* The directories of the host's, or the runtime's, that stand in the sandbox of a tree
 * that is no root, as names in /; ended by NULL. */
extern const char *const vtree_sandbox_system[];

/* Opens PATH of the tree FILES for reading, as if that were the root; -1 with errno. */
int vtree_sandbox_open_inside (const char *files, const char *path);

/* Whether PATH of the tree FILES is there, and no link on the way to it: it may itself
 * be one. So what is opened by its name is in the tree. */
bool vtree_sandbox_is_inside (const char *files, const char *path);

/* What ERRNUM means, which reading PATH of TREE ("the tree", "the runtime") gave. */
bool vtree_sandbox_set_read_error (const char *tree, const char *path, int errnum,
                                   GError **error);

/* What the command will see, all borrowed. */
typedef struct {
  const char *files; /* the tree: the root, or /app */
  bool is_root;
  const char *runtime; /* whose /usr it has; NULL: the host's */
  const VtreeContext *context;
  const char *path; /* its PATH */
} VtreeSandboxView;

/* Whether PROGRAM can be run: a path that is absolute, or a name that is looked for in
 * the view's PATH; and what a script is run by. One of the tree is read to its end.
 * Errors: VTREE_ERROR_CORRUPT, VTREE_ERROR_MISSING, VTREE_ERROR_FAILED (it is no
 * program). What can't be known here is no error. */
bool vtree_sandbox_check_program (const VtreeSandboxView *view, const char *program,
                                  GError **error);
