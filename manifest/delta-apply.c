/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the undoing of a delta, whose bytes can be anybody's. Statement and signatures
 * come first and are judged before anything else is believed; the manifest has to be
 * the one that they name; and then every piece has to be one of an object of that
 * manifest, each object once and whole. All of it is staged, and placed at the end.
 *
 * At any time one chunk is in memory: its contents, what it is compressed to, and what
 * it refers to, each of a bounded size.
 */
#include "core/bytes.h"
#include "core/temporary.h"
#include "manifest/check.h"
#include "manifest/delta-private.h"
#include "manifest/pull-private.h"
#include "manifest/reach.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

typedef struct {
  int fd;
  bool trial;        /* see vtree_delta_try() */
  XXH3_state_t *sum; /* of all that was read */
  VtreePull pull;
  VtreeDigestAlg alg;
  uint32_t root_size, sig_size;
  uint64_t chunks;
  bool has_from;
  VtreeDigest from_digest;
  uint64_t from_size;

  VtreeDeltaSide from;
  VtreeView *to;    /* set when the manifest is whole */
  VtreeFd part;     /* the manifest, or a large object, that is not whole yet; or -1 */
  uint32_t part_of; /* its number */
  uint64_t part_done;
  GHashTable *taken; /* set: objects' numbers + 1 */
} Apply;

static void
apply_clear (Apply *apply)
{
  vtree_pull_clear (&apply->pull);
  XXH3_freeState (apply->sum);
  vtree_delta_side_clear (&apply->from);
  g_clear_pointer (&apply->to, vtree_view_unref);
  g_clear_pointer (&apply->taken, g_hash_table_unref);
  vtree_fd_replace_take (&apply->part, -1);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Apply, apply_clear)

static bool
set_corrupt (GError **error, const char *what)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "%s", what);
}

/* --- reading ---------------------------------------------------------------------- */

static bool
read_exactly (const Apply *apply, void *data, size_t size, GError **error)
{
  char *at = data;
  while (size > 0) {
    ssize_t got = read (apply->fd, at, size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return vtree_error_set_errno (error, errno, "read");
    if (got == 0)
      return set_corrupt (error, "it ends before it should");
    XXH3_128bits_update (apply->sum, at, (size_t) got);
    at += got;
    size -= (size_t) got;
  }
  return true;
}

static GBytes *
read_bytes (const Apply *apply, size_t size, GError **error)
{
  g_autofree uint8_t *data = g_malloc (MAX (size, 1));
  if (!read_exactly (apply, data, size, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&data), size);
}

/* Any damage is noticed, also where zstd makes the same of it. */
static bool
check_end (const Apply *apply, GError **error)
{
  XXH128_canonical_t expected, found;
  char byte;
  ssize_t got;
  XXH128_canonicalFromHash (&found, XXH3_128bits_digest (apply->sum));
  if (!read_exactly (apply, expected.digest, sizeof expected.digest, error))
    return false;
  if (memcmp (&expected, &found, sizeof found) != 0)
    return set_corrupt (error, "its checksum is another");
  while ((got = read (apply->fd, &byte, 1)) < 0 && errno == EINTR)
    ;
  if (got < 0)
    return vtree_error_set_errno (error, errno, "read");
  return got == 0 || set_corrupt (error, "it goes on after its end");
}

static bool
parse_head (Apply *apply, VtreeSpan head, GError **error)
{
  VtreeSpan reserved;
  if (memcmp (head.data, VTREE_DELTA_MAGIC, 8) != 0)
    return set_corrupt (error, "it is no delta");
  if (vtree_span_u32 (head, 8) != VTREE_DELTA_VERSION || vtree_span_u32 (head, 16) != 0)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "it is of a newer program than this one");
  uint32_t alg = vtree_span_u32 (head, 12);
  uint32_t flags = vtree_span_u32 (head, 28);
  apply->root_size = vtree_span_u32 (head, 20);
  apply->sig_size = vtree_span_u32 (head, 24);
  apply->has_from = (flags & VTREE_DELTA_HAS_FROM) != 0;
  apply->from_size = vtree_span_u64 (head, 96);
  apply->chunks = vtree_span_u64 (head, 104);
  if ((alg != VTREE_DIGEST_SHA256 && alg != VTREE_DIGEST_SHA512)
      || (flags & ~(uint32_t) VTREE_DELTA_HAS_FROM) != 0 || apply->root_size == 0
      || apply->root_size > VTREE_STATEMENT_MAX || apply->sig_size == 0
      || apply->sig_size > VTREE_SIGNATURE_FILE_MAX || apply->chunks == 0
      || !vtree_span_sub (head, 112, VTREE_DELTA_HEADER_SIZE - 112, &reserved)
      || !vtree_span_is_zero (reserved))
    return set_corrupt (error, "its head is not a delta's");
  apply->alg = (VtreeDigestAlg) alg;
  vtree_digest_init (&apply->from_digest, apply->alg, head.data + 32);
  return true;
}

/* --- whose it is ------------------------------------------------------------------ */

/* The name that the statement has; only a signature makes it one. */
static char *
claimed_ref (GBytes *root)
{
  size_t size;
  const void *data = g_bytes_get_data (root, &size);
  g_autoptr (VtreeStatement) statement = vtree_statement_parse (data, size, NULL);
  return statement != NULL ? g_strdup (statement->ref) : NULL;
}

static bool
check_algorithm (const Apply *apply, GError **error)
{
  VtreeDigestAlg ours = vtree_repo_options (apply->pull.to)->digest;
  return apply->alg == ours
         || vtree_error_set (error, VTREE_ERROR_INVALID, "it has %s digests, %s has %s",
                             vtree_digest_alg_name (apply->alg),
                             vtree_repo_path (apply->pull.to),
                             vtree_digest_alg_name (ours));
}

/* Takes the statement as it is. */
static bool
accept_unseen (Apply *apply, GBytes *root, GError **error)
{
  size_t size;
  const void *data = g_bytes_get_data (root, &size);
  VtreeResolved *resolved = g_new0 (VtreeResolved, 1);
  resolved->notes = g_ptr_array_new ();
  resolved->statement = vtree_statement_parse (data, size, error);
  apply->pull.resolved = resolved;
  if (resolved->statement == NULL)
    return false;
  resolved->manifest = resolved->statement->manifest;
  resolved->manifest_size = resolved->statement->size;
  return true;
}

static bool
accept (Apply *apply, GError **error)
{
  g_autoptr (GBytes) root = read_bytes (apply, apply->root_size, error);
  g_autoptr (GBytes) sig
    = root != NULL ? read_bytes (apply, apply->sig_size, error) : NULL;
  if (sig == NULL || !check_algorithm (apply, error))
    return false;
  if (apply->trial)
    return accept_unseen (apply, root, error);
  g_autofree char *ref = claimed_ref (root);
  if (ref == NULL)
    return set_corrupt (error, "its statement is none");
  return vtree_pull_accept (&apply->pull, ref, root, sig, error);
}

/* --- the manifest ----------------------------------------------------------------- */

static bool
open_part (Apply *apply, uint32_t object, GError **error)
{
  apply->part = vtree_temporary_file (error);
  apply->part_of = object;
  apply->part_done = 0;
  return apply->part >= 0;
}

/* PIECE goes on where the part ends, or begins one. */
static bool
add_to_part (Apply *apply, const VtreeDeltaPiece *piece, const uint8_t *data,
             uint64_t size, GError **error)
{
  if (apply->part < 0 && piece->offset == 0 && !open_part (apply, piece->object, error))
    return false;
  if (apply->part < 0 || apply->part_of != piece->object
      || apply->part_done != piece->offset || piece->size > size - piece->offset)
    return set_corrupt (error, "its pieces are not in their order");
  if (!vtree_fd_pwrite (apply->part, data, piece->size, piece->offset, error))
    return false;
  apply->part_done += piece->size;
  return true;
}

/* What the statement names, or nothing. */
static bool
open_manifest (Apply *apply, GError **error)
{
  const VtreeResolved *resolved = apply->pull.resolved;
  VtreeObjectSpec spec = { .digest = resolved->manifest,
                           .size = resolved->manifest_size,
                           .policy = VTREE_VERITY_AUTO };
  const VtreeIngestExpected expected = { resolved->manifest, true };
  g_auto (VtreeFd) part = vtree_fd_steal (&apply->part);
  if (!vtree_ingest_expected_fd (apply->pull.ingest, part, spec.size, &expected, error))
    return false;
  g_autoptr (VtreeObject) object
    = vtree_object_new_take (vtree_fd_steal (&part), -1, &spec, error);
  g_autoptr (VtreePages) pages
    = object != NULL ? vtree_pages_new (object, error) : NULL;
  apply->to = pages != NULL ? vtree_view_new (pages, error) : NULL;
  return apply->to != NULL && vtree_check_manifest (apply->to, error)
         && vtree_pull_check_secrets (&apply->pull, apply->to, error);
}

static bool
take_manifest (Apply *apply, const VtreeDeltaPiece *piece, const uint8_t *data,
               GError **error)
{
  uint64_t size = apply->pull.resolved->manifest_size;
  if (apply->to != NULL)
    return set_corrupt (error, "it has more than one manifest");
  if (piece->offset > size)
    return set_corrupt (error, "it has more of a manifest than there is");
  if (!add_to_part (apply, piece, data, size, error))
    return false;
  return apply->part_done < size || open_manifest (apply, error);
}

/* --- objects ---------------------------------------------------------------------- */

static bool
finish_object (Apply *apply, const VtreeDeltaPiece *piece, const uint8_t *data,
               const VtreeIngestExpected *expected, uint64_t size, GError **error)
{
  VtreeIngest *ingest = apply->pull.ingest;
  bool ok = true;
  if (apply->part < 0)
    ok = vtree_ingest_expected_bytes (ingest, data, piece->size, expected, error);
  else
    ok = vtree_ingest_expected_fd (ingest, apply->part, size, expected, error);
  vtree_fd_replace_take (&apply->part, -1);
  g_hash_table_add (apply->taken, GUINT_TO_POINTER (piece->object + 1));
  return ok;
}

static bool
take_object (Apply *apply, const VtreeDeltaPiece *piece, const uint8_t *data,
             GError **error)
{
  VtreeIngestExpected expected = { .own_file = false };
  uint64_t size;
  if (apply->to == NULL || piece->object >= vtree_view_totals (apply->to)->objects
      || g_hash_table_contains (apply->taken, GUINT_TO_POINTER (piece->object + 1)))
    return set_corrupt (error, "it has contents that it should not have");
  if (!vtree_view_object (apply->to, piece->object, &expected.digest, &size, error))
    return false;
  if (piece->offset > size || piece->size > size - piece->offset)
    return set_corrupt (error, "it has more of an object than there is");
  bool whole = piece->size == size && apply->part < 0;
  if (!whole && !add_to_part (apply, piece, data, size, error))
    return false;
  return (!whole && apply->part_done < size)
         || finish_object (apply, piece, data, &expected, size, error);
}

/* --- chunks ----------------------------------------------------------------------- */

static bool
read_pieces (const Apply *apply, uint32_t count, GArray *pieces, uint64_t limit,
             GError **error)
{
  uint64_t size = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t bytes[VTREE_DELTA_PIECE_SIZE];
    VtreeDeltaPiece piece;
    if (!read_exactly (apply, bytes, sizeof bytes, error))
      return false;
    vtree_delta_piece_parse (bytes, &piece);
    size += piece.size;
    if (piece.size == 0 || size > limit)
      return set_corrupt (error, "a chunk's pieces are out of their limits");
    g_array_append_val (pieces, piece);
  }
  return true;
}

static bool
check_references (const Apply *apply, const GArray *references, GError **error)
{
  return references->len == 0 || apply->has_from
         || set_corrupt (error, "it refers to what it does not start from");
}

/* The head, and all that it announces but the contents. */
static VtreeDeltaChunk *
read_chunk_head (const Apply *apply, GError **error)
{
  uint8_t head[VTREE_DELTA_CHUNK_HEADER_SIZE];
  uint32_t pieces, references;
  g_autoptr (VtreeDeltaChunk) chunk = vtree_delta_chunk_new ();
  if (!read_exactly (apply, head, sizeof head, error)
      || !vtree_delta_chunk_parse (head, chunk, &pieces, &references, error)
      || !read_pieces (apply, pieces, chunk->pieces, VTREE_DELTA_PLAIN_MAX, error)
      || !read_pieces (apply, references, chunk->references, VTREE_DELTA_REFERENCE_MAX,
                       error)
      || !check_references (apply, chunk->references, error))
    return NULL;
  if (vtree_delta_pieces_size (chunk->pieces) != chunk->plain) {
    set_corrupt (error, "a chunk's pieces are not all of it");
    return NULL;
  }
  return g_steal_pointer (&chunk);
}

static bool
take_pieces (Apply *apply, const GArray *pieces, const uint8_t *data, GError **error)
{
  for (guint i = 0; i < pieces->len; i++) {
    const VtreeDeltaPiece *piece = &g_array_index (pieces, VtreeDeltaPiece, i);
    if (piece->object == VTREE_DELTA_MANIFEST
          ? !take_manifest (apply, piece, data, error)
          : !take_object (apply, piece, data, error))
      return false;
    data += piece->size;
  }
  return true;
}

static bool
take_chunk (Apply *apply, GError **error)
{
  const VtreePullOptions *options = apply->pull.options;
  g_autoptr (VtreeDeltaChunk) chunk = read_chunk_head (apply, error);
  if (chunk == NULL)
    return false;
  g_autoptr (GBytes) packed = read_bytes (apply, chunk->packed, error);
  if (packed == NULL)
    return false;
  g_autoptr (GBytes) prefix
    = vtree_delta_side_read (&apply->from, chunk->references, error);
  if (prefix == NULL)
    return false;
  g_autofree uint8_t *plain = g_malloc (chunk->plain);
  if (!vtree_delta_decompress (packed, prefix, plain, chunk->plain, error)
      || !take_pieces (apply, chunk->pieces, plain, error))
    return false;
  if (options->progress != NULL)
    options->progress (options->progress_context, chunk->pieces->len, chunk->plain);
  return true;
}

static bool
take_chunks (Apply *apply, GError **error)
{
  for (uint64_t i = 0; i < apply->chunks; i++)
    if (!take_chunk (apply, error))
      return false;
  if (apply->to == NULL || apply->part >= 0)
    return set_corrupt (error, "it lacks the rest of what it began");
  return check_end (apply, error);
}

/* --- the whole -------------------------------------------------------------------- */

static bool
open_from (Apply *apply, GError **error)
{
  apply->from.store = apply->pull.to_store;
  if (!apply->has_from)
    return true;
  GError *failed = NULL;
  if (vtree_delta_side_open (&apply->from, apply->pull.to_store, &apply->from_digest,
                             apply->from_size, &failed))
    return true;
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING))
    g_prefix_error (&failed, "it starts from a tree that is not here: ");
  g_propagate_error (error, failed);
  return false;
}

/* All of it, before anything of it can be seen. */
static bool
stage (Apply *apply, GError **error)
{
  bool present = false;
  if (!apply->trial && !vtree_pull_is_present (&apply->pull, &present, error))
    return false;
  return present
         || (vtree_pull_open (&apply->pull, error) && open_from (apply, error)
             && take_chunks (apply, error)
             && vtree_pull_check_rest (&apply->pull, apply->to, apply->taken, error));
}

/* VtreePullTake */
static bool
place (VtreePull *pull, void *source, GError **error)
{
  const Apply *apply = source;
  if (apply->to == NULL) /* it was there, and is not any more */
    return vtree_error_set (error, VTREE_ERROR_BUSY, "try again");
  return vtree_ingest_seal (pull->ingest, error)
         && vtree_ingest_sync (pull->ingest, error);
}

/* All but making it visible; the caller holds the shared lock. */
static bool
prepare (Apply *apply, GError **error)
{
  uint8_t head[VTREE_DELTA_HEADER_SIZE];
  return read_exactly (apply, head, sizeof head, error)
         && parse_head (apply, (VtreeSpan){ head, sizeof head }, error)
         && accept (apply, error) && stage (apply, error);
}

static bool
run (Apply *apply, GError **error)
{
  g_auto (VtreeFd) lock = -1;
  return vtree_repo_lock (apply->pull.to, VTREE_REPO_LOCK_SHARED,
                          apply->pull.options->wait, &lock, error)
         && prepare (apply, error)
         && (apply->trial || vtree_pull_release (&apply->pull, place, apply, error));
}

static void
apply_init (Apply *apply, const VtreeRepo *repo, int fd,
            const VtreePullOptions *options, VtreePullResult *result)
{
  *apply = (Apply){ .fd = fd, .part = -1 };
  vtree_pull_init (&apply->pull, repo, options, result);
  apply->taken = g_hash_table_new (NULL, NULL);
  apply->sum = XXH3_createState ();
  XXH3_128bits_reset (apply->sum);
}

bool
vtree_delta_apply (const VtreeRepo *repo, int fd, const VtreePullOptions *options,
                   VtreePullResult *result, GError **error)
{
  g_auto (VtreePullResult) own = { .version = 0 };
  g_auto (Apply) apply = { .fd = -1 };
  apply_init (&apply, repo, fd, options, &own);
  if (!run (&apply, error)) {
    g_prefix_error (error, "apply the delta: ");
    return false;
  }
  *result = own;
  own.ref = NULL;
  own.notes = NULL;
  return true;
}

bool
vtree_delta_try (const VtreeRepo *repo, int fd, GError **error)
{
  g_auto (VtreePullResult) own = { .version = 0 };
  const VtreePullOptions options = { .threads = 1 };
  g_auto (Apply) apply = { .fd = -1 };
  apply_init (&apply, repo, fd, &options, &own);
  apply.trial = true;
  return run (&apply, error);
}
