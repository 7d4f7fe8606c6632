/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index over many packs: names the packs that have an object, and few others; one
 * whose own index is damaged may have anything; too much is told.
 */
#include "core/packs-index.h"
#include "tests/unit/core/pack-fixture.h"
#include "tests/unit/core/repo-fixture.h"

#define PACKS 9
#define OBJECTS 300

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreePacksIndex, vtree_packs_index_free)

static void
add (VtreePacksIndex *index, uint32_t number, const PackFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePack) pack = pack_fixture_open (fixture);
  bool full;
  g_assert_true (vtree_packs_index_add (index, number, pack, &full, &error));
  g_assert_no_error (error);
  g_assert_false (full);
}

/* Bits of the packs that INDEX names for DIGEST. */
static unsigned
named (const VtreePacksIndex *index, const VtreeDigest *digest)
{
  unsigned bits = 0;
  uint64_t cursor = 0;
  uint32_t number;
  while (vtree_packs_index_next (index, digest, &cursor, &number)) {
    g_assert_cmpuint (number, <, PACKS);
    g_assert_cmpuint (bits >> number & 1, ==, 0);
    bits |= 1u << number;
  }
  return bits;
}

static void
make_packs (PackFixture fixtures[PACKS])
{
  for (unsigned i = 0; i < PACKS; i++) {
    pack_fixture_init (&fixtures[i], VTREE_DIGEST_SHA256);
    pack_fixture_add_many (&fixtures[i], 1000 * (i + 1), OBJECTS);
    if (i % 3 == 0)
      pack_fixture_add (&fixtures[i], 77, 100); /* in three of them */
    pack_fixture_write (&fixtures[i], NULL);
  }
}

static void
clear_packs (PackFixture fixtures[PACKS])
{
  for (unsigned i = 0; i < PACKS; i++)
    pack_fixture_clear (&fixtures[i]);
}

static void
test_names_those_that_have_it (void)
{
  PackFixture fixtures[PACKS] = { 0 };
  g_autoptr (VtreePacksIndex) index = vtree_packs_index_new ();
  make_packs (fixtures);
  for (unsigned i = PACKS; i-- > 0;)
    add (index, i, &fixtures[i]);
  vtree_packs_index_finish (index);
  for (unsigned i = 0; i < PACKS; i++)
    for (unsigned k = 0; k < OBJECTS; k++)
      g_assert_cmpuint (
        named (index, &pack_fixture_item (&fixtures[i], k)->digest) >> i & 1, ==, 1);
  const VtreePackItem *shared = pack_fixture_item (&fixtures[0], OBJECTS);
  g_assert_cmphex (named (index, &shared->digest), ==, 0x49);
  VtreeDigest absent = shared->digest;
  absent.value[0] ^= 1;
  g_assert_cmphex (named (index, &absent), ==, 0);
  memset (absent.value, 0xff, 32);
  g_assert_cmphex (named (index, &absent), ==, 0);
  memset (absent.value, 0, 32);
  g_assert_cmphex (named (index, &absent), ==, 0);
  clear_packs (fixtures);
}

/* Only 48 bits are compared: the packs' own indices tell the rest. */
static void
test_names_what_looks_alike (void)
{
  PackFixture fixtures[PACKS] = { 0 };
  g_autoptr (VtreePacksIndex) index = vtree_packs_index_new ();
  make_packs (fixtures);
  add (index, 4, &fixtures[4]);
  vtree_packs_index_finish (index);
  VtreeDigest alike = pack_fixture_item (&fixtures[4], 7)->digest;
  alike.value[31] ^= 1;
  g_assert_cmphex (named (index, &alike), ==, 1u << 4);
  clear_packs (fixtures);
}

static void
test_damaged_may_have_anything (void)
{
  PackFixture fixtures[PACKS] = { 0 };
  g_autoptr (VtreePacksIndex) index = vtree_packs_index_new ();
  make_packs (fixtures);
  /* The offset of its first entry leads far out of it. */
  uint64_t contents = 0;
  for (unsigned i = 0; i <= OBJECTS - 1; i++)
    contents += pack_fixture_item (&fixtures[1], i)->size;
  repo_fixture_flip (fixtures[1].path, VTREE_PACK_HEADER_SIZE + contents + 32 + 7);
  for (unsigned i = 0; i < PACKS; i++)
    add (index, i, &fixtures[i]);
  vtree_packs_index_finish (index);
  g_assert_cmphex (named (index, &pack_fixture_item (&fixtures[5], 3)->digest) & 0x22,
                   ==, 0x22);
  const VtreeDigest *own = &pack_fixture_item (&fixtures[1], OBJECTS - 1)->digest;
  g_assert_cmphex (named (index, own) & 0x2, ==, 0x2);
  clear_packs (fixtures);
}

static void
test_full (void)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (VtreePacksIndex) index = vtree_packs_index_new ();
  g_autoptr (GError) error = NULL;
  bool full;
  pack_fixture_init (&fixture, VTREE_DIGEST_SHA256);
  pack_fixture_add_many (&fixture, 1, 3);
  pack_fixture_write (&fixture, NULL);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_true (
    vtree_packs_index_add (index, VTREE_PACKS_INDEX_PACKS - 1, pack, &full, &error));
  g_assert_false (full);
  g_assert_true (
    vtree_packs_index_add (index, VTREE_PACKS_INDEX_PACKS, pack, &full, &error));
  g_assert_true (full);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/packs-index/names-those-that-have-it",
                   test_names_those_that_have_it);
  g_test_add_func ("/core/packs-index/names-what-looks-alike",
                   test_names_what_looks_alike);
  g_test_add_func ("/core/packs-index/damaged-may-have-anything",
                   test_damaged_may_have_anything);
  g_test_add_func ("/core/packs-index/full", test_full);
  return vtree_test_run ();
}
