/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is wrong with the files of a tree, collected by name from several threads, so
 * that one run names all of them instead of the first. Thread-safe.
 */
#pragma once

#include "core/error.h"

/* Files that a message names; the others are counted. */
#define VTREE_PROBLEMS_NAMED 20

typedef struct VtreeProblems VtreeProblems;

/* Without any. */
VtreeProblems *vtree_problems_new (void);
void vtree_problems_free (VtreeProblems *problems);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeProblems, vtree_problems_free)

/* PATH in raw bytes ("" is the top directory); CAUSE as it shall be read. */
void vtree_problems_add (VtreeProblems *problems, const char *path, const char *cause);

/* Whether there is any. */
bool vtree_problems_any (const VtreeProblems *problems);

/* True if there is none; else VTREE_ERROR_FAILED with "<prefix>: a: cause; b: cause;
 * and 7 more". */
bool vtree_problems_report (VtreeProblems *problems, const char *prefix,
                            GError **error);
