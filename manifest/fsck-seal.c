/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the sealing of a repository whose files lost the kernel's verity, or never had
 * it: whether that is possible, what objects need another file, the repository's own
 * files, and the Merkle files that nobody needs afterwards. Objects that are sealed
 * where they are, are so already when they are checked.
 *
 * Any step may be the last one: what has been sealed is sealed, and the next run goes
 * on. The lock of the repository is shared, so commits and mounts go on too.
 */
#include "manifest/fsck-private.h"

#include "core/beneath.h"
#include "core/ingest.h"
#include "core/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static VtreeSeal
seal_of (const VtreeFsck *fsck)
{
  VtreeSeal seal = vtree_repo_seal (fsck->repo);
  seal.policy = VTREE_VERITY_REQUIRE;
  seal.signer = fsck->options->signer;
  return seal;
}

/* --- whether ---------------------------------------------------------------------- */

bool
vtree_fsck_probe_seal (VtreeFsck *fsck, GError **error)
{
  g_auto (VtreeFd) fd = vtree_beneath_open (vtree_repo_dirfd (fsck->repo), "tmp",
                                            O_RDONLY | O_DIRECTORY, 0, error);
  VtreeSeal seal = seal_of (fsck);
  bool supported;
  if (fd < 0 || !vtree_seal_probe (fd, seal.alg, seal.signer, &supported, error)) {
    g_prefix_error (error, "seal: ");
    return false;
  }
  if (supported)
    return true;
  g_autofree char *why = vtree_seal_why_not (fd, seal.alg);
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED, "nothing can be sealed: %s",
                          why);
}

/* --- objects ---------------------------------------------------------------------- */

static void
report_unsealed (VtreeFsck *fsck, const char *ref, const char *object,
                 const char *message)
{
  VtreeFsckProblem problem
    = { .kind = VTREE_FSCK_UNSEALED, .ref = ref, .object = object, .message = message };
  vtree_fsck_report (fsck, &problem);
}

static bool
put_again (VtreeFsck *fsck, VtreeIngest *ingest, const VtreeDigest *digest,
           GError **error)
{
  VtreeDigest found;
  struct stat st;
  g_auto (VtreeFd) fd = -1;
  if (!vtree_store_open_raw (fsck->store, digest, &fd, error))
    return false;
  if (fd < 0) /* gone since */
    return true;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  return vtree_ingest_fd (ingest, fd, (uint64_t) st.st_size, &found, error);
}

/* The signature belongs to the file: those without get another. */
static bool
sign_objects (VtreeFsck *fsck, const GPtrArray *wanted, GError **error)
{
  VtreeSeal seal = seal_of (fsck);
  VtreeIngestOptions options = { .verity = seal.policy, .signer = seal.signer };
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fsck->repo, &options, error);
  if (ingest == NULL)
    return false;
  for (guint i = 0; i < wanted->len; i++) {
    VtreeFsckObject *object = g_ptr_array_index (wanted, i);
    if (!put_again (fsck, ingest, &object->digest, error))
      return false;
    object->sealing = VTREE_STORE_SEALED_NOW;
  }
  return vtree_ingest_seal (ingest, error) && vtree_ingest_sync (ingest, error);
}

static bool
is_good (const VtreeFsckObject *object)
{
  return object->checked && object->verdict == VTREE_STORE_GOOD && !object->repaired;
}

/* Reports what could not be sealed, and collects what has to be written again. */
static GPtrArray *
collect_unsigned (VtreeFsck *fsck)
{
  GPtrArray *wanted = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const VtreeFsckObject *object = value;
    char text[VTREE_DIGEST_TEXT_MAX];
    if (is_good (object) && object->sealing == VTREE_STORE_SEALED_UNSIGNED)
      g_ptr_array_add (wanted, value);
    else if (is_good (object) && object->unsealed != NULL)
      report_unsealed (fsck, NULL, vtree_digest_format (&object->digest, text),
                       object->unsealed);
  }
  return wanted;
}

static bool
finish_objects (VtreeFsck *fsck, GError **error)
{
  g_autoptr (GPtrArray) wanted = collect_unsigned (fsck);
  return wanted->len == 0 || sign_objects (fsck, wanted, error);
}

/* --- the repository's own files --------------------------------------------------- */

/* True if FAILED (taken) is about this file alone: it is reported, and the rest goes
 * on. */
static bool
judge (VtreeFsck *fsck, const char *ref, GError *failed, GError **error)
{
  bool of_file = failed->domain == VTREE_ERROR || vtree_seal_is_inability (failed)
                 || failed->code == EIO || failed->code == ENOKEY
                 || failed->code == EKEYREJECTED || failed->code == EBADMSG;
  if (!of_file) {
    g_propagate_error (error, failed);
    return false;
  }
  report_unsealed (fsck, ref, NULL, failed->message);
  g_error_free (failed);
  return true;
}

static bool
seal_config (VtreeFsck *fsck, GError **error)
{
  VtreeSeal seal = seal_of (fsck);
  GError *failed = NULL;
  bool done;
  if (!vtree_repo_seal_config (fsck->repo, &seal, &done, &failed))
    return judge (fsck, NULL, failed, error);
  fsck->result->sealed_files += done;
  return true;
}

static bool
seal_file (VtreeFsck *fsck, int dirfd, const char *label, const char *name,
           GError **error)
{
  VtreeSeal seal = seal_of (fsck);
  GError *failed = NULL;
  bool done;
  if (!vtree_publish_again (dirfd, name, VTREE_SIGNATURE_FILE_MAX, &seal, &done,
                            &failed))
    return judge (fsck, label, failed, error);
  fsck->result->sealed_files += done;
  return true;
}

static bool
seal_version (VtreeFsck *fsck, int dirfd, const char *ref, uint64_t version,
              GError **error)
{
  g_autofree char *label = g_strdup_printf ("%s@%" G_GUINT64_FORMAT, ref, version);
  g_autofree char *root = g_strdup_printf ("%" G_GUINT64_FORMAT ".root", version);
  g_autofree char *sig = g_strdup_printf ("%" G_GUINT64_FORMAT ".sig", version);
  return seal_file (fsck, dirfd, label, root, error)
         && seal_file (fsck, dirfd, label, sig, error);
}

/* The lock keeps `vtree sign` from replacing what is just being replaced. */
static bool
seal_ref (VtreeFsck *fsck, const char *ref, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  g_autoptr (GArray) versions = NULL;
  if (!vtree_refs_lock (fsck->repo, ref, fsck->options->wait, &fd, error))
    return false;
  versions = vtree_refs_versions (fsck->repo, ref, error);
  for (guint i = 0; versions != NULL && i < versions->len; i++)
    if (!seal_version (fsck, fd, ref, g_array_index (versions, uint64_t, i), error))
      return false;
  return versions != NULL;
}

static bool
seal_refs (VtreeFsck *fsck, GError **error)
{
  const char *const *refs = vtree_fsck_ref_names (fsck, error);
  for (; refs != NULL && *refs != NULL; refs++)
    if (!seal_ref (fsck, *refs, error))
      return false;
  return refs != NULL;
}

/* --- Merkle files ----------------------------------------------------------------- */

static bool
count_sealed (VtreeFsck *fsck, const VtreeFsckObject *object, GError **error)
{
  bool removed;
  if (object->sealing == VTREE_STORE_SEALED_NOW)
    fsck->result->sealed++;
  else if (object->sealing == VTREE_STORE_SEALED_BEFORE)
    fsck->result->sealed_before++;
  else
    return true;
  return vtree_store_remove_merkle (fsck->store, &object->digest, &removed, error);
}

/* What the kernel enforces for good has no use for them. */
static bool
finish_merkle_files (VtreeFsck *fsck, GError **error)
{
  GHashTableIter iter;
  gpointer value;
  if (syncfs (vtree_repo_dirfd (fsck->repo)) < 0)
    return vtree_error_set_errno (error, errno, "sync");
  g_hash_table_iter_init (&iter, fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (is_good (value) && !count_sealed (fsck, value, error))
      return false;
  return true;
}

bool
vtree_fsck_seal_rest (VtreeFsck *fsck, GError **error)
{
  return finish_objects (fsck, error) && seal_config (fsck, error)
         && seal_refs (fsck, error) && finish_merkle_files (fsck, error);
}
