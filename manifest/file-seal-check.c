/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the verdict on a sealed file. Changes nothing but the mark.
 */
#include "manifest/file-seal-check.h"

#include "core/error.h"
#include "core/handoff.h"
#include "core/object-fault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>

typedef struct {
  const VtreeFileSealChecker *checker;
  VtreeFileSealTarget target;
  char *name; /* that the seal must have */
  VtreeFileSealAnswer *answer;
} Check;

static const struct {
  const char *name;
  VtreeExit code;
} verdicts[] = {
  [VTREE_FILE_SEAL_SEALED] = { "sealed", VTREE_EXIT_DONE },
  [VTREE_FILE_SEAL_FAILED] = { "failed", VTREE_EXIT_FAILED },
  [VTREE_FILE_SEAL_UNSEALED] = { "unsealed", VTREE_EXIT_MISSING },
  [VTREE_FILE_SEAL_MISSING] = { "missing", VTREE_EXIT_MISSING },
  [VTREE_FILE_SEAL_UNTRUSTED] = { "untrusted", VTREE_EXIT_UNTRUSTED },
  [VTREE_FILE_SEAL_OLDER] = { "older", VTREE_EXIT_ROLLBACK },
  [VTREE_FILE_SEAL_ALTERED] = { "altered", VTREE_EXIT_CORRUPT },
};

const char *
vtree_file_seal_verdict_name (VtreeFileSealVerdict verdict)
{
  return verdicts[verdict].name;
}

int
vtree_file_seal_verdict_exit (VtreeFileSealVerdict verdict)
{
  return (int) verdicts[verdict].code;
}

void
vtree_file_seal_answer_clear (VtreeFileSealAnswer *answer)
{
  g_clear_pointer (&answer->place, g_free);
  g_clear_pointer (&answer->reason, g_free);
  g_clear_pointer (&answer->seal, vtree_file_seal_free);
  g_clear_pointer (&answer->key_name, g_free);
}

/* --- the seal --------------------------------------------------------------------- */

static bool
verify_seal (Check *check, GBytes *whole, GBytes **statement, GError **error)
{
  VtreeFileSealAnswer *answer = check->answer;
  const VtreeTrustKey *key;
  answer->seal
    = vtree_file_seal_verify (whole, check->checker->trust, statement, &key, error);
  if (answer->seal == NULL)
    return false;
  answer->key = key->id;
  answer->key_name = g_strdup (key->name);
  return true;
}

static bool
check_name (const Check *check, GError **error)
{
  const char *name = check->answer->seal->name;
  if (strcmp (name, check->name) == 0)
    return true;
  g_autofree char *is = vtree_error_escape (name, -1);
  g_autofree char *should = vtree_error_escape (check->name, -1);
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "its seal is for another file, '%s', and this is '%s' (if "
                          "that is meant, give --as)",
                          is, should);
}

/* The log or a mark can't be read or written: that says nothing of the file. Always
 * false. */
static bool
blame_state (GError **error)
{
  (*error)->domain = VTREE_ERROR;
  (*error)->code = VTREE_ERROR_FAILED;
  return false;
}

/* The mark was lower a moment ago: what it refuses now it was raised by meanwhile. */
static bool
raise_mark (const Check *check, const VtreeMark *mark, const char *ref, GError **error)
{
  if (vtree_mark_raise (check->checker->paths, ref, mark, error))
    return true;
  return !g_error_matches (*error, VTREE_ERROR, VTREE_ERROR_ROLLBACK)
         && blame_state (error);
}

static bool
check_mark (const Check *check, const VtreeMark *mine, const char *ref, GError **error)
{
  VtreeMark mark;
  bool found;
  if (!vtree_mark_load (check->checker->paths, ref, &found, &mark, error))
    return blame_state (error);
  if (!found || mine->version > mark.version)
    return true;
  if (mine->version < mark.version)
    return vtree_error_set (error, VTREE_ERROR_ROLLBACK,
                            "its seal is version %" G_GUINT64_FORMAT
                            ", and %" G_GUINT64_FORMAT
                            " was accepted before; if this is the right one, run "
                            "`vtree seal` on it again",
                            mine->version, mark.version);
  return vtree_digest_equal (&mine->manifest, &mark.manifest)
         || vtree_error_set (error, VTREE_ERROR_ROLLBACK,
                             "another seal has been accepted as version "
                             "%" G_GUINT64_FORMAT,
                             mine->version);
}

/* --- the file --------------------------------------------------------------------- */

static bool
check_attributes (const Check *check, GError **error)
{
  const struct stat *st = &check->target.stat;
  const VtreeFileSeal *seal = check->answer->seal;
  if ((uint64_t) st->st_size != seal->size)
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "it has %ju bytes, and %" G_GUINT64_FORMAT " were sealed",
                            (uintmax_t) st->st_size, seal->size);
  return (st->st_mode & 07777) == seal->mode
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "its mode is %04o, and %04o was sealed",
                             st->st_mode & 07777, seal->mode);
}

static bool
check_contents (const Check *check, GError **error)
{
  const VtreeFileSeal *seal = check->answer->seal;
  VtreeDigest digest;
  if (!vtree_file_seal_store_measure (&check->target, seal->digest.alg,
                                      &check->checker->progress,
                                      &check->answer->enforced, &digest, error))
    return false;
  return vtree_digest_equal (&digest, &seal->digest)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "its contents are not what was sealed");
}

static bool
check_seal (Check *check, GBytes *whole, GError **error)
{
  g_autoptr (GBytes) statement = NULL;
  VtreeMark mark;
  if (!verify_seal (check, whole, &statement, error) || !check_name (check, error)
      || !vtree_file_seal_to_mark (check->answer->seal, statement, &mark, error))
    return false;
  g_autofree char *ref = vtree_file_seal_mark_ref (check->name);
  return check_mark (check, &mark, ref, error) && check_attributes (check, error)
         && check_contents (check, error) && raise_mark (check, &mark, ref, error);
}

/* --- the verdict ------------------------------------------------------------------ */

/* Takes REASON. */
static bool
set_verdict (VtreeFileSealAnswer *answer, VtreeFileSealVerdict verdict, char *reason)
{
  answer->verdict = verdict;
  answer->reason = reason;
  return true;
}

/* What the disk, or a spoilt fs-verity descriptor, makes of a file is no lack of a
 * right. */
static bool
is_damage (const GError *error)
{
  return error->domain == VTREE_ERRNO_ERROR && vtree_object_fault (error)
         && error->code != EACCES && error->code != EPERM;
}

static VtreeFileSealVerdict
judge_error (const GError *error)
{
  if (is_damage (error))
    return VTREE_FILE_SEAL_ALTERED;
  switch (vtree_exit_code (error)) {
  case VTREE_EXIT_CORRUPT:
    return VTREE_FILE_SEAL_ALTERED;
  case VTREE_EXIT_UNTRUSTED:
    return VTREE_FILE_SEAL_UNTRUSTED;
  case VTREE_EXIT_ROLLBACK:
    return VTREE_FILE_SEAL_OLDER;
  default:
    return VTREE_FILE_SEAL_FAILED;
  }
}

static bool
has_verity (int fd)
{
  struct statx stx;
  return statx (fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) == 0
         && (stx.stx_attributes & STATX_ATTR_VERITY) != 0;
}

/* The mark remembers a seal that was accepted, also for who has not made it, until the
 * file is unsealed. */
static bool
find_known (const Check *check, GError **error)
{
  g_autofree char *ref = vtree_file_seal_mark_ref (check->name);
  VtreeMark mark;
  bool found;
  if (!vtree_mark_load (check->checker->paths, ref, &found, &mark, error))
    return blame_state (error);
  check->answer->known = found && !vtree_file_seal_is_burnt (&mark);
  return true;
}

static char *
explain_known (const Check *check)
{
  g_autofree char *ref = vtree_file_seal_mark_ref (check->name);
  return g_strdup_printf (
    "it had a seal when it was checked before; if that is over, run "
    "`vtree mark reset %s`",
    ref);
}

static bool
set_unsealed (const Check *check)
{
  const VtreeFileSealAnswer *answer = check->answer;
  const char *reason = "it has no seal";
  if (has_verity (check->target.fd))
    reason = "it has fs-verity and no seal; run `vtree seal` on it again";
  else if (answer->logged)
    reason = "you sealed it, and it has no seal now: another file has taken its place";
  else if (answer->known)
    return set_verdict (check->answer, VTREE_FILE_SEAL_UNSEALED, explain_known (check));
  return set_verdict (check->answer, VTREE_FILE_SEAL_UNSEALED, g_strdup (reason));
}

static bool
set_absent (const Check *check, VtreeFileSealTargetKind kind)
{
  const char *gone = "there is no such file";
  if (check->answer->logged)
    gone = "you sealed it, and it is gone";
  if (kind == VTREE_FILE_SEAL_TARGET_MISSING)
    return set_verdict (check->answer, VTREE_FILE_SEAL_MISSING,
                        check->answer->known && !check->answer->logged
                          ? explain_known (check)
                          : g_strdup (gone));
  g_autofree char *what = vtree_file_seal_target_describe (&check->target);
  return set_verdict (check->answer, VTREE_FILE_SEAL_UNSEALED,
                      g_strdup_printf ("it is %s, which has no seal", what));
}

static bool
find_name (Check *check, GError **error)
{
  g_autofree char *logged = NULL;
  const char *wanted = check->checker->name;
  if (!vtree_file_seal_log_find (check->checker->paths, check->target.place, &logged,
                                 error))
    return blame_state (error);
  check->answer->logged = logged != NULL;
  if (wanted == NULL)
    wanted = logged != NULL ? logged : check->target.place;
  check->name = g_strdup (wanted);
  return true;
}

static bool
judge (Check *check, const char *file, GError **error)
{
  VtreeFileSealAnswer *answer = check->answer;
  VtreeFileSealTargetKind kind;
  g_autoptr (GBytes) whole = NULL;
  bool opened = vtree_file_seal_target_open (check->checker->paths, file,
                                             &check->target, &kind, error);
  answer->place = g_strdup (check->target.place);
  if (!opened || !find_name (check, error))
    return false;
  const bool is_open = kind == VTREE_FILE_SEAL_TARGET_OPEN;
  if (is_open
      && !vtree_file_seal_store_load (&check->target, &answer->where, &whole, error))
    return false;
  if (whole != NULL)
    return check_seal (check, whole, error);
  if (!find_known (check, error))
    return false;
  return is_open ? set_unsealed (check) : set_absent (check, kind);
}

void
vtree_file_seal_check (const VtreeFileSealChecker *checker, const char *file,
                       VtreeFileSealAnswer *answer)
{
  g_autoptr (GError) error = NULL;
  Check check
    = { .checker = checker, .target = VTREE_FILE_SEAL_TARGET_INIT, .answer = answer };
  *answer = (VtreeFileSealAnswer){ .verdict = VTREE_FILE_SEAL_SEALED };
  if (!judge (&check, file, &error))
    set_verdict (answer, judge_error (error), g_strdup (error->message));
  vtree_file_seal_target_clear (&check.target);
  g_free (check.name);
}
