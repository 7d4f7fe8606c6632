/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What kind of filesystem a descriptor is on (fstatfs), and the one list of those whose
 * kernel code enforces fs-verity.
 */
#pragma once

#include "core/error.h"

/* True in *ENFORCES when FD is on ext4, f2fs or btrfs: only there an answer to
 * FS_IOC_MEASURE_VERITY comes from code that also checks every page. Anything else, a
 * FUSE filesystem above all, can answer what it likes. Errors: VTREE_ERRNO_ERROR. */
bool vtree_filesystem_enforces_verity (int fd, bool *enforces, GError **error);

/* Its name for messages: "ext4", "fuse", "0x…", or "unknown"; to be freed. */
char *vtree_filesystem_name (int fd);
