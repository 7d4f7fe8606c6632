/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the process may do, and what it inherited.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* First thing: standard input, output and error are open (on /dev/null if they were
 * not), and nothing else but KEEP and KEEP_TOO (or -1) is. */
bool vtree_privilege_close_inherited (int keep, int keep_too, GError **error);

/* Standard input, output and error on /dev/null, working directory /. */
bool vtree_privilege_detach (GError **error);

/* Raises the soft limit of open files to the hard one; the limit. */
uint64_t vtree_privilege_raise_files (void);

typedef enum {
  VTREE_KEEP_NOTHING = 0,
  VTREE_KEEP_READ = 1 << 0,  /* CAP_DAC_READ_SEARCH */
  VTREE_KEEP_MOUNT = 1 << 1, /* CAP_SYS_ADMIN */
} VtreeKeep;

/* Whether the process has it (one of the VTREE_KEEP_). */
bool vtree_privilege_has (VtreeKeep what);

/* Gives up every capability but KEEP (of those that there are), for good. */
bool vtree_privilege_drop (VtreeKeep keep, GError **error);

/* no_new_privs: nothing that is executed from here on has more rights. */
bool vtree_privilege_no_new (GError **error);

/* A process that crashes waits, before anything of it is closed, for all its threads,
 * unless it leaves no core: it shall leave none. */
bool vtree_privilege_no_core (GError **error);
