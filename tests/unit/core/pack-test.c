/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One pack: what is written is found again, with few reads, whatever the digests are.
 */
#include "core/verity.h"
#include "tests/unit/core/pack-fixture.h"
#include "tests/unit/core/repo-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>

/* --- written and found ------------------------------------------------------------ */

static void
assert_has (VtreePack *pack, const PackFixture *fixture, const VtreePackItem *item)
{
  g_autoptr (GError) error = NULL;
  uint8_t data[VTREE_PACK_OBJECT_MAX];
  VtreePackEntry entry, same;
  uint64_t index;
  g_assert_true (pack_fixture_find (pack, &item->digest, &index, &entry));
  vtree_test_assert_digest_equal (&entry.digest, &item->digest);
  g_assert_cmpuint (entry.size, ==, item->size);
  vtree_pack_entry (pack, index, &same, &error);
  g_assert_no_error (error);
  vtree_test_assert_digest_equal (&same.digest, &item->digest);
  g_assert_cmpuint (same.offset, ==, entry.offset);
  vtree_pack_read (pack, index, &entry, VTREE_VERITY_AUTO, data, &error);
  g_assert_no_error (error);
  vtree_test_assert_bytes (data, entry.size, pack_fixture_bytes (fixture, item),
                           item->size);
}

/* DIGEST plus or minus one, as a number; false where that is none. */
static bool
step_digest (VtreeDigest *digest, int step)
{
  for (size_t i = vtree_digest_alg_size (digest->alg); i-- > 0;) {
    digest->value[i] = (uint8_t) (digest->value[i] + step);
    if (digest->value[i] != (step > 0 ? 0 : 0xff))
      return true;
  }
  return false;
}

/* Its neighbours, and what is smaller or larger than all. */
static void
assert_has_no_other (const VtreePack *pack, const PackFixture *fixture)
{
  VtreeDigest edge = { .alg = fixture->alg };
  VtreePackEntry entry;
  uint64_t index;
  g_assert_false (pack_fixture_find (pack, &edge, &index, &entry));
  memset (edge.value, 0xff, sizeof edge.value);
  g_assert_false (pack_fixture_find (pack, &edge, &index, &entry));
  for (guint i = 0; i < fixture->items->len; i += 1 + fixture->items->len / 200)
    for (int step = -1; step <= 1; step += 2) {
      VtreeDigest other = pack_fixture_item (fixture, i)->digest;
      if (step_digest (&other, step))
        g_assert_false (pack_fixture_find (pack, &other, &index, &entry));
    }
}

static void
assert_name (const PackFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  VtreeDigest digest = { 0 }, said;
  VtreeVerityParams params
    = { .alg = fixture->alg, .size = fixture->size, .merkle_fd = -1 };
  g_auto (VtreeFd) fd = g_open (fixture->path, O_RDONLY | O_CLOEXEC, 0);
  vtree_verity_compute_fd (&params, fd, &digest, &error);
  g_assert_no_error (error);
  vtree_test_assert_digest_equal (&digest, &fixture->name);
  if (repo_fixture_oracle (fixture->path, fixture->alg, &said))
    vtree_test_assert_digest_equal (&digest, &said);
}

typedef struct {
  const VtreePack *pack;
  uint64_t next;
  VtreeDigest last;
} Order;

static bool
check_order (void *context, uint64_t index, const VtreePackEntry *entry, GError **error)
{
  Order *order = context;
  VtreePackEntry same;
  g_assert_cmpuint (index, ==, order->next++);
  g_assert_true (index == 0 || vtree_digest_compare (&order->last, &entry->digest) < 0);
  g_assert_true (vtree_pack_entry (order->pack, index, &same, error));
  vtree_test_assert_digest_equal (&same.digest, &entry->digest);
  order->last = entry->digest;
  return true;
}

static void
assert_sorted (const VtreePack *pack)
{
  g_autoptr (GError) error = NULL;
  Order order = { .pack = pack };
  vtree_pack_foreach (pack, check_order, &order, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (order.next, ==, vtree_pack_count (pack));
}

/* A window of the index has 93 entries (SHA-256), or 53 (SHA-512). */
static const struct {
  const char *name;
  VtreeDigestAlg alg;
  unsigned count;
} counts[] = {
  { "sha256-1", VTREE_DIGEST_SHA256, 1 },
  { "sha256-2", VTREE_DIGEST_SHA256, 2 },
  { "sha256-93", VTREE_DIGEST_SHA256, 93 },
  { "sha256-94", VTREE_DIGEST_SHA256, 94 },
  { "sha256-1000", VTREE_DIGEST_SHA256, 1000 },
  { "sha256-20000", VTREE_DIGEST_SHA256, 20000 },
  { "sha512-1", VTREE_DIGEST_SHA512, 1 },
  { "sha512-2", VTREE_DIGEST_SHA512, 2 },
  { "sha512-53", VTREE_DIGEST_SHA512, 53 },
  { "sha512-54", VTREE_DIGEST_SHA512, 54 },
  { "sha512-1000", VTREE_DIGEST_SHA512, 1000 },
  { "sha512-20000", VTREE_DIGEST_SHA512, 20000 },
};

static void
test_count (gconstpointer row)
{
  size_t i = GPOINTER_TO_SIZE (row);
  g_auto (PackFixture) fixture = { 0 };
  pack_fixture_init (&fixture, counts[i].alg);
  pack_fixture_add_many (&fixture, 1, counts[i].count);
  pack_fixture_write (&fixture, NULL);
  assert_name (&fixture);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_cmpuint (vtree_pack_count (pack), ==, counts[i].count);
  g_assert_cmpuint (vtree_pack_size (pack), ==, fixture.size);
  g_assert_cmpuint (vtree_pack_data_size (pack), ==, fixture.data->len);
  g_assert_cmpuint (vtree_pack_largest (pack), ==, 7 + MIN (counts[i].count, 97));
  g_assert_false (vtree_pack_is_enforced (pack));
  for (guint n = 0; n < fixture.items->len; n++)
    assert_has (pack, &fixture, pack_fixture_item (&fixture, n));
  assert_has_no_other (pack, &fixture);
  assert_sorted (pack);
}

/* From the smallest that there is to the largest that may be. */
static void
test_sizes (void)
{
  static const uint32_t sizes[]
    = { 1, 4095, 4096, 4097, VTREE_PACK_OBJECT_MAX - 1, VTREE_PACK_OBJECT_MAX };
  g_auto (PackFixture) fixture = { 0 };
  pack_fixture_init (&fixture, VTREE_DIGEST_SHA256);
  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++)
    pack_fixture_add (&fixture, i, sizes[i]);
  for (unsigned i = 0; i < 20; i++) /* more than the writer's buffer has room for */
    pack_fixture_add (&fixture, 100 + i, VTREE_PACK_OBJECT_MAX - i);
  pack_fixture_write (&fixture, NULL);
  assert_name (&fixture);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  for (guint n = 0; n < fixture.items->len; n++)
    assert_has (pack, &fixture, pack_fixture_item (&fixture, n));
}

static void
test_other_algorithm (void)
{
  g_auto (PackFixture) fixture = { 0 };
  VtreeDigest digest = { .alg = VTREE_DIGEST_SHA512 };
  VtreePackEntry entry;
  uint64_t index;
  pack_fixture_init (&fixture, VTREE_DIGEST_SHA256);
  pack_fixture_add_many (&fixture, 1, 3);
  pack_fixture_write (&fixture, NULL);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  memcpy (digest.value, pack_fixture_item (&fixture, 0)->digest.value, 32);
  g_assert_false (pack_fixture_find (pack, &digest, &index, &entry));
}

/* --- the same bytes --------------------------------------------------------------- */

static void
test_same_bytes (void)
{
  g_auto (PackFixture) first = { 0 };
  g_auto (PackFixture) second = { 0 };
  g_auto (PackFixture) reversed = { 0 };
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  gsize a_size, b_size;
  pack_fixture_init (&first, VTREE_DIGEST_SHA256);
  pack_fixture_init (&second, VTREE_DIGEST_SHA256);
  pack_fixture_init (&reversed, VTREE_DIGEST_SHA256);
  for (unsigned i = 0; i < 500; i++) {
    pack_fixture_add (&first, i, 1 + i);
    pack_fixture_add (&second, i, 1 + i);
    pack_fixture_add (&reversed, 499 - i, 500 - i);
  }
  pack_fixture_write (&first, NULL);
  vtree_test_fault_short (VTREE_TEST_WRITE, 1000);
  pack_fixture_write (&second, NULL);
  vtree_test_fault_clear ();
  pack_fixture_write (&reversed, NULL);
  g_assert_true (g_file_get_contents (first.path, &a, &a_size, NULL));
  g_assert_true (g_file_get_contents (second.path, &b, &b_size, NULL));
  vtree_test_assert_bytes (a, a_size, b, b_size);
  vtree_test_assert_digest_equal (&first.name, &second.name);
  g_assert_cmpuint (first.size, ==, reversed.size);
  g_assert_false (vtree_digest_equal (&first.name, &reversed.name));
}

/* --- digests that somebody has chosen --------------------------------------------- */

/* Entry I of COUNT has the digest of MAKE, in the order of I. */
static void
make_same_prefix (unsigned i, unsigned count, uint8_t *value)
{
  (void) count;
  memset (value, 0x5a, 8);
  value[8] = (uint8_t) (i >> 8);
  value[9] = (uint8_t) i;
}

static void
make_low_cluster (unsigned i, unsigned count, uint8_t *value)
{
  value[31] = 7;
  value[6] = (uint8_t) (i >> 8);
  value[7] = (uint8_t) i;
  if (i == count - 1)
    memset (value, 0xfe, 32);
}

static void
make_high_cluster (unsigned i, unsigned count, uint8_t *value)
{
  (void) count;
  value[31] = 7;
  if (i > 0)
    memset (value, 0xff, 8);
  value[8] = (uint8_t) (i >> 8);
  value[9] = (uint8_t) i;
}

/* As 2^i: whoever guesses is wrong by most of what is left, each time. */
static void
make_doubling (unsigned i, unsigned count, uint8_t *value)
{
  unsigned bit = 231 - (unsigned) ((uint64_t) i * 232 / count);
  value[bit / 8] = (uint8_t) (0x80 >> bit % 8);
  value[29] = (uint8_t) (i >> 8);
  value[30] = (uint8_t) i;
  value[31] = 7;
}

static const struct {
  const char *name;
  void (*make) (unsigned i, unsigned count, uint8_t *value);
} chosen[] = {
  { "same-prefix", make_same_prefix },
  { "low-cluster", make_low_cluster },
  { "high-cluster", make_high_cluster },
  { "doubling", make_doubling },
};

#define CHOSEN 8192
/* 4 guesses, then halving: 8192 entries are 89 windows */
#define READS_MAX (4 + 8)

static void
test_chosen (gconstpointer row)
{
  g_auto (PackFixture) fixture = { 0 };
  g_autoptr (GHashTable) seen
    = g_hash_table_new_full (vtree_digest_hash, vtree_digest_equal_func, g_free, NULL);
  pack_fixture_init (&fixture, VTREE_DIGEST_SHA256);
  for (unsigned i = 0; i < CHOSEN; i++) {
    VtreeDigest digest = { .alg = VTREE_DIGEST_SHA256 };
    chosen[GPOINTER_TO_SIZE (row)].make (i, CHOSEN, digest.value);
    if (!g_hash_table_contains (seen, &digest))
      pack_fixture_add_as (&fixture, &digest, 1);
    g_hash_table_add (seen, vtree_digest_dup (&digest));
  }
  pack_fixture_write (&fixture, NULL);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  unsigned most = 0;
  for (guint i = 0; i < fixture.items->len; i++) {
    VtreePackEntry entry;
    uint64_t index;
    vtree_test_fault_clear ();
    g_assert_true (pack_fixture_find (pack, &pack_fixture_item (&fixture, i)->digest,
                                      &index, &entry));
    most = MAX (most, vtree_test_fault_calls (VTREE_TEST_READ));
  }
  g_test_message ("at most %u reads", most);
  g_assert_cmpuint (most, <=, READS_MAX);
  assert_has_no_other (pack, &fixture);
}

/* What is spread evenly takes a few reads, found or not. */
static void
test_reads (void)
{
  g_auto (PackFixture) fixture = { 0 };
  unsigned reads = 0;
  pack_fixture_init (&fixture, VTREE_DIGEST_SHA256);
  pack_fixture_add_many (&fixture, 1, 20000);
  pack_fixture_write (&fixture, NULL);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  for (unsigned i = 0; i < 2000; i++) {
    VtreeDigest digest = pack_fixture_item (&fixture, i * 10)->digest;
    VtreePackEntry entry;
    uint64_t index;
    bool absent = i % 2 == 1 && step_digest (&digest, 1);
    vtree_test_fault_clear ();
    g_assert_cmpint (pack_fixture_find (pack, &digest, &index, &entry), ==, !absent);
    reads += vtree_test_fault_calls (VTREE_TEST_READ);
  }
  g_test_message ("%u reads for 2000 searches", reads);
  g_assert_cmpuint (reads, <, 3 * 2000);
}

#define ADD_TABLE(prefix, table, function)                                             \
  for (size_t i = 0; i < G_N_ELEMENTS (table); i++) {                                  \
    g_autofree char *path = g_strdup_printf (prefix "/%s", (table)[i].name);           \
    g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);                       \
  }

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD_TABLE ("/core/pack/count", counts, test_count);
  g_test_add_func ("/core/pack/sizes", test_sizes);
  g_test_add_func ("/core/pack/other-algorithm", test_other_algorithm);
  g_test_add_func ("/core/pack/same-bytes", test_same_bytes);
  ADD_TABLE ("/core/pack/chosen", chosen, test_chosen);
  g_test_add_func ("/core/pack/reads", test_reads);
  return vtree_test_run ();
}
