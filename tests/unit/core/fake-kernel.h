/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel that has fs-verity, in place of core/kernel.c and core/kernel-signature.c: a
 * file is enforced from the moment that it was enabled on. It insists, as the real one
 * does, on a read-only descriptor, an inode that its owner may write, and nobody who
 * has it open for writing. Of corrupt bytes it knows nothing.
 */
#pragma once

#include "core/kernel-signature.h"
#include "core/kernel.h"
#include "tests/lib/test.h"

typedef struct {
  bool supported;
  bool requires_signatures;
  bool silent;         /* says nothing of signatures, as btrfs */
  int enable_errnum;   /* of every enable; 0: none */
  int in_place_errnum; /* of those of files that have their place: not 0600 */
  bool lies;           /* measures something else */
  unsigned enabled;    /* how many were */
  unsigned measured;
} FakeKernel;

extern FakeKernel fake_kernel;

/* One that supports everything, and has forgotten every file. Call fake_kernel_end()
 * last. */
void fake_kernel_begin (void);
void fake_kernel_end (void);

/* What stands at PATH has verity; its signature, or NULL (owned). */
bool fake_kernel_enforces (const char *path);
GBytes *fake_kernel_signature_of (const char *path);

/* From now on another digest is measured for PATH. */
void fake_kernel_spoil (const char *path);

/* To see whether a file was replaced. */
ino_t fake_kernel_inode (const char *path);
