/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount helper: what /sbin/mount.fuse.vtree does.
 */
#pragma once

/* Exit status: 0 once the tree is usable (and served by a process of its own), 1 for
 * usage, 32 for a failed mount; an error is one line on standard error, or goes to
 * `vtree mount` (core/handoff.h). */
int vtree_mount_main (int argc, char **argv);
