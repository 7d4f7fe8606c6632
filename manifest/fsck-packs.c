/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the question whether packs are what their names say, to the last byte. What
 * their objects are is asked object by object, in fsck-objects.c: one that is damaged
 * here may be whole elsewhere, and then harms nothing.
 */
#include "core/object-fault.h"
#include "core/store.h"
#include "manifest/fsck-private.h"

static bool
report_pack (VtreeFsck *fsck, const VtreeDigest *name, const char *message)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  VtreeFsckProblem problem = { .kind = VTREE_FSCK_CORRUPT,
                               .object = vtree_digest_format (name, text),
                               .message = message };
  fsck->result->damaged_packs++;
  vtree_fsck_report (fsck, &problem);
  return true;
}

static bool
check_pack (VtreeFsck *fsck, const VtreeDigest *name, GError **error)
{
  g_autoptr (GError) failed = NULL;
  if (vtree_packs_check (vtree_store_packs (fsck->store), name, &failed)) {
    fsck->result->packs++;
    return true;
  }
  if (g_error_matches (failed, VTREE_ERROR, VTREE_ERROR_MISSING))
    return true; /* gone since it was listed */
  if (failed->domain == VTREE_ERROR || vtree_object_fault (failed))
    return report_pack (fsck, name, failed->message);
  g_propagate_error (error, g_steal_pointer (&failed));
  return false;
}

bool
vtree_fsck_packs (VtreeFsck *fsck, GError **error)
{
  if (fsck->options->refs != NULL)
    return true;
  g_autoptr (GArray) names = vtree_packs_list (vtree_store_packs (fsck->store), error);
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (!check_pack (fsck, &g_array_index (names, VtreeDigest, i), error))
      return false;
  return names != NULL;
}
