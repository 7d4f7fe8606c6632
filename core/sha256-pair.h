/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 (FIPS 180-4) of two messages at once, for processors with instructions for
 * it (x86 SHA extensions). One message leaves them idle most of the time, since each
 * round waits for the one before; a second one fits in between. Linux hashes the blocks
 * of fs-verity in the same way. Everything else is OpenSSL's: see hash.h.
 *
 * sha256-pair-none.c stands in its place for other processors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VTREE_SHA256_SIZE 32

/* Whether this processor can; asks nobody. */
bool vtree_sha256_pair_is_there (void);

/* Where it is there: the hashes of SIZE bytes at A and of SIZE bytes at B, a multiple
 * of 64. */
void vtree_sha256_pair (const uint8_t *a, const uint8_t *b, size_t size,
                        uint8_t hash_a[VTREE_SHA256_SIZE],
                        uint8_t hash_b[VTREE_SHA256_SIZE]);
