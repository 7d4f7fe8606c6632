/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the complete verification of one object in a store: every byte is read, the
 * Merkle file too. What the kernel enforces is hashed by the kernel alone. Writes
 * nothing; may give the file verity where it is.
 */
#include "core/merkle.h"
#include "core/object-fault.h"
#include "core/store-locate.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define OBJECT_MODE 0444

#define RUN_SIZE ((size_t) 256 * 1024)

/* Turns FAILED (taken) into a verdict if it says something of the object. */
static bool
judge (GError *failed, VtreeStoreVerdict *verdict, char **message, GError **error)
{
  bool missing = g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING);
  if (!missing && !vtree_object_fault (failed)) {
    g_propagate_error (error, failed);
    return false;
  }
  *verdict = missing ? VTREE_STORE_MISSING : VTREE_STORE_CORRUPT;
  *message = g_strdup (failed->message);
  g_error_free (failed);
  return true;
}

/* Reads blocks from OFFSET on, the last one padded; returns how many, 0 on error. */
static size_t
read_blocks (int fd, uint64_t size, uint64_t offset, uint8_t *run, GError **error)
{
  size_t wanted = (size_t) MIN (size - offset, RUN_SIZE);
  size_t got;
  if (!vtree_fd_pread (fd, run, wanted, offset, &got, error))
    return 0;
  if (got < wanted) {
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "read: the file ends early");
    return 0;
  }
  size_t blocks = (wanted + VTREE_BLOCK_SIZE - 1) / VTREE_BLOCK_SIZE;
  memset (run + wanted, 0, blocks * VTREE_BLOCK_SIZE - wanted);
  return blocks;
}

/* Checks every block against the Merkle file, and so every block of that, in one pass:
 * true means that both are good. */
static bool
check_with_merkle (VtreeLocated *located, const VtreeDigest *digest, GError **error)
{
  g_autofree uint8_t *run = g_malloc (RUN_SIZE);
  g_autoptr (VtreeMerkle) merkle = vtree_merkle_new_take (
    vtree_fd_steal (&located->merkle_fd), digest, located->size, error);
  if (merkle == NULL)
    return false;
  for (uint64_t offset = 0; offset < located->size; offset += RUN_SIZE) {
    size_t blocks = read_blocks (located->fd, located->size, offset, run, error);
    if (blocks == 0
        || !vtree_merkle_verify (merkle, offset / VTREE_BLOCK_SIZE, run, blocks, error))
      return false;
  }
  return true;
}

static bool
check_digest (const VtreeLocated *located, const VtreeDigest *digest, GError **error)
{
  VtreeVerityParams params
    = { .alg = digest->alg, .size = located->size, .merkle_fd = -1 };
  VtreeDigest found;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!vtree_verity_compute_fd (&params, located->fd, &found, error))
    return false;
  return vtree_digest_equal (&found, digest)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "its contents have the digest %s",
                             vtree_digest_format (&found, text));
}

static bool
check_size (const VtreeLocated *located, uint64_t size, GError **error)
{
  return size == VTREE_STORE_ANY_SIZE || located->size == size
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "it has %" G_GUINT64_FORMAT
                             " bytes, not %" G_GUINT64_FORMAT,
                             located->size, size);
}

/* What the kernel enforces is only read: bad blocks show themselves. */
static bool
read_through (const VtreeLocated *located, GError **error)
{
  g_autofree uint8_t *run = g_malloc (RUN_SIZE);
  for (uint64_t offset = 0; offset < located->size; offset += RUN_SIZE)
    if (read_blocks (located->fd, located->size, offset, run, error) == 0)
      return false;
  return true;
}

static bool
check_measured (const VtreeDigest *found, const VtreeDigest *digest, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  return vtree_digest_equal (found, digest)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT, "the kernel measured %s",
                             vtree_digest_format (found, text));
}

/* The kernel's word first, then every byte. */
static bool
check_enforced (const VtreeLocated *located, const VtreeDigest *digest,
                const VtreeDigest *found, GError **error)
{
  return check_measured (found, digest, error) && read_through (located, error);
}

/* The daemon's way. */
static bool
check_plain (VtreeLocated *located, const VtreeDigest *digest,
             VtreeStoreVerdict *verdict, char **message, GError **error)
{
  g_autoptr (GError) merkle_failed = NULL;
  if (located->merkle_fd >= 0 && check_with_merkle (located, digest, &merkle_failed))
    return true;
  if (!check_digest (located, digest, error))
    return false;
  if (merkle_failed == NULL)
    return true;
  *verdict = VTREE_STORE_BAD_MERKLE;
  *message = g_strdup (merkle_failed->message);
  return true;
}

static bool
check_located (VtreeLocated *located, const VtreeDigest *digest,
               VtreeStoreVerdict *verdict, char **message, GError **error)
{
  bool enforced;
  VtreeDigest found;
  if (!vtree_kernel_measure (located->fd, &enforced, &found, error))
    return false;
  return enforced ? check_enforced (located, digest, &found, error)
                  : check_plain (located, digest, verdict, message, error);
}

/* One that was killed may have left it writable. */
static bool
mend_mode (int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  return (st.st_mode & 07777) == OBJECT_MODE || fchmod (fd, OBJECT_MODE) == 0
         || errno == EPERM /* not ours: it was not we who was killed */
         || vtree_error_set_errno (error, errno, "set the mode");
}

static bool
look_at_sealed (const VtreeLocated *located, const VtreeObjectSigner *signer,
                VtreeStoreSealed *sealed, GError **error)
{
  bool lacks = false;
  if (!mend_mode (located->fd, error)
      || (signer != NULL && !vtree_seal_lacks_signature (located->fd, &lacks, error)))
    return false;
  sealed->sealing = lacks ? VTREE_STORE_SEALED_UNSIGNED : VTREE_STORE_SEALED_BEFORE;
  return true;
}

/* LOCATED stays empty where there is no file of its own. */
static bool
locate (const VtreeStore *store, const VtreeDigest *digest, uint64_t size,
        VtreeLocated *located, GError **error)
{
  return vtree_store_locate (store, digest, true, located, error)
         && (located->fd < 0 || check_size (located, size, error));
}

/* --- slices ----------------------------------------------------------------------- */

typedef struct {
  bool seal;
  const VtreeObjectSigner *signer;
  VtreeStoreSealed *sealed; /* of the best copy so far */
  bool good;                /* there is one that is whole */
  GError *failed;           /* what is wrong with the first that is not */
} Copies;

/* One that can't be sealed is a good copy all the same. */
static bool
seal_pack (VtreePack *pack, const VtreeObjectSigner *signer, VtreeStoreSealed *sealed,
           GError **error)
{
  VtreeLocated located = { .fd = vtree_pack_peek_fd (pack), .merkle_fd = -1 };
  g_autoptr (GError) failed = NULL;
  if (vtree_pack_is_enforced (pack))
    return look_at_sealed (&located, signer, sealed, error);
  if (vtree_seal_in_place (located.fd, OBJECT_MODE, vtree_pack_name (pack), signer,
                           &failed)) {
    sealed->sealing = VTREE_STORE_SEALED_NOW;
    return true;
  }
  if (!vtree_seal_is_inability (failed) && !vtree_object_fault (failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  g_free (sealed->unsealed);
  sealed->unsealed = g_strdup (failed->message);
  return true;
}

static bool
check_copy (const Copies *copies, VtreePack *pack, uint64_t index,
            const VtreePackEntry *entry, GError **error)
{
  g_autofree uint8_t *data = g_malloc (entry->size);
  return vtree_pack_read (pack, index, entry, VTREE_VERITY_AUTO, data, error)
         && (!copies->seal || seal_pack (pack, copies->signer, copies->sealed, error));
}

/* VtreePacksEach: goes on until there is a copy that is all that it can be. */
static bool
look_at_copy (void *context, VtreePack *pack, uint64_t index,
              const VtreePackEntry *entry)
{
  Copies *copies = context;
  g_autoptr (GError) failed = NULL;
  if (check_copy (copies, pack, index, entry, &failed))
    copies->good = true;
  else if (copies->failed == NULL)
    copies->failed = g_steal_pointer (&failed);
  return !copies->good
         || (copies->seal && copies->sealed->sealing != VTREE_STORE_SEALED_NOW
             && copies->sealed->sealing != VTREE_STORE_SEALED_BEFORE);
}

/* Until there is a good copy, or the packs are those that have been looked at. */
static bool
look_at_copies (const VtreeStore *store, const VtreeDigest *digest, uint64_t size,
                Copies *copies, GError **error)
{
  VtreePacks *packs = vtree_store_packs (store);
  uint64_t wanted = size == VTREE_STORE_ANY_SIZE ? VTREE_PACKS_ANY_SIZE : size;
  bool again = true;
  for (unsigned attempt = 0; again && attempt < VTREE_STORE_ATTEMPTS; attempt++) {
    guint generation = vtree_packs_generation (packs);
    g_clear_error (&copies->failed);
    if (!vtree_packs_find (packs, digest, wanted, look_at_copy, copies, error))
      return false;
    if (copies->good)
      return true;
    if (!vtree_store_has_changed (store, generation, &again, error))
      return false;
  }
  return true;
}

/* Errors: also VTREE_ERROR_MISSING. */
static bool
check_slices (const VtreeStore *store, const VtreeDigest *digest, uint64_t size,
              Copies *copies, GError **error)
{
  bool ok = look_at_copies (store, digest, size, copies, error);
  if (ok && !copies->good && copies->failed == NULL)
    ok = vtree_error_set (error, VTREE_ERROR_MISSING, "it is not in the store");
  else if (ok && !copies->good) {
    g_propagate_error (error, g_steal_pointer (&copies->failed));
    ok = false;
  }
  g_clear_error (&copies->failed);
  return ok;
}

/* --- checking --------------------------------------------------------------------- */

bool
vtree_store_check_slice (const VtreeStore *store, const VtreeDigest *digest,
                         uint64_t size, VtreeStoreVerdict *verdict, char **message,
                         GError **error)
{
  Copies copies = { .seal = false };
  GError *failed = NULL;
  *verdict = VTREE_STORE_GOOD;
  *message = NULL;
  return check_slices (store, digest, size, &copies, &failed)
         || judge (failed, verdict, message, error);
}

bool
vtree_store_check_object (const VtreeStore *store, const VtreeDigest *digest,
                          uint64_t size, VtreeStoreVerdict *verdict, char **message,
                          GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  GError *failed = NULL;
  *verdict = VTREE_STORE_GOOD;
  *message = NULL;
  Copies copies = { .seal = false };
  if (locate (store, digest, size, &located, &failed)
      && (located.fd >= 0 ? check_located (&located, digest, verdict, message, &failed)
                          : check_slices (store, digest, size, &copies, &failed)))
    return true;
  return judge (failed, verdict, message, error);
}

/* --- sealing a file of its own ---------------------------------------------------- */

void
vtree_store_sealed_clear (VtreeStoreSealed *sealed)
{
  g_clear_pointer (&sealed->message, g_free);
  g_clear_pointer (&sealed->unsealed, g_free);
}

/* One that can't be sealed is checked as any other. */
static bool
seal_plain (VtreeLocated *located, const VtreeDigest *digest,
            const VtreeObjectSigner *signer, VtreeStoreSealed *sealed, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (vtree_seal_in_place (located->fd, OBJECT_MODE, digest, signer, &failed)) {
    sealed->sealing = VTREE_STORE_SEALED_NOW;
    return true;
  }
  if (!vtree_seal_is_inability (failed)) {
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
  sealed->unsealed = g_strdup (failed->message);
  return check_plain (located, digest, &sealed->verdict, &sealed->message, error);
}

static bool
seal_located (VtreeLocated *located, const VtreeDigest *digest,
              const VtreeObjectSigner *signer, VtreeStoreSealed *sealed, GError **error)
{
  bool enforced;
  VtreeDigest found;
  if (!vtree_kernel_measure (located->fd, &enforced, &found, error))
    return false;
  if (!enforced)
    return seal_plain (located, digest, signer, sealed, error);
  return check_enforced (located, digest, &found, error)
         && look_at_sealed (located, signer, sealed, error);
}

bool
vtree_store_seal_object (const VtreeStore *store, const VtreeDigest *digest,
                         uint64_t size, const VtreeObjectSigner *signer,
                         VtreeStoreSealed *sealed, GError **error)
{
  g_auto (VtreeLocated) located = VTREE_LOCATED_INIT;
  GError *failed = NULL;
  Copies copies = { .seal = true, .signer = signer, .sealed = sealed };
  *sealed = (VtreeStoreSealed){ .verdict = VTREE_STORE_GOOD };
  if (locate (store, digest, size, &located, &failed)
      && (located.fd >= 0 ? seal_located (&located, digest, signer, sealed, &failed)
                          : check_slices (store, digest, size, &copies, &failed)))
    return true;
  g_clear_pointer (&sealed->unsealed, g_free);
  return judge (failed, &sealed->verdict, &sealed->message, error);
}
