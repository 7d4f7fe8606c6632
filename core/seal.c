/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order sign, enable, measure, compare, and what is said where a filesystem
 * has no verity. Opens nothing but a scratch file.
 */
#include "core/seal.h"

#include "core/builtin.h"
#include "core/kernel-signature.h"
#include "core/scratch.h"
#include "core/verity.h"
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* How long somebody else's writable descriptor, or enabling of the same file, is waited
 * for: a process between fork and exec has ours. */
#define WAIT_STEP 10000 /* microseconds */
#define WAIT_STEPS 200

/* --- sealing ---------------------------------------------------------------------- */

static bool
enable_once (int fd, VtreeDigestAlg alg, GBytes *signature, GError **error)
{
  return signature != NULL ? vtree_kernel_enable_signed (fd, alg, signature, error)
                           : vtree_kernel_enable (fd, alg, error);
}

static bool
is_busy (const GError *error)
{
  return g_error_matches (error, VTREE_ERRNO_ERROR, ETXTBSY)
         || g_error_matches (error, VTREE_ERRNO_ERROR, EBUSY);
}

static bool
enable (int fd, VtreeDigestAlg alg, GBytes *signature, GError **error)
{
  for (unsigned step = 0;; step++) {
    g_autoptr (GError) failed = NULL;
    if (enable_once (fd, alg, signature, &failed))
      return true;
    if (step < WAIT_STEPS && is_busy (failed)) {
      g_usleep (WAIT_STEP);
      continue;
    }
    vtree_builtin_explain (&failed);
    g_propagate_error (error, g_steal_pointer (&failed));
    return false;
  }
}

bool
vtree_seal_enable (int fd, VtreeDigestAlg alg, GError **error)
{
  return enable (fd, alg, NULL, error);
}

static bool
check_measured (int fd, const VtreeDigest *digest, GError **error)
{
  bool enforced;
  VtreeDigest found;
  char text[VTREE_DIGEST_TEXT_MAX];
  if (!vtree_kernel_measure (fd, &enforced, &found, error))
    return false;
  if (!enforced)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "verity was enabled, but the kernel does not enforce it");
  if (!vtree_digest_equal (&found, digest))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT, "the kernel measured %s",
                            vtree_digest_format (&found, text));
  return true;
}

bool
vtree_seal_file (int fd, const VtreeDigest *digest, const VtreeObjectSigner *signer,
                 GError **error)
{
  g_autoptr (GBytes) signature = NULL;
  if (signer != NULL) {
    signature = vtree_object_signer_sign (signer, digest, error);
    if (signature == NULL)
      return false;
  }
  return enable (fd, digest->alg, signature, error)
         && check_measured (fd, digest, error);
}

static bool
set_mode (int fd, mode_t mode, GError **error)
{
  return fchmod (fd, mode) == 0 || vtree_error_set_errno (error, errno, "set the mode");
}

bool
vtree_seal_in_place (int fd, mode_t mode, const VtreeDigest *digest,
                     const VtreeObjectSigner *signer, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return vtree_error_set_errno (error, errno, "fstat");
  if (!(st.st_mode & S_IWUSR) && !set_mode (fd, mode | S_IWUSR, error))
    return false;
  bool sealed = vtree_seal_file (fd, digest, signer, error);
  return set_mode (fd, mode, sealed ? error : NULL) && sealed;
}

bool
vtree_seal_is_inability (const GError *error)
{
  static const int errnos[]
    = { ENOTTY, EOPNOTSUPP, EINVAL, EPERM, EACCES, EROFS, ETXTBSY, EBUSY };
  for (size_t i = 0; i < G_N_ELEMENTS (errnos); i++) {
    if (g_error_matches (error, VTREE_ERRNO_ERROR, errnos[i]))
      return true;
  }
  return g_error_matches (error, VTREE_ERROR, VTREE_ERROR_UNSUPPORTED);
}

bool
vtree_seal_lacks_signature (int fd, bool *lacks, GError **error)
{
  g_autoptr (GBytes) signature = NULL;
  bool known;
  if (!vtree_kernel_signature (fd, &known, &signature, error))
    return false;
  *lacks = known ? signature == NULL : !vtree_kernel_requires_signatures ();
  return true;
}

/* --- probing ---------------------------------------------------------------------- */

static bool
is_unsupported (const GError *error)
{
  return g_error_matches (error, VTREE_ERRNO_ERROR, ENOTTY)
         || g_error_matches (error, VTREE_ERRNO_ERROR, EOPNOTSUPP)
         || g_error_matches (error, VTREE_ERRNO_ERROR, EINVAL);
}

static bool
seal_scratch (int dirfd, VtreeDigestAlg alg, const VtreeObjectSigner *signer,
              bool *supported, GError **error)
{
  g_auto (VtreeScratch) scratch = VTREE_SCRATCH_INIT;
  g_autoptr (GError) failed = NULL;
  VtreeDigest digest;
  VtreeVerityParams params
    = { .alg = alg, .size = VTREE_SCRATCH_SIZE, .merkle_fd = -1 };
  if (!vtree_verity_compute_data (&params, VTREE_SCRATCH_CONTENTS, &digest, error)
      || !vtree_scratch_make (&scratch, dirfd, error))
    return false;
  *supported = vtree_seal_file (scratch.fd, &digest, signer, &failed);
  if (*supported || is_unsupported (failed))
    return true;
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

bool
vtree_seal_probe (int dirfd, VtreeDigestAlg alg, const VtreeObjectSigner *signer,
                  bool *supported, GError **error)
{
  bool enforces;
  if (signer == NULL)
    return vtree_kernel_probe (dirfd, alg, supported, error);
  if (!vtree_builtin_check (error)
      || !vtree_filesystem_enforces_verity (dirfd, &enforces, error))
    return false;
  *supported = false;
  if (!enforces || seal_scratch (dirfd, alg, signer, supported, error))
    return true;
  g_prefix_error (error, "probe for fs-verity: ");
  return false;
}

/* What the scratch file's refusal says of the filesystem. */
static char *
explain (int dirfd, VtreeDigestAlg alg, const GError *refusal)
{
  struct statvfs fs;
  g_autofree char *name = vtree_filesystem_name (dirfd);
  switch (refusal->code) {
  case EPERM:
    return g_strdup ("this kernel takes only signed files "
                     "(fs.verity.require_signatures=1); --object-key and "
                     "--object-cert sign them");
  case EINVAL:
    if (fstatvfs (dirfd, &fs) == 0 && fs.f_bsize < VTREE_BLOCK_SIZE)
      return g_strdup_printf ("fs-verity with blocks of %d bytes is not for this %s "
                              "file system, which has blocks of %lu",
                              VTREE_BLOCK_SIZE, name, fs.f_bsize);
    return g_strdup_printf ("%s takes no fs-verity with blocks of %d bytes and %s here",
                            name, VTREE_BLOCK_SIZE, vtree_digest_alg_name (alg));
  case EOPNOTSUPP:
  case ENOTTY:
    return g_strdup_printf ("this %s file system has not the feature 'verity' "
                            "(tune2fs -O verity), or the kernel has none",
                            name);
  default:
    return g_strdup (refusal->message);
  }
}

char *
vtree_seal_why_not (int dirfd, VtreeDigestAlg alg)
{
  g_auto (VtreeScratch) scratch = VTREE_SCRATCH_INIT;
  g_autoptr (GError) failed = NULL;
  bool enforces = false;
  if (vtree_filesystem_enforces_verity (dirfd, &enforces, &failed) && !enforces) {
    g_autofree char *name = vtree_filesystem_name (dirfd);
    return g_strdup_printf ("this file system (%s) has no fs-verity", name);
  }
  if (failed != NULL || !vtree_scratch_make (&scratch, dirfd, &failed))
    return g_strdup (failed->message);
  if (!vtree_kernel_enable (scratch.fd, alg, &failed))
    return explain (dirfd, alg, failed);
  return g_strdup ("a file there could not be sealed a moment ago");
}

bool
vtree_seal_decide (int dirfd, const VtreeSeal *seal, const char *what, bool *supported,
                   GError **error)
{
  bool has_signer = seal->signer != NULL;
  *supported = false;
  if (seal->policy == VTREE_VERITY_OFF)
    return !has_signer
           || vtree_error_set (error, VTREE_ERROR_INVALID,
                               "%s are to be signed, and verity=off", what);
  if (!vtree_seal_probe (dirfd, seal->alg, seal->signer, supported, error))
    return false;
  if (*supported || (seal->policy != VTREE_VERITY_REQUIRE && !has_signer))
    return true;
  g_autofree char *why = vtree_seal_why_not (dirfd, seal->alg);
  g_autofree char *need = has_signer ? g_strdup_printf ("%s are to be signed", what)
                                     : g_strdup ("verity=require");
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED, "%s, but %s", need, why);
}
