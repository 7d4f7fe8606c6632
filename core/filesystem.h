/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What kind of filesystem a descriptor is on (fstatfs), and the one list of those whose
 * kernel code enforces fs-verity.
 */
#pragma once

#include "core/error.h"

#include <stdint.h>

/* True in *ENFORCES when FD is on ext4, f2fs or btrfs: only there an answer to
 * FS_IOC_MEASURE_VERITY comes from code that also checks every page. Anything else, a
 * FUSE filesystem above all, can answer what it likes. Errors: VTREE_ERRNO_ERROR. */
bool vtree_filesystem_enforces_verity (int fd, bool *enforces, GError **error);

/* *ID: which filesystem FD is on, not 0, if it is one whose kernel code sets a file's
 * change time whenever the file changes, and that can be written to; else 0. Change
 * times of an image that is only read, of FUSE, of overlayfs (which has those of what
 * is below) or of a server are what somebody has said. Two mounts of one device number
 * have, as far as filesystems can tell them apart, two ids. Errors: VTREE_ERRNO_ERROR.
 */
bool vtree_filesystem_keeps_change_times (int fd, uint64_t *id, GError **error);

/* Its name for messages: "ext4", "fuse", "0x…", or "unknown"; to be freed. */
char *vtree_filesystem_name (int fd);
