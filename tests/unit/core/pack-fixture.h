/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packs made of contents that depend on a number, as files: what the tests of pack and
 * packs read, and damage.
 */
#pragma once

#include "core/pack.h"
#include "tests/lib/test.h"

typedef struct {
  GArray *items;    /* VtreePackItem, in the order of the contents */
  GByteArray *data; /* of all of them; VtreePackItem.source is an offset in it */
  char *path;       /* of the file, once it is written */
  uint64_t size;
  VtreeDigest name;
  VtreeDigestAlg alg;
} PackFixture;

/* A pack without objects, and no file. */
void pack_fixture_init (PackFixture *fixture, VtreeDigestAlg alg);
/* Leaves the file. */
void pack_fixture_clear (PackFixture *fixture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PackFixture, pack_fixture_clear)

/* Adds an object of SIZE bytes that depend on SEED, under its own digest, or under
 * DIGEST, whatever that is. */
void pack_fixture_add (PackFixture *fixture, unsigned seed, uint32_t size);
void pack_fixture_add_as (PackFixture *fixture, const VtreeDigest *digest,
                          uint32_t size);
/* The same of COUNT objects of different sizes, from 1 byte on. */
void pack_fixture_add_many (PackFixture *fixture, unsigned seed, unsigned count);

/* The one that was added as number INDEX. */
const VtreePackItem *pack_fixture_item (const PackFixture *fixture, unsigned index);
/* Its contents, borrowed. */
const uint8_t *pack_fixture_bytes (const PackFixture *fixture,
                                   const VtreePackItem *item);

/* Writes the file PATH (NULL: a new one in a directory of its own). */
void pack_fixture_write (PackFixture *fixture, const char *path);
/* Writes it where DIR, a packs/, has it, as nobody does who means it well: without
 * setting the directory's time. */
void pack_fixture_put (PackFixture *fixture, const char *dir);

/* Opens the file under its name. */
VtreePack *pack_fixture_try_open (const PackFixture *fixture, GError **error);
VtreePack *pack_fixture_open (const PackFixture *fixture);

/* Whether PACK has DIGEST; without an error, whatever it is. */
bool pack_fixture_find (const VtreePack *pack, const VtreeDigest *digest,
                        uint64_t *index, VtreePackEntry *entry);
