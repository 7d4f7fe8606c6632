/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one table: what each verb is called and says of itself. The options stand with
 * the verb's function; vtree.1 says all of it again, and a test compares.
 */
#include "cli/verbs.h"

#include <string.h>

#define REPO VTREE_VERB_REPO
#define JSON VTREE_VERB_JSON
#define QUIET VTREE_VERB_QUIET
#define WAIT VTREE_VERB_WAIT

static const VtreeVerb verbs[] = {
  { "init", "", "Make a repository, and a signing key where you have none",
    "Prints the repository's path. If you have no private key yet, one named "
    "\"default\"\n"
    "is made and trusted for all refs; stderr says where.\n\n"
    "  vtree init --digest=sha512",
    0, 0, REPO | JSON | QUIET, vtree_verb_init },
  { "config", "[KEY [VALUE]]", "Show or change the repository's configuration",
    "Without KEY all keys are listed as KEY=VALUE. The configuration holds defaults "
    "for\n"
    "commits and gc; it never weakens what a mount checks.\n\n"
    "  vtree config keep 5",
    0, 2, REPO | JSON, vtree_verb_config },
  { "key generate", "[NAME]", "Make a signing key and trust it",
    "NAME is \"default\" unless given; an existing key is never overwritten. Prints "
    "the\n"
    "key's id.\n\n"
    "  vtree key generate release-2027",
    0, 1, JSON | QUIET, vtree_verb_key_generate },
  { "key list", "", "List trusted, revoked and private keys",
    "Columns: id, name, what it may sign, private key there or not, state, file.\n\n"
    "  vtree key list",
    0, 0, JSON, vtree_verb_key_list },
  { "key export", "[NAME]", "Print a public key as PEM, to be trusted elsewhere",
    "NAME is a private key's name; it may be left out where there is one alone, or "
    "one\n"
    "named \"default\".\n\n"
    "  vtree key export | ssh HOST vtree key trust - --ref=apps",
    0, 1, 0, vtree_verb_key_export },
  { "key trust", "FILE", "Trust a public key",
    "FILE is PEM, or - for standard input. With --ref the key may sign only refs "
    "under\n"
    "PREFIX (whole components). Prints the key's id.\n\n"
    "  vtree key trust vendor.pem --ref=apps/vendor",
    1, 1, JSON | QUIET, vtree_verb_key_trust },
  { "key distrust", "ID", "Take a trusted key out of your own key directory",
    "ID is the key's id or at least 8 first digits of it. A key that the system "
    "trusts\n"
    "stays trusted: revoke it instead.\n\n"
    "  vtree key distrust 0123abcd",
    1, 1, QUIET, vtree_verb_key_distrust },
  { "key revoke", "ID", "Refuse a key from now on, wherever it is trusted",
    "ID is the key's id, or at least 8 first digits of it where the key is known. A\n"
    "revocation beats every trust; to undo it, remove the file that is named.\n\n"
    "  vtree key revoke 0123abcd",
    1, 1, QUIET, vtree_verb_key_revoke },
  { "mark show", "[REF]", "Show the newest versions that you have accepted",
    "What a bare REF resolves to is never older than its mark.\n\n"
    "  vtree mark show apps/hello",
    0, 1, JSON, vtree_verb_mark_show },
  { "mark reset", "REF", "Forget the newest version that you have accepted",
    "From then on an older version is accepted again.\n\n"
    "  vtree mark reset apps/hello",
    1, 1, QUIET, vtree_verb_mark_reset },
  { "refs", "", "List the refs, or delete one",
    "Columns: ref, head version, number of versions. Deleting a ref removes all its\n"
    "versions; gc frees the space. Signatures are not judged here: see log.\n\n"
    "  vtree refs --delete apps/old",
    0, 0, REPO | JSON | QUIET | WAIT, vtree_verb_refs },
  { "log", "REF", "List a ref's versions, the newest first",
    "With the key that signed each, and its message. Of a version without a trusted\n"
    "signature, nothing that it says is vouched for.\n\n"
    "  vtree log apps/hello",
    1, 1, REPO | JSON, vtree_verb_log },
  { "show", "REF[@VERSION]",
    "Show a root statement, its signatures, and if it is valid",
    "Without VERSION the head, or the newest version where there is no head.\n\n"
    "  vtree show apps/hello@7",
    1, 1, REPO | JSON, vtree_verb_show },
  { "mount", "REF|SOURCE DIR", "Mount a tree, read-only and verified",
    "Runs mount.fuse.vtree(8), which documents OPTIONS, and returns when the tree is\n"
    "usable. A DIR that is missing is made. A SOURCE begins with / or . and is passed "
    "on.\n\n"
    "  vtree mount apps/hello ~/hello -o verity=require",
    2, 2, REPO | QUIET, vtree_verb_mount },
  { "umount", "DIR|--all", "Unmount a tree",
    "Exit 8 when it is in use.\n\n"
    "  vtree umount ~/hello",
    0, 1, QUIET, vtree_verb_umount },
  { "status", "[DIR]", "Show what a mount serves, who verifies it, and its counters",
    "DIR is any place in a mount; without it all mounts are listed.\n\n"
    "  vtree status ~/hello",
    0, 1, JSON, vtree_verb_status },
  { "digest", "FILE...", "Compute the fs-verity digests of files",
    "As \"fsverity digest\" does.\n\n"
    "  vtree digest /bin/sh",
    1, G_MAXUINT, JSON, vtree_verb_digest },
  { "measure", "FILE...", "Ask for the fs-verity digests of files that have verity",
    "As \"fsverity measure\" does; it works on the files of a vtree mount too.\n\n"
    "  vtree measure ~/hello/usr/bin/hello",
    1, G_MAXUINT, JSON, vtree_verb_measure },
  { "help", "[VERB]", "Show this list, or a verb's help",
    "The same as \"vtree VERB --help\".\n\n"
    "  vtree help commit",
    0, 2, 0, vtree_verb_help },
};

size_t
vtree_verbs_count (void)
{
  return G_N_ELEMENTS (verbs);
}

const VtreeVerb *
vtree_verbs_peek (size_t index)
{
  g_assert (index < G_N_ELEMENTS (verbs));
  return &verbs[index];
}

const VtreeVerb *
vtree_verbs_find (char **words, unsigned *used)
{
  g_autofree char *two
    = words[1] != NULL ? g_strjoin (" ", words[0], words[1], NULL) : NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (verbs); i++) {
    *used = strchr (verbs[i].name, ' ') != NULL ? 2 : 1;
    if (g_strcmp0 (verbs[i].name, *used == 2 ? two : words[0]) == 0)
      return &verbs[i];
  }
  return NULL;
}
