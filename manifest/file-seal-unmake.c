/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the sequence of unsealing: the file first, then mark and log, so that doing it
 * again completes what was cut short.
 */
#include "core/error.h"
#include "manifest/file-seal-copy.h"
#include "manifest/file-seal-log.h"
#include "manifest/file-seal-make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  const VtreePaths *paths;
  const VtreeTrust *trust;
  VtreeFileSealTarget target;
  VtreeFileSealTargetKind kind;
  VtreeUnsealResult *result;
  char *name;      /* its mark's */
  bool logged;     /* it is in the log */
  uint64_t newest; /* version of a good seal of that name, or 0 */
} Unmaking;

static bool
has_verity (int fd, bool *verity, GError **error)
{
  struct statx stx;
  if (statx (fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
    return vtree_error_set_errno (error, errno, "look at it");
  *verity = (stx.stx_attributes & STATX_ATTR_VERITY) != 0;
  return true;
}

static bool
find_name (Unmaking *unmaking, GError **error)
{
  if (!vtree_file_seal_log_find (unmaking->paths, unmaking->target.place,
                                 &unmaking->name, error))
    return false;
  unmaking->logged = unmaking->name != NULL;
  if (!unmaking->logged)
    unmaking->name = g_strdup (unmaking->target.place);
  return true;
}

/* Takes the seal away from a file that stays: the xattr needs the right to write. */
static bool
remove_seal (const VtreeFileSealTarget *target, GError **error)
{
  mode_t mode = target->stat.st_mode & 07777;
  bool lend = target->stat.st_uid == geteuid () && (mode & S_IWUSR) == 0;
  if (lend && fchmod (target->fd, mode | S_IWUSR) < 0)
    return vtree_error_set_errno (error, errno, "make it writable for a moment");
  bool ok = vtree_file_seal_store_remove (target, false, error);
  if (lend && fchmod (target->fd, mode) < 0 && ok)
    return vtree_error_set_errno (error, errno, "give it back its mode %04o", mode);
  if (ok && fsync (target->fd) < 0)
    return vtree_error_set_errno (error, errno, "sync it");
  return ok;
}

/* A file with verity makes way for a copy; another one only loses its seal. */
static bool
work_on_file (Unmaking *unmaking, GError **error)
{
  const VtreeFileSealTarget *target = &unmaking->target;
  g_autoptr (GBytes) whole = NULL;
  VtreeFileSealWhere where;
  if (!has_verity (target->fd, &unmaking->result->copied, error)
      || !vtree_file_seal_store_load (target, &where, &whole, error))
    return false;
  if (!unmaking->result->copied && whole == NULL)
    return unmaking->logged
           || vtree_error_set (error, VTREE_ERROR_MISSING, "it is not sealed");
  g_autoptr (VtreeFileSeal) seal
    = vtree_file_seal_store_load_good (target, unmaking->trust, unmaking->name);
  unmaking->newest = seal != NULL ? seal->version : 0;
  unmaking->result->names = (unsigned) target->stat.st_nlink;
  if (!unmaking->result->copied)
    return remove_seal (target, error);
  return vtree_file_seal_copy_replace (target, error)
         && vtree_file_seal_store_remove (target, true, error);
}

/* Takes up a version that no seal has: what was sealed before is older from now on. */
static bool
burn_version (const Unmaking *unmaking, GError **error)
{
  g_autofree char *ref = vtree_file_seal_mark_ref (unmaking->name);
  VtreeMark mark = { .version = 0 };
  bool found;
  if (!vtree_mark_load (unmaking->paths, ref, &found, &mark, error))
    return false;
  uint64_t newest = MAX (mark.version, unmaking->newest);
  if (newest == 0 || newest == UINT64_MAX)
    return true;
  vtree_file_seal_burn_mark (&mark, newest + 1);
  return vtree_mark_raise (unmaking->paths, ref, &mark, error);
}

/* Under the log's lock. */
static bool
unmake (Unmaking *unmaking, int log, GError **error)
{
  bool found;
  unmaking->result->gone = unmaking->kind != VTREE_FILE_SEAL_TARGET_OPEN;
  if (!find_name (unmaking, error))
    return false;
  if (unmaking->result->gone && !unmaking->logged)
    return vtree_error_set (error, VTREE_ERROR_MISSING,
                            "there is no such file, and none was sealed there");
  return (unmaking->result->gone || work_on_file (unmaking, error))
         && burn_version (unmaking, error)
         && vtree_file_seal_log_remove (log, unmaking->target.place, &found, error);
}

bool
vtree_file_seal_unmake (const VtreePaths *paths, const VtreeTrust *trust,
                        const char *file, int wait, VtreeUnsealResult *result,
                        GError **error)
{
  VtreeUnsealResult done = { .names = 0 };
  Unmaking unmaking = { .paths = paths,
                        .trust = trust,
                        .target = VTREE_FILE_SEAL_TARGET_INIT,
                        .result = &done };
  g_auto (VtreeFd) log = vtree_file_seal_log_open (paths, error);
  bool ok = log >= 0 && vtree_file_seal_log_lock (paths, log, wait, error)
            && vtree_file_seal_target_open (paths, file, &unmaking.target,
                                            &unmaking.kind, error)
            && unmake (&unmaking, log, error);
  vtree_file_seal_target_clear (&unmaking.target);
  g_free (unmaking.name);
  if (ok)
    *result = done;
  else {
    g_autofree char *shown = vtree_error_escape (file, -1);
    g_prefix_error (error, "%s: ", shown);
  }
  return ok;
}
