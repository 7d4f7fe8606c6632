/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the making of test contents; knows no test.
 */
#include "tests/unit/core/contents.h"

#include "core/verity.h"
#include <string.h>
#include <sys/mman.h>

uint64_t
contents_random (uint64_t limit)
{
  uint64_t high = (uint64_t) (uint32_t) g_test_rand_int ();
  return (high << 32 | (uint32_t) g_test_rand_int ()) % limit;
}

/* xorshift64: g_test_rand_int() is too slow for 64 MiB. */
static void
fill (uint8_t *data, uint64_t size)
{
  uint64_t state = contents_random (UINT64_MAX) | 1;
  for (uint64_t i = 0; i < size; i += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy (data + i, &state, (size_t) MIN (size - i, sizeof state));
  }
}

void
contents_init (Contents *contents, VtreeDigestAlg alg, uint64_t size)
{
  g_autoptr (GError) error = NULL;
  contents->data = g_malloc (MAX (size, 1));
  contents->size = size;
  fill (contents->data, size);
  VtreeVerityParams params = { alg, size, -1, NULL };
  vtree_verity_compute_data (&params, contents->data, &contents->digest, &error);
  g_assert_no_error (error);
}

void
contents_clear (Contents *contents)
{
  g_free (contents->data);
  contents->data = NULL;
}

static int
new_file (void)
{
  int fd = memfd_create ("contents", MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

int
contents_file (const Contents *contents)
{
  g_autoptr (GError) error = NULL;
  int fd = new_file ();
  vtree_fd_pwrite (fd, contents->data, contents->size, 0, &error);
  g_assert_no_error (error);
  return fd;
}

int
contents_merkle_file (const Contents *contents)
{
  g_autoptr (GError) error = NULL;
  int fd = new_file ();
  VtreeVerityParams params = { contents->digest.alg, contents->size, fd, NULL };
  VtreeDigest digest;
  vtree_verity_compute_data (&params, contents->data, &digest, &error);
  g_assert_no_error (error);
  g_assert_true (vtree_digest_equal (&digest, &contents->digest));
  return fd;
}

void
contents_flip (int fd, uint64_t offset)
{
  g_autoptr (GError) error = NULL;
  uint8_t byte;
  size_t got;
  vtree_fd_pread (fd, &byte, 1, offset, &got, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (got, ==, 1);
  byte ^= (uint8_t) (1 << contents_random (8));
  vtree_fd_pwrite (fd, &byte, 1, offset, &error);
  g_assert_no_error (error);
}
