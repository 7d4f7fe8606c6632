/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/sha256-pair.h"

#include "core/hash.h"
#include "core/verity.h"
#include "tests/lib/test.h"

#define MAX_SIZE ((size_t) 8192)

static bool
have_pairs (void)
{
  if (vtree_sha256_pair_is_there ())
    return true;
  g_test_skip ("this processor does one at a time");
  return false;
}

/* FIPS 180-4 by OpenSSL. */
static void
expect (const uint8_t *data, size_t size, uint8_t hash[VTREE_SHA256_SIZE])
{
  unsigned length = 0;
  g_assert_cmpint (EVP_Digest (data, size, hash, &length, EVP_sha256 (), NULL), ==, 1);
  g_assert_cmpuint (length, ==, VTREE_SHA256_SIZE);
}

static void
fill (uint8_t *data, size_t size)
{
  for (size_t i = 0; i < size; i++)
    data[i] = (uint8_t) g_test_rand_int ();
}

static void
check_pair (const uint8_t *a, const uint8_t *b, size_t size)
{
  uint8_t found[2][VTREE_SHA256_SIZE], expected[2][VTREE_SHA256_SIZE];
  vtree_sha256_pair (a, b, size, found[0], found[1]);
  expect (a, size, expected[0]);
  expect (b, size, expected[1]);
  vtree_test_assert_bytes (found[0], sizeof found[0], expected[0], sizeof expected[0]);
  vtree_test_assert_bytes (found[1], sizeof found[1], expected[1], sizeof expected[1]);
}

/* Each size, and each offset within a register. */
static void
test_as_openssl (void)
{
  g_autofree uint8_t *a = g_malloc (MAX_SIZE + 16);
  g_autofree uint8_t *b = g_malloc (MAX_SIZE + 16);
  if (!have_pairs ())
    return;
  for (size_t size = 0; size <= MAX_SIZE; size += 64) {
    size_t shift = size / 64 % 16;
    fill (a, MAX_SIZE + 16);
    fill (b, MAX_SIZE + 16);
    check_pair (a + shift, b + (15 - shift), size);
  }
}

static void
test_extremes (void)
{
  g_autofree uint8_t *zeros = g_malloc0 (MAX_SIZE);
  g_autofree uint8_t *ones = g_malloc (MAX_SIZE);
  if (!have_pairs ())
    return;
  memset (ones, 0xff, MAX_SIZE);
  check_pair (zeros, ones, MAX_SIZE);
  check_pair (ones, zeros, 4096);
  check_pair (ones, ones, 4096);
  check_pair (zeros, zeros, 0);
}

/* One bit is another hash, in its own lane alone. */
static void
test_each_has_its_own (void)
{
  uint8_t data[2][256] = { { 0 } };
  uint8_t before[2][VTREE_SHA256_SIZE], after[2][VTREE_SHA256_SIZE];
  if (!have_pairs ())
    return;
  vtree_sha256_pair (data[0], data[1], sizeof data[0], before[0], before[1]);
  for (size_t bit = 0; bit < sizeof data[0] * 8; bit++) {
    data[1][bit / 8] = (uint8_t) (1u << bit % 8);
    vtree_sha256_pair (data[0], data[1], sizeof data[0], after[0], after[1]);
    data[1][bit / 8] = 0;
    g_assert_cmpint (memcmp (before[0], after[0], sizeof after[0]), ==, 0);
    g_assert_cmpint (memcmp (before[1], after[1], sizeof after[1]), !=, 0);
  }
}

/* What hash.h makes of it, for odd and even numbers of blocks and both algorithms. */
static void
test_blocks (void)
{
  static const VtreeDigestAlg algs[] = { VTREE_DIGEST_SHA256, VTREE_DIGEST_SHA512 };
  g_autofree uint8_t *data = g_malloc ((size_t) 7 * VTREE_BLOCK_SIZE);
  fill (data, (size_t) 7 * VTREE_BLOCK_SIZE);
  for (size_t i = 0; i < G_N_ELEMENTS (algs); i++) {
    g_autoptr (GError) error = NULL;
    size_t hash_size = vtree_digest_alg_size (algs[i]);
    EVP_MD *md = vtree_hash_fetch (algs[i], &error);
    g_auto (VtreeHasher) hasher = { 0 };
    g_assert_true (vtree_hasher_init (&hasher, md, &error));
    for (size_t count = 0; count <= 7; count++) {
      uint8_t all[7 * VTREE_DIGEST_MAX_SIZE + 1] = { 0 };
      g_assert_true (vtree_hasher_hash_blocks (&hasher, data, count, all));
      for (size_t n = 0; n < count; n++) {
        uint8_t one[VTREE_DIGEST_MAX_SIZE];
        vtree_hasher_hash (&hasher, data + n * VTREE_BLOCK_SIZE, VTREE_BLOCK_SIZE,
                           VTREE_BLOCK_SIZE, one);
        vtree_test_assert_bytes (all + n * hash_size, hash_size, one, hash_size);
      }
      g_assert_cmpuint (all[count * hash_size], ==, 0);
    }
    EVP_MD_free (md);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/sha256-pair/as-openssl", test_as_openssl);
  g_test_add_func ("/core/sha256-pair/extremes", test_extremes);
  g_test_add_func ("/core/sha256-pair/each-has-its-own", test_each_has_its_own);
  g_test_add_func ("/core/sha256-pair/blocks", test_blocks);
  return vtree_test_run ();
}
