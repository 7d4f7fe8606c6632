/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of two messages at once with the SHA extensions of x86-64. Owns the
 * compression function; the words of the state are in the order in which SHA256RNDS2
 * wants them, ABEF and CDGH (Intel SDM, volume 2).
 */
#include "core/sha256-pair.h"

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#define CHUNK 64
#define TARGET __attribute__ ((target ("sha,sse4.1,ssse3")))
#define INLINE static inline __attribute__ ((always_inline)) TARGET

/* One message under way. */
typedef struct {
  __m128i abef, cdgh;
  __m128i words[4]; /* the last 16 of the schedule */
} Lane;

static const uint32_t round_constants[64] __attribute__ ((aligned (16))) = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
  0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
  0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
  0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
  0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
  0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
  0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
  0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
};

/* gcc's own check costs nothing; clang 14's does not know "sha". */
#if defined(__clang__)
bool
vtree_sha256_pair_is_there (void)
{
  unsigned a, b = 0, c, d;
  return __get_cpuid_count (7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0
         && __builtin_cpu_supports ("sse4.1") && __builtin_cpu_supports ("ssse3");
}
#else
bool
vtree_sha256_pair_is_there (void)
{
  return __builtin_cpu_supports ("sha") && __builtin_cpu_supports ("sse4.1")
         && __builtin_cpu_supports ("ssse3");
}
#endif

INLINE void
lane_begin (Lane *lane)
{
  lane->abef
    = _mm_set_epi32 (0x6a09e667, (int) 0xbb67ae85, 0x510e527f, (int) 0x9b05688c);
  lane->cdgh = _mm_set_epi32 (0x3c6ef372, (int) 0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
}

INLINE void
lane_load (Lane *lane, const uint8_t *data)
{
  const __m128i swap = _mm_set_epi64x (0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  for (int i = 0; i < 4; i++) {
    __m128i raw = _mm_loadu_si128 ((const __m128i *) (const void *) (data + 16 * i));
    lane->words[i] = _mm_shuffle_epi8 (raw, swap);
  }
}

/* Four rounds, number STEP of 16, and what they can do for the words of later ones. */
INLINE void
lane_step (Lane *lane, int step)
{
  __m128i *now = &lane->words[step % 4];
  __m128i *next = &lane->words[(step + 1) % 4];
  __m128i *before = &lane->words[(step + 3) % 4];
  const __m128i *constants = (const __m128i *) (const void *) round_constants;
  __m128i sum = _mm_add_epi32 (*now, _mm_load_si128 (constants + step));
  lane->cdgh = _mm_sha256rnds2_epu32 (lane->cdgh, lane->abef, sum);
  if (step >= 3 && step < 15) {
    __m128i shifted = _mm_alignr_epi8 (*now, *before, 4);
    *next = _mm_sha256msg2_epu32 (_mm_add_epi32 (*next, shifted), *now);
  }
  sum = _mm_shuffle_epi32 (sum, 0x0e);
  lane->abef = _mm_sha256rnds2_epu32 (lane->abef, lane->cdgh, sum);
  if (step >= 1 && step < 13)
    *before = _mm_sha256msg1_epu32 (*before, *now);
}

/* Unrolled by hand: with a constant STEP all of a lane stays in registers. */
#define STEP(n)                                                                        \
  lane_step (a, n);                                                                    \
  lane_step (b, n)

INLINE void
compress (Lane *a, Lane *b, const uint8_t *data_a, const uint8_t *data_b)
{
  const Lane old_a = *a;
  const Lane old_b = *b;
  lane_load (a, data_a);
  lane_load (b, data_b);
  STEP (0);
  STEP (1);
  STEP (2);
  STEP (3);
  STEP (4);
  STEP (5);
  STEP (6);
  STEP (7);
  STEP (8);
  STEP (9);
  STEP (10);
  STEP (11);
  STEP (12);
  STEP (13);
  STEP (14);
  STEP (15);
  a->abef = _mm_add_epi32 (a->abef, old_a.abef);
  a->cdgh = _mm_add_epi32 (a->cdgh, old_a.cdgh);
  b->abef = _mm_add_epi32 (b->abef, old_b.abef);
  b->cdgh = _mm_add_epi32 (b->cdgh, old_b.cdgh);
}

INLINE void
lane_end (const Lane *lane, uint8_t hash[VTREE_SHA256_SIZE])
{
  const __m128i swap = _mm_set_epi64x (0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i feba = _mm_shuffle_epi32 (lane->abef, 0x1b);
  __m128i dchg = _mm_shuffle_epi32 (lane->cdgh, 0xb1);
  __m128i dcba = _mm_blend_epi16 (feba, dchg, 0xf0);
  __m128i hgfe = _mm_alignr_epi8 (dchg, feba, 8);
  _mm_storeu_si128 ((__m128i *) (void *) hash, _mm_shuffle_epi8 (dcba, swap));
  _mm_storeu_si128 ((__m128i *) (void *) (hash + 16), _mm_shuffle_epi8 (hgfe, swap));
}

TARGET void
vtree_sha256_pair (const uint8_t *a, const uint8_t *b, size_t size,
                   uint8_t hash_a[VTREE_SHA256_SIZE], uint8_t hash_b[VTREE_SHA256_SIZE])
{
  Lane lane_a, lane_b;
  uint8_t end[CHUNK] = { 0x80 };
  uint64_t bits = __builtin_bswap64 ((uint64_t) size * 8);
  memcpy (end + CHUNK - sizeof bits, &bits, sizeof bits);
  lane_begin (&lane_a);
  lane_begin (&lane_b);
  for (size_t offset = 0; offset < size; offset += CHUNK)
    compress (&lane_a, &lane_b, a + offset, b + offset);
  compress (&lane_a, &lane_b, end, end);
  lane_end (&lane_a, hash_a);
  lane_end (&lane_b, hash_b);
}
