/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns repair: a walk over a directory that may have the bytes (a repository is one),
 * candidates by their size, then by their digest. What is taken goes through an ingest,
 * which measures it once more on its way.
 */
#include "manifest/fsck-private.h"

#include "core/directory.h"
#include "core/ingest.h"
#include "core/verity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 256

typedef struct {
  VtreeFsck *fsck;
  VtreeIngest *ingest;
  GHashTable *sizes;   /* set of uint64_t *: sizes that are wanted */
  uint64_t wanted;     /* objects still to be found */
  uint64_t unreadable; /* files and directories that could not be looked at */
  GPtrArray *found;    /* VtreeFsckObject *, ingested */
} Repair;

static bool
is_wanted (const VtreeFsckObject *object)
{
  return vtree_fsck_is_bad (object) && !object->sought;
}

static bool
take (Repair *repair, int fd, VtreeFsckObject *object, GError **error)
{
  VtreeDigest digest;
  if (!vtree_ingest_fd (repair->ingest, fd, object->size, &digest, error))
    return false;
  if (!vtree_digest_equal (&digest, &object->digest))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "it changed while it was read");
  g_ptr_array_add (repair->found, object);
  object->repaired = true;
  repair->wanted--;
  return true;
}

/* Only errors of the repository count: a source that can't be read is passed over, and
 * counted. */
static bool
try_file (Repair *repair, int fd, uint64_t size, GError **error)
{
  VtreeVerityParams params = {
    .alg = vtree_repo_options (repair->fsck->repo)->digest,
    .size = size,
    .merkle_fd = -1,
  };
  VtreeDigest digest;
  if (!vtree_verity_compute_fd (&params, fd, &digest, NULL)) {
    repair->unreadable++;
    return true;
  }
  VtreeFsckObject *object = g_hash_table_lookup (repair->fsck->objects, &digest);
  if (object == NULL || !is_wanted (object) || object->size != size)
    return true;
  return take (repair, fd, object, error);
}

static bool walk_directory (Repair *repair, int fd, unsigned depth, GError **error);

static bool
walk_entry (Repair *repair, int dirfd, const char *name, unsigned depth, GError **error)
{
  struct stat st;
  g_auto (VtreeFd) fd = -1;
  if (fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return true; /* gone since */
  uint64_t size = (uint64_t) st.st_size;
  bool file = S_ISREG (st.st_mode) && g_hash_table_contains (repair->sizes, &size);
  if (!file && !S_ISDIR (st.st_mode))
    return true;
  fd = openat (dirfd, name,
               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
                 | (file ? 0 : O_DIRECTORY));
  if (fd < 0 || (!file && depth >= DEPTH_MAX)) {
    repair->unreadable++;
    return true;
  }
  return file ? try_file (repair, fd, size, error)
              : walk_directory (repair, fd, depth + 1, error);
}

static bool
walk_directory (Repair *repair, int fd, unsigned depth, GError **error)
{
  g_autoptr (GPtrArray) names = vtree_directory_list (fd, NULL);
  if (names == NULL) {
    repair->unreadable++;
    return true;
  }
  for (guint i = 0; i < names->len && repair->wanted > 0; i++) {
    if (!walk_entry (repair, fd, g_ptr_array_index (names, i), depth, error))
      return false;
  }
  return true;
}

/* An object whose Merkle file alone is bad is its own source. */
static bool
repair_merkle (Repair *repair, VtreeFsckObject *object, GError **error)
{
  g_auto (VtreeFd) fd = -1;
  if (!vtree_store_open_raw (repair->fsck->store, &object->digest, &fd, error))
    return false;
  return fd < 0 || take (repair, fd, object, error);
}

static bool
collect_wanted (Repair *repair, GError **error)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, repair->fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    VtreeFsckObject *object = value;
    if (!is_wanted (object))
      continue;
    repair->wanted++;
    g_hash_table_add (repair->sizes, g_memdup2 (&object->size, sizeof object->size));
    if (object->verdict == VTREE_STORE_BAD_MERKLE
        && !repair_merkle (repair, object, error))
      return false;
  }
  return true;
}

static bool
walk_source (Repair *repair, GError **error)
{
  const char *source = repair->fsck->options->repair_from;
  g_auto (VtreeFd) fd = open (source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    g_autofree char *escaped = vtree_error_escape (source, -1);
    return vtree_error_set_errno (error, errno, "repair from %s", escaped);
  }
  return walk_directory (repair, fd, 0, error);
}

/* Says in each that is left where it was looked for. */
static void
annotate (const Repair *repair)
{
  GHashTableIter iter;
  gpointer value;
  g_autofree char *source = vtree_error_escape (repair->fsck->options->repair_from, -1);
  g_hash_table_iter_init (&iter, repair->fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    VtreeFsckObject *object = value;
    if (!is_wanted (object))
      continue;
    object->sought = true;
    g_autofree char *old = object->message;
    object->message = g_strdup_printf ("%s; %s does not have it", old, source);
    if (repair->unreadable == 0)
      continue;
    g_autofree char *shorter = object->message;
    object->message
      = g_strdup_printf ("%s (%" G_GUINT64_FORMAT " files there could not be read)",
                         shorter, repair->unreadable);
  }
}

static void
report_repaired (const Repair *repair)
{
  for (guint i = 0; i < repair->found->len; i++) {
    const VtreeFsckObject *object = g_ptr_array_index (repair->found, i);
    char text[VTREE_DIGEST_TEXT_MAX];
    VtreeFsckProblem problem = {
      .kind = VTREE_FSCK_REPAIRED,
      .object = vtree_digest_format (&object->digest, text),
      .message = object->message,
    };
    vtree_fsck_report (repair->fsck, &problem);
  }
}

static bool
run (Repair *repair, GError **error)
{
  if (!collect_wanted (repair, error)
      || (repair->wanted > 0 && !walk_source (repair, error))
      || !vtree_ingest_seal (repair->ingest, error)
      || !vtree_ingest_sync (repair->ingest, error))
    return false;
  annotate (repair);
  report_repaired (repair);
  return true;
}

static bool
has_wanted (VtreeFsck *fsck)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, fsck->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    if (is_wanted (value))
      return true;
  }
  return false;
}

bool
vtree_fsck_repair (VtreeFsck *fsck, GError **error)
{
  if (fsck->options->repair_from == NULL || !has_wanted (fsck))
    return true;
  VtreeIngestOptions options = { .verity = vtree_repo_options (fsck->repo)->verity,
                                 .signer = fsck->options->signer,
                                 .reads_enforced = true };
  if (fsck->options->seal)
    options.verity = VTREE_VERITY_REQUIRE;
  g_autoptr (VtreeIngest) ingest = vtree_ingest_new (fsck->repo, &options, error);
  if (ingest == NULL)
    return false;
  g_autoptr (GHashTable) sizes
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GPtrArray) found = g_ptr_array_new ();
  Repair repair = { .fsck = fsck, .ingest = ingest, .sizes = sizes, .found = found };
  return run (&repair, error);
}
