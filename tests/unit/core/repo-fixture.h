/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A repository in a temporary directory, and what the tests of repo, ingest and store
 * do to its files behind its back.
 */
#pragma once

#include "core/ingest.h"
#include "core/store.h"
#include "tests/lib/test.h"

typedef struct {
  char *path;
  VtreeRepo *repo;
} RepoFixture;

/* A new, open repository. */
void repo_fixture_init (RepoFixture *fixture, const VtreeRepoOptions *options);
void repo_fixture_clear (RepoFixture *fixture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RepoFixture, repo_fixture_clear)

/* Path of a file in the repository: g_free(). */
char *repo_fixture_path (const RepoFixture *fixture, const char *name);
/* Path of an object, or of its Merkle file. */
char *repo_fixture_object (const RepoFixture *fixture, const VtreeDigest *digest);
char *repo_fixture_merkle (const RepoFixture *fixture, const VtreeDigest *digest);

/* Puts SIZE bytes of DATA into the repository: one ingest, sealed and synced. */
VtreeDigest repo_fixture_put (const RepoFixture *fixture, const void *data,
                              size_t size);

/* The steps of that: a new ingest (verity=auto), SIZE bytes of the file PATH, the end.
 */
VtreeIngest *repo_fixture_ingest (const RepoFixture *fixture);
VtreeDigest repo_fixture_ingest_file (VtreeIngest *ingest, const char *path,
                                      uint64_t size);
void repo_fixture_seal (VtreeIngest *ingest);

/* A file of the test's own, outside the repository: its path, g_free(). */
char *repo_fixture_source (const void *data, size_t size);

/* DIGEST is in the store with exactly these bytes, read-only, with a Merkle file that
 * verifies them where there has to be one, and the fsverity tool says the same. */
void repo_fixture_check_stored (const RepoFixture *fixture, const VtreeDigest *digest,
                                const void *data, size_t size);

/* What the fsverity tool says of FILE: the oracle. False, and the test is skipped,
 * where the tool is not installed. */
bool repo_fixture_oracle (const char *file, VtreeDigestAlg alg, VtreeDigest *digest);

/* Flips one bit of FILE at OFFSET, whatever its mode. */
void repo_fixture_flip (const char *file, size_t offset);

/* SIZE bytes that depend on SEED: g_free(). */
uint8_t *repo_fixture_bytes (size_t size, unsigned seed);

/* Names in the directory NAME of the repository. */
unsigned repo_fixture_count (const RepoFixture *fixture, const char *name);

/* Permission bits of FILE. */
unsigned repo_fixture_mode (const char *file);

/* A store over it, and the names of its packs (VtreeDigest), sorted. */
VtreeStore *repo_fixture_store (const RepoFixture *fixture);
GArray *repo_fixture_packs (const RepoFixture *fixture);
/* Path of a pack: g_free(). */
char *repo_fixture_pack (const RepoFixture *fixture, const VtreeDigest *name);

/* A new store reads DIGEST, from wherever it is, and it is these bytes. */
void repo_fixture_check_reads (const RepoFixture *fixture, const VtreeDigest *digest,
                               const void *data, size_t size);
