/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Versions of small files, each in a pack of its own: for the tests of repack.
 */
#pragma once

#include "manifest/repack.h"
#include "tests/unit/manifest/versions-fixture.h"

#define REPACK_THRESHOLD 4096
#define REPACK_SIZE 200

/* Contents NUMBER, of REPACK_SIZE bytes: g_free(); and their digest. */
uint8_t *repack_contents (unsigned number);
VtreeDigest repack_digest (unsigned number);

/* Version VERSION of the ref "os/test", with the contents from FIRST on. */
VtreeDigest repack_put_version (VersionsFixture *fixture, uint64_t version,
                                unsigned first, unsigned count);
/* The same contents in a pack, whoever else has them, and no version. */
void repack_put_pack (const VersionsFixture *fixture, unsigned first, unsigned count);
/* The same, as files of their own. */
void repack_put_loose (const VersionsFixture *fixture, unsigned first, unsigned count);

/* A new store reads all of them, or has none. */
void repack_check (const VersionsFixture *fixture, unsigned first, unsigned count);
void repack_check_none (const VersionsFixture *fixture, unsigned first, unsigned count);

/* With the options of the command line, where nothing is said. */
#define REPACK_OPTIONS                                                                 \
  {                                                                                    \
    .min_live = VTREE_REPACK_MIN_LIVE                                                  \
  }
VtreeRepackResult repack (const VersionsFixture *fixture,
                          const VtreeRepackOptions *options);

/* How many packs there are. */
unsigned repack_count_packs (const VersionsFixture *fixture);
/* Path of the first pack that has contents NUMBER: g_free(). */
char *repack_pack_of (const VersionsFixture *fixture, unsigned number);

/* Flips a bit of contents NUMBER in the pack PATH. */
void repack_damage (const char *path, unsigned number);
