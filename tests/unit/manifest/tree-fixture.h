/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real directories for the tests of capture, commit and checkout, and a repository
 * beside them. Everything that fails fails the test.
 */
#pragma once

#include "core/store.h"
#include "manifest/capture.h"
#include "manifest/view.h"
#include "tests/lib/test.h"

/* uid and gid that tests run as when root tries what a plain user sees. */
#define TREE_FIXTURE_USER 65534

/* PATH below DIR: g_free(). */
char *tree_fixture_path (const char *dir, const char *path);

/* A file with SIZE bytes that depend on SEED; missing parents are made. */
void tree_fixture_file (const char *dir, const char *path, size_t size, unsigned seed);
/* A file with this text. */
void tree_fixture_text (const char *dir, const char *path, const char *text);
void tree_fixture_directory (const char *dir, const char *path);
void tree_fixture_symlink (const char *dir, const char *path, const char *target);
void tree_fixture_link (const char *dir, const char *path, const char *from);
/* Permission bits; modification time in seconds and nanoseconds. */
void tree_fixture_mode (const char *dir, const char *path, unsigned mode);
void tree_fixture_time (const char *dir, const char *path, int64_t seconds,
                        unsigned nanoseconds);
void tree_fixture_xattr (const char *dir, const char *path, const char *name,
                         const void *value, size_t size);

/* Descriptors, for what has no path: a directory, one in FD, a new file in FD. */
int tree_fixture_open (const char *dir);
int tree_fixture_open_at (int fd, const char *name);
int tree_fixture_create_at (int fd, const char *name);

/* Removes all that is in DIR, however deep. */
void tree_fixture_empty (const char *dir);

/* One of everything that this user can make: all kinds of inodes (for root device
 * nodes, owners and capabilities too), hard links, set-id bits, sparse files, xattrs
 * and ACLs, strange names and times. */
void tree_fixture_fill (const char *dir);

/* Runs the rest of a test as a plain user with DIR his own, and root again. False where
 * the test runs as a plain user anyway: nothing changes then. */
bool tree_fixture_become_user (const char *dir);
void tree_fixture_become_root (bool became_user);

/* Captures DIR: the manifest, or NULL with the error. INGEST may be NULL. */
GBytes *tree_fixture_capture (const char *dir, const VtreeCaptureOptions *options,
                              VtreeIngest *ingest, GError **error);
/* The same for what has to work. */
GBytes *tree_fixture_capture_ok (const char *dir, const VtreeCaptureOptions *options);
/* Digest of a manifest, as text: g_free(). */
char *tree_fixture_digest (GBytes *manifest);
/* A view over MANIFEST. */
VtreeView *tree_fixture_view (GBytes *manifest);
/* The inode at PATH of MANIFEST. */
VtreeInode tree_fixture_inode (GBytes *manifest, const char *path);
/* Whether PATH is in MANIFEST. */
bool tree_fixture_has (GBytes *manifest, const char *path);
