/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Releases in a repository, made of the parts by hand: for the tests of gc and fsck.
 */
#pragma once

#include "core/key.h"
#include "core/paths.h"
#include "tests/unit/core/repo-fixture.h"

typedef struct {
  RepoFixture repo;
  char *home; /* the system that trusts the key */
  VtreePaths *paths;
  VtreePrivateKey *key;
} VersionsFixture;

/* A file of a tree: "name" or "directory/name". DATA NULL: a hard link to the file
 * number SIZE. */
typedef struct {
  const char *path;
  const void *data;
  size_t size;
} VersionFile;

typedef enum {
  VERSION_SIGNED = 0,
  VERSION_UNSIGNED = 1 << 0,
  VERSION_KEEP_HEAD = 1 << 1, /* the head stays where it is */
} VersionFlags;

/* A release of what is in FILES, up to a NULL path. */
typedef struct {
  const char *ref;
  uint64_t version;
  const VersionFile *files;
  VersionFlags flags;
} VersionSpec;

/* A new repository, and a key that is trusted for everything. */
void versions_fixture_init (VersionsFixture *fixture);
/* …which packs contents of at most THRESHOLD bytes. */
void versions_fixture_init_packing (VersionsFixture *fixture, uint32_t threshold);
void versions_fixture_clear (VersionsFixture *fixture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VersionsFixture, versions_fixture_clear)

/* Puts objects, manifest, statement, signature and head; returns the manifest. */
VtreeDigest versions_fixture_put (VersionsFixture *fixture, const VersionSpec *release);

/* The digest of contents. */
VtreeDigest versions_fixture_digest (const void *data, size_t size);

/* Whether DIGEST stands in the store, whatever it is. */
bool versions_fixture_has (const VersionsFixture *fixture, const VtreeDigest *digest);
