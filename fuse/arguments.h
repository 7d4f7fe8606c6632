/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The helper's command line, as mount(8) calls it (util-linux, libmount's exec_helper):
 *   mount.fuse.vtree SOURCE DIR [-f] [-v] [-s] [-n] [-N NS] [-t TYPE] [-o OPTIONS]...
 * and -F and -q, which mount(8) does not know: no line of fstab can keep it from
 * returning, or quiet.
 */
#pragma once

#include "fuse/options.h"

typedef struct {
  const char *source; /* borrowed from argv, as all others */
  const char *dir;
  const char *namespace_; /* -N: a path, or a process id; NULL: ours */
  bool fake, verbose, sloppy, quiet, foreground, help, version;
  VtreeMountOptions options;
} VtreeArguments;

/* Frees what it owns. */
void vtree_arguments_clear (VtreeArguments *arguments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeArguments, vtree_arguments_clear)

/* ARGUMENTS must be zeroed. VTREE_ERROR_INVALID. */
bool vtree_arguments_parse (VtreeArguments *arguments, int argc, char **argv,
                            GError **error);
