/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the sequence of sealing a file. The bytes of a seal are seal.c's, their place
 * file-seal-store.c's. One descriptor serves from the first look to the last sync.
 */
#include "manifest/file-seal-make.h"

#include "core/builtin.h"
#include "core/filesystem.h"
#include "core/kernel-signature.h"
#include "core/kernel.h"
#include "core/seal.h"
#include "core/writer.h"
#include "manifest/file-seal-log.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One seal in the making. */
typedef struct {
  const VtreeFileSealOptions *options;
  VtreeFileSealTarget target;
  VtreeFileSealResult *result;
  mode_t mode; /* permission bits, as they were and shall be again */
  bool lent;   /* the owner's right to write is lent to it */
} Making;

void
vtree_file_seal_result_clear (VtreeFileSealResult *result)
{
  g_clear_pointer (&result->seal, vtree_file_seal_free);
  g_clear_pointer (&result->not_enforced, g_free);
}

/* --- what can be sealed ----------------------------------------------------------- */

static bool
check_kind (const Making *making, VtreeFileSealTargetKind kind, GError **error)
{
  if (kind == VTREE_FILE_SEAL_TARGET_OPEN)
    return true;
  if (kind == VTREE_FILE_SEAL_TARGET_MISSING)
    return vtree_error_set (error, VTREE_ERROR_MISSING, "there is no such file");
  g_autofree char *what = vtree_file_seal_target_describe (&making->target);
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "it is %s; only a regular file has a seal", what);
}

static bool
check_file (const Making *making, GError **error)
{
  if (making->target.stat.st_mode & (S_ISUID | S_ISGID))
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "it has a set-id bit, and a seal vouches for no owner; "
                            "commit it as a tree");
  if (g_str_has_suffix (making->target.base, VTREE_FILE_SEAL_SUFFIX))
    return vtree_error_set (
      error, VTREE_ERROR_INVALID,
      "it is called as a detached seal is (" VTREE_FILE_SEAL_SUFFIX
      "); seal the file that it is for");
  return true;
}

/* --- the right to write ----------------------------------------------------------- */

/* Verity and the xattr need write permission on the inode. The owner of a file that is
 * read-only lends it to himself for that long. */
static bool
lend_write (Making *making, GError **error)
{
  const struct stat *st = &making->target.stat;
  making->mode = st->st_mode & 07777;
  if (geteuid () == 0 || st->st_uid != geteuid () || (st->st_mode & S_IWUSR))
    return true;
  if (fchmod (making->target.fd, making->mode | S_IWUSR) < 0)
    return vtree_error_set_errno (error, errno, "make it writable for a moment");
  making->lent = true;
  return true;
}

static bool
take_write_back (Making *making, GError **error)
{
  if (!making->lent)
    return true;
  making->lent = false;
  return (fchmod (making->target.fd, making->mode) == 0
          && fsync (making->target.fd) == 0)
         || vtree_error_set_errno (error, errno, "give it back its mode %04o",
                                   making->mode);
}

/* --- verity ----------------------------------------------------------------------- */

static bool
means_no_verity (int errnum)
{
  return errnum == ENOTTY || errnum == EOPNOTSUPP || errnum == EINVAL;
}

static bool
set_busy (const Making *making, GError **error)
{
  g_autofree char *who = vtree_writer_find (&making->target.stat);
  return vtree_error_set (error, VTREE_ERROR_BUSY,
                          "it is open for writing by %s; close it there and try again",
                          who != NULL ? who : "another user's process");
}

/* It can't be enforced: that is said, or, with a built-in signature, an error. */
static bool
set_not_enforced (Making *making, char *why, GError **error)
{
  g_autofree char *cause = why;
  if (making->options->object_signer != NULL)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "it is to have a built-in signature, but %s", cause);
  making->result->not_enforced = g_steal_pointer (&cause);
  return true;
}

static bool
set_forbidden (const Making *making, GError **error)
{
  if (making->options->object_signer == NULL && vtree_kernel_requires_signatures ())
    return vtree_error_set (error, VTREE_ERROR_FAILED,
                            "this kernel takes only files with a built-in signature "
                            "(fs.verity.require_signatures=1); --object-key and "
                            "--object-cert make one");
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "the kernel forbids it: the file is immutable or append-only "
                          "(see lsattr)");
}

/* Says why verity could not be enabled, unless this filesystem just has none. */
static bool
judge_refusal (Making *making, GError *refusal, GError **error)
{
  g_autoptr (GError) cause = refusal;
  g_autofree char *name = vtree_filesystem_name (making->target.fd);
  int errnum = cause->domain == VTREE_ERRNO_ERROR ? cause->code : 0;
  if (means_no_verity (errnum))
    return set_not_enforced (making, g_strdup_printf ("this %s has no fs-verity", name),
                             error);
  if (errnum == ETXTBSY)
    return set_busy (making, error);
  if (errnum == EACCES)
    return vtree_error_set (error, VTREE_ERROR_FAILED, "you may not write to it");
  if (errnum == EPERM)
    return set_forbidden (making, error);
  g_propagate_error (error, g_steal_pointer (&cause));
  return false;
}

/* A signature can't be added to a file that has verity. */
static bool
check_signature (const Making *making, GError **error)
{
  bool lacks;
  if (making->options->object_signer == NULL)
    return true;
  if (!vtree_seal_lacks_signature (making->target.fd, &lacks, error))
    return false;
  return !lacks
         || vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                             "it has fs-verity already, and no built-in signature that "
                             "can be seen; run `vtree unseal` on it first");
}

/* It has verity already: with our block size and without a salt, or its digest would
 * not be what anybody else computes. */
static bool
check_parameters (const Making *making, const VtreeDigest *measured, GError **error)
{
  VtreeDigest computed;
  if (!vtree_file_seal_store_compute (&making->target, measured->alg,
                                      &making->options->progress, &computed, error))
    return false;
  return vtree_digest_equal (measured, &computed)
         || vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                             "it has fs-verity already, with a salt or other blocks "
                             "than 4096 bytes; run `vtree unseal` on it first");
}

/* ext4 takes the enabling for a modification: the time is put back (who is not the
 * owner can't, and then it stays so). */
static void
put_time_back (int fd, const struct stat *before)
{
  const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, before->st_mtim };
  futimens (fd, times);
}

/* Where a writer had to be waited for the time stays: that may have been one. */
static bool
enable_keeping_time (int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0 || !vtree_kernel_enable (fd, VTREE_DIGEST_SHA256, NULL))
    return vtree_seal_enable (fd, VTREE_DIGEST_SHA256, error);
  put_time_back (fd, &st);
  return true;
}

/* With a built-in signature, which is over the digest: it is computed before the kernel
 * does it again. */
static bool
enable_signed (const Making *making, GError **error)
{
  const int fd = making->target.fd;
  VtreeDigest digest;
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  if (!vtree_builtin_check (error)
      || !vtree_file_seal_store_compute (&making->target, VTREE_DIGEST_SHA256,
                                         &making->options->progress, &digest, error)
      || !vtree_seal_file (fd, &digest, making->options->object_signer, error))
    return false;
  put_time_back (fd, &st);
  return true;
}

/* Enables verity and measures, or says in the result why not. */
static bool
enable_verity (Making *making, GError **error)
{
  VtreeFileSealResult *result = making->result;
  VtreeDigest *digest = &result->seal->digest;
  const int fd = making->target.fd;
  bool enforces;
  if (!vtree_kernel_measure (fd, &result->enforced, digest, error))
    return false;
  if (result->enforced)
    return check_signature (making, error) && check_parameters (making, digest, error);
  if (!vtree_filesystem_enforces_verity (fd, &enforces, error))
    return false;
  GError *refusal = NULL;
  g_autofree char *name = vtree_filesystem_name (fd);
  if (!enforces)
    return set_not_enforced (making, g_strdup_printf ("%s has no fs-verity", name),
                             error);
  bool enabled = making->options->object_signer != NULL
                   ? enable_signed (making, &refusal)
                   : enable_keeping_time (fd, &refusal);
  return enabled || judge_refusal (making, refusal, error);
}

/* Fills in what the seal says of the file. */
static bool
take_facts (Making *making, GError **error)
{
  VtreeFileSealResult *result = making->result;
  VtreeFileSealTarget *target = &making->target;
  if (!lend_write (making, error) || !enable_verity (making, error)
      || (!result->enforced
          && !vtree_file_seal_store_measure (
            target, VTREE_DIGEST_SHA256, &making->options->progress, &result->enforced,
            &result->seal->digest, error)))
    return false;
  if (fstat (target->fd, &target->stat) < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  result->seal->size = (uint64_t) target->stat.st_size;
  result->seal->mode = making->mode & VTREE_FILE_SEAL_MODE_MASK;
  result->names = (unsigned) target->stat.st_nlink;
  return true;
}

/* --- statement and signatures ----------------------------------------------------- */

/* The version after everything that was ever accepted or signed under NAME, as far as
 * is known here; never older in time either. */
static bool
choose_version (const VtreePaths *paths, const VtreeFileSeal *old, VtreeFileSeal *seal,
                GError **error)
{
  g_autofree char *ref = vtree_file_seal_mark_ref (seal->name);
  VtreeMark mark = { .version = 0 };
  bool found;
  if (!vtree_mark_load (paths, ref, &found, &mark, error))
    return false;
  uint64_t newest = MAX (found ? mark.version : 0, old != NULL ? old->version : 0);
  if (newest == UINT64_MAX)
    return vtree_error_set (error, VTREE_ERROR_LIMIT,
                            "its last seal has the largest version there is; give it "
                            "another name with --as");
  seal->version = newest + 1;
  seal->created
    = CLAMP ((int64_t) time (NULL), found ? mark.created : 0, VTREE_TIME_MAX);
  return true;
}

static bool
choose_name (const Making *making, char **name, GError **error)
{
  if (making->options->name != NULL)
    *name = g_strdup (making->options->name);
  else if (!vtree_file_seal_log_find (making->options->paths, making->target.place,
                                      name, error))
    return false;
  if (*name == NULL)
    *name = g_strdup (making->target.place);
  size_t length = strlen (*name);
  return (length > 0 && length <= VTREE_FILE_SEAL_NAME_MAX)
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "a name has 1 to %d bytes, this one %zu",
                             VTREE_FILE_SEAL_NAME_MAX, length);
}

/* Signs STATEMENT; whether a check here will accept that goes into the result. */
static VtreeSignatures *
sign (const Making *making, GBytes *statement, GError **error)
{
  const VtreeFileSealOptions *options = making->options;
  g_autoptr (GBytes) message = vtree_file_seal_signed_bytes (statement);
  const VtreeSigningRequest request = { .message = message,
                                        .ref = VTREE_FILE_SEAL_REF,
                                        .version = making->result->seal->version };
  g_autoptr (VtreeSignatures) signatures
    = vtree_signers_sign (options->signers, &request, error);
  const VtreeTrustKey *key;
  if (signatures == NULL)
    return NULL;
  making->result->trusted = vtree_trust_verify (
    options->trust, VTREE_FILE_SEAL_REF, g_bytes_get_data (message, NULL),
    g_bytes_get_size (message), signatures, &key, NULL);
  return g_steal_pointer (&signatures);
}

/* Under the log's lock, which FD has: version, signature, seal, mark, log. */
static bool
sign_and_store (Making *making, int fd, GError **error)
{
  const VtreeFileSealOptions *options = making->options;
  VtreeFileSeal *seal = making->result->seal;
  g_autoptr (VtreeFileSeal) old
    = vtree_file_seal_store_load_good (&making->target, options->trust, seal->name);
  if (!choose_version (options->paths, old, seal, error))
    return false;
  g_autoptr (GBytes) statement = vtree_file_seal_serialize (seal);
  g_autoptr (VtreeSignatures) signatures = sign (making, statement, error);
  if (signatures == NULL)
    return false;
  g_autoptr (GBytes) whole = vtree_file_seal_join (statement, signatures);
  g_autofree char *ref = vtree_file_seal_mark_ref (seal->name);
  VtreeMark mark;
  return vtree_file_seal_store_save (&making->target, whole, options->detached,
                                     &making->result->where, error)
         && vtree_file_seal_to_mark (seal, statement, &mark, error)
         && vtree_mark_raise (options->paths, ref, &mark, error)
         && vtree_file_seal_log_put (fd, making->target.place, seal->name, error);
}

static bool
open_file (Making *making, const char *file, GError **error)
{
  VtreeFileSealTargetKind kind;
  return vtree_file_seal_target_open (making->options->paths, file, &making->target,
                                      &kind, error)
         && check_kind (making, kind, error) && check_file (making, error)
         && choose_name (making, &making->result->seal->name, error);
}

/* The log is opened before anything is changed, and locked when it is needed: enabling
 * verity on a large file takes its time. */
static bool
make (Making *making, const char *file, GError **error)
{
  const VtreeFileSealOptions *options = making->options;
  if (!open_file (making, file, error))
    return false;
  g_auto (VtreeFd) log = vtree_file_seal_log_open (options->paths, error);
  return log >= 0 && take_facts (making, error)
         && vtree_file_seal_log_lock (options->paths, log, options->wait, error)
         && sign_and_store (making, log, error);
}

bool
vtree_file_seal_make (const VtreeFileSealOptions *options, const char *file,
                      VtreeFileSealResult *result, GError **error)
{
  g_auto (VtreeFileSealResult) made = { .seal = g_new0 (VtreeFileSeal, 1) };
  Making making
    = { .options = options, .target = VTREE_FILE_SEAL_TARGET_INIT, .result = &made };
  bool ok = make (&making, file, error);
  ok = take_write_back (&making, ok ? error : NULL) && ok;
  vtree_file_seal_target_clear (&making.target);
  if (!ok) {
    g_autofree char *shown = vtree_error_escape (file, -1);
    g_prefix_error (error, "%s: ", shown);
    return false;
  }
  *result = made;
  made = (VtreeFileSealResult){ .seal = NULL };
  return true;
}
