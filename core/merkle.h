/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verifying single blocks of a file against its fs-verity digest, in software, with the
 * file's Merkle tree. Opening costs the same for any size; hash blocks are read when
 * needed, each checked against the one above it, up to the digest, before it is
 * believed. Thread-safe after construction; memory is bounded whatever the size.
 */
#pragma once

#include "core/bytes.h"
#include "core/verity.h"

/* What stands before the tree in a Merkle file. */
#define VTREE_MERKLE_HEADER_SIZE 4096
#define VTREE_MERKLE_MAGIC "VTREEMKL" /* 8 bytes, no NUL */
#define VTREE_MERKLE_VERSION 1

typedef struct VtreeMerkle VtreeMerkle;

/* Opens a Merkle file for contents of SIZE bytes (more than one block) and DIGEST.
 * Takes FD in any case. Checks file size, header and root against DIGEST. Errors:
 * VTREE_ERROR_CORRUPT, VTREE_ERRNO_ERROR. */
VtreeMerkle *vtree_merkle_new_take (int fd, const VtreeDigest *digest, uint64_t size,
                                    GError **error);

/* Makes a verifier from the contents themselves, read whole once: leaf hashes in memory
 * for at most VTREE_MERKLE_MIN_BLOCKS blocks (DATA holds all SIZE bytes; 0 bytes do).
 * VTREE_ERROR_CORRUPT if DATA's digest is not DIGEST. */
VtreeMerkle *vtree_merkle_new_from_data (const void *data, uint64_t size,
                                         const VtreeDigest *digest, GError **error);
void vtree_merkle_free (VtreeMerkle *merkle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeMerkle, vtree_merkle_free)

/* Verifies COUNT whole blocks of the contents from block FIRST on. DATA holds
 * them, the file's last block padded with zeros to VTREE_BLOCK_SIZE by the caller.
 * Errors: VTREE_ERROR_CORRUPT naming the block. */
bool vtree_merkle_verify (VtreeMerkle *merkle, uint64_t first, const uint8_t *data,
                          size_t count, GError **error);

/* True once a block of the Merkle file could not be read or did not match: then it is
 * the Merkle file that is bad, whatever the contents are. */
bool vtree_merkle_is_damaged (const VtreeMerkle *merkle);

/* Puts another Merkle file of the same contents in the place of a damaged one; takes
 * FD. It is trusted no more than the first. Only for a verifier of a Merkle file. */
void vtree_merkle_replace_take (VtreeMerkle *merkle, int fd);

/* The size in bytes of the Merkle file for contents of SIZE bytes; 0 for <= 1 block. */
uint64_t vtree_merkle_file_size (VtreeDigestAlg alg, uint64_t size);

/* Fills in the header block of the Merkle file for contents of SIZE bytes. */
void vtree_merkle_put_header (uint8_t header[VTREE_MERKLE_HEADER_SIZE],
                              VtreeDigestAlg alg, uint64_t size);
