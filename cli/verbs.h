/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of verbs, and the function of each. */
#pragma once

#include "cli/command.h"

/* How many there are. */
size_t vtree_verbs_count (void);

/* Verb INDEX < count, in the order of the help; static. */
const VtreeVerb *vtree_verbs_peek (size_t index);

/* The verb that WORDS (NULL-terminated, at least one) begin with, *USED the number of
 * words in its name; NULL where there is none. */
const VtreeVerb *vtree_verbs_find (char **words, unsigned *used);

/* Each as VtreeVerb.run; named as the verb. */
bool vtree_verb_cat (VtreeCli *cli, GError **error);
bool vtree_verb_check (VtreeCli *cli, GError **error);
bool vtree_verb_checkout (VtreeCli *cli, GError **error);
bool vtree_verb_commit (VtreeCli *cli, GError **error);
bool vtree_verb_complete (VtreeCli *cli, GError **error);
bool vtree_verb_config (VtreeCli *cli, GError **error);
bool vtree_verb_delta_apply (VtreeCli *cli, GError **error);
bool vtree_verb_delta_create (VtreeCli *cli, GError **error);
bool vtree_verb_deploy (VtreeCli *cli, GError **error);
bool vtree_verb_diff (VtreeCli *cli, GError **error);
bool vtree_verb_digest (VtreeCli *cli, GError **error);
bool vtree_verb_flatpak_list (VtreeCli *cli, GError **error);
bool vtree_verb_flatpak_seal (VtreeCli *cli, GError **error);
bool vtree_verb_flatpak_unseal (VtreeCli *cli, GError **error);
bool vtree_verb_fsck (VtreeCli *cli, GError **error);
bool vtree_verb_gc (VtreeCli *cli, GError **error);
bool vtree_verb_help (VtreeCli *cli, GError **error);
bool vtree_verb_init (VtreeCli *cli, GError **error);
bool vtree_verb_key_distrust (VtreeCli *cli, GError **error);
bool vtree_verb_key_export (VtreeCli *cli, GError **error);
bool vtree_verb_key_generate (VtreeCli *cli, GError **error);
bool vtree_verb_key_list (VtreeCli *cli, GError **error);
bool vtree_verb_key_revoke (VtreeCli *cli, GError **error);
bool vtree_verb_key_show (VtreeCli *cli, GError **error);
bool vtree_verb_key_trust (VtreeCli *cli, GError **error);
bool vtree_verb_list (VtreeCli *cli, GError **error);
bool vtree_verb_log (VtreeCli *cli, GError **error);
bool vtree_verb_ls (VtreeCli *cli, GError **error);
bool vtree_verb_mark_reset (VtreeCli *cli, GError **error);
bool vtree_verb_mark_show (VtreeCli *cli, GError **error);
bool vtree_verb_measure (VtreeCli *cli, GError **error);
bool vtree_verb_mount (VtreeCli *cli, GError **error);
bool vtree_verb_pin (VtreeCli *cli, GError **error);
bool vtree_verb_pull (VtreeCli *cli, GError **error);
bool vtree_verb_refs (VtreeCli *cli, GError **error);
bool vtree_verb_repack (VtreeCli *cli, GError **error);
bool vtree_verb_rollback (VtreeCli *cli, GError **error);
bool vtree_verb_run (VtreeCli *cli, GError **error);
bool vtree_verb_override (VtreeCli *cli, GError **error);
bool vtree_verb_seal (VtreeCli *cli, GError **error);
bool vtree_verb_show (VtreeCli *cli, GError **error);
bool vtree_verb_sign (VtreeCli *cli, GError **error);
bool vtree_verb_stat (VtreeCli *cli, GError **error);
bool vtree_verb_status (VtreeCli *cli, GError **error);
bool vtree_verb_umount (VtreeCli *cli, GError **error);
bool vtree_verb_undeploy (VtreeCli *cli, GError **error);
bool vtree_verb_unpin (VtreeCli *cli, GError **error);
bool vtree_verb_unseal (VtreeCli *cli, GError **error);
bool vtree_verb_upper_diff (VtreeCli *cli, GError **error);
bool vtree_verb_upper_reset (VtreeCli *cli, GError **error);
bool vtree_verb_upgrade (VtreeCli *cli, GError **error);
bool vtree_verb_verify (VtreeCli *cli, GError **error);
