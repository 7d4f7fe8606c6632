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
#define COMMAND VTREE_VERB_COMMAND

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
  { "key show", "ID|FILE", "Show a key or certificate, and who trusts it",
    "ID is an id or at least 8 first digits of it; FILE is PEM, or - for standard "
    "input.\n"
    "Look at a certificate so before you trust it.\n\n"
    "  vtree key show vendor.pem",
    1, 1, JSON, vtree_verb_key_show },
  { "key trust", "FILE", "Trust a public key or a certificate",
    "FILE is PEM, or - for standard input. With --ref it may sign only refs under\n"
    "PREFIX (whole components). A certificate is trusted for itself, not for what it\n"
    "has issued. Prints the id.\n\n"
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
  { "commit", "REF DIR", "Store a directory as the next version of a ref, and sign it",
    "Prints the manifest's digest. The signing key is --key or --key-file (each may "
    "be\n"
    "given more than once), else your only private key, else the one named "
    "\"default\";\n"
    "--cert and --sign-command are described in vtree(1).\n"
    "A version made with --no-sign does not become the ref's head until it is "
    "signed.\n\n"
    "  vtree commit apps/hello ./build/root --message='first try' --expires=90d",
    2, 2, REPO | JSON | QUIET | WAIT, vtree_verb_commit },
  { "sign", "REF[@VERSION]", "Sign a version after a full check of it",
    "Without VERSION the newest one. Checks statement and manifest, shows what will "
    "be\n"
    "signed and asks; without a terminal it needs --manifest=DIGEST instead. A "
    "version\n"
    "that is newer than the head becomes the head.\n\n"
    "  vtree sign apps/hello@7 --key=release --detached >hello-7.sig",
    1, 1, REPO | QUIET | WAIT, vtree_verb_sign },
  { "verify", "REF", "Check signature, version and manifest; remember the version",
    "Prints the manifest's digest. Resolves REF as a mount does, raises its mark, and\n"
    "checks the whole manifest. It does not read the files' contents: fsck does.\n\n"
    "  vtree verify apps/hello",
    1, 1, REPO | JSON | QUIET, vtree_verb_verify },
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
  { "ls", "REF[:PATH]", "List a directory of a tree",
    "Names are escaped on a terminal, and exact when piped. Owners are numbers, times\n"
    "are UTC. REF may be NAME, NAME@VERSION or a manifest's digest.\n\n"
    "  vtree ls -l apps/hello:usr/bin",
    1, 1, REPO | JSON, vtree_verb_ls },
  { "cat", "REF:PATH", "Print a file of a tree, verified",
    "Nothing that is not what was signed is printed; a bad block ends it with exit "
    "6.\n\n"
    "  vtree cat apps/hello:etc/hello.conf",
    1, 1, REPO, vtree_verb_cat },
  { "stat", "REF:PATH", "Show all that the manifest says of one file",
    "Attributes, object, extended attributes.\n\n"
    "  vtree stat apps/hello:usr/bin/hello",
    1, 1, REPO | JSON, vtree_verb_stat },
  { "diff", "A B|DIR", "Compare two trees, or a tree and a directory",
    "The second is a directory if it begins with / or . or ends with /. Prints A "
    "(added),\n"
    "D (deleted) or M (modified) and the path; for M also what differs.\n\n"
    "  vtree diff apps/hello@6 apps/hello",
    2, 2, REPO | JSON | QUIET, vtree_verb_diff },
  { "checkout", "REF[:PATH] DIR|FILE", "Write a tree out as ordinary files",
    "DIR must not exist or be empty, unless --update makes it equal to the tree: what\n"
    "the tree lacks is deleted. As root owners, devices and set-id bits are set. "
    "Where\n"
    "DIR's filesystem has fs-verity the files are sealed: they can be replaced, not\n"
    "edited; --verity=off leaves them editable.\n\n"
    "  vtree checkout apps/hello:etc ./etc\n"
    "  vtree checkout os/stable:boot /boot --update --omit-unsupported",
    2, 2, REPO | JSON | QUIET, vtree_verb_checkout },
  { "mount", "REF|SOURCE DIR", "Mount a tree, read-only and verified",
    "Runs mount.fuse.vtree(8), which documents OPTIONS, and returns when the tree is\n"
    "usable. A DIR that is missing is made. A SOURCE begins with / or . and is passed "
    "on.\n"
    "With --upper the tree is writable; `vtree upper diff` shows what was changed.\n"
    "The services vtree@NAME keep trees mounted, see vtree(1).\n\n"
    "  vtree mount apps/hello ~/hello -o verity=require",
    2, 2, REPO | QUIET, vtree_verb_mount },
  { "umount", "DIR|--all", "Unmount a tree",
    "A writable layer on it goes first. Exit 8 when it is in use.\n\n"
    "  vtree umount ~/hello",
    0, 1, QUIET, vtree_verb_umount },
  { "status", "[DIR]", "Show what a mount serves, who verifies it, and its counters",
    "DIR is any place in a mount; without it all mounts are listed. --store shows "
    "instead what\n"
    "the repository holds.\n\n"
    "  vtree status ~/hello",
    0, 1, REPO | JSON | WAIT, vtree_verb_status },
  { "upper diff", "DIR", "Show what a writable layer has changed of its signed tree",
    "DIR is what `mount --upper` or `run --writable` was given. A line for each path:\n"
    "A added, D deleted, M modified, and what of it. Costs what was changed.\n\n"
    "  vtree upper diff ~/hello-changes",
    1, 1, REPO | JSON, vtree_verb_upper_diff },
  { "upper reset", "DIR", "Drop all changes of a writable layer",
    "The signed tree is what it was. Exit 8 while the layer is in use.\n\n"
    "  vtree upper reset ~/hello-changes",
    1, 1, 0, vtree_verb_upper_reset },
  { "pull", "PATH [REF...]", "Take refs from another repository on this machine",
    "PATH is a repository: a mounted disk's, a build server's. What REF resolves to "
    "there\n"
    "(default: every ref) is checked as for a mount, signature first, and its objects\n"
    "as they arrive; the ref's head is moved last, and never back. Run it again after "
    "an\n"
    "interruption: what has arrived stays. Prints a line for each version.\n\n"
    "  vtree pull /media/stick/repo apps/hello",
    1, G_MAXUINT, REPO | JSON | QUIET | WAIT, vtree_verb_pull },
  { "fsck", "[REF...]", "Read and check everything, and name what is harmed",
    "Statements, manifests and the contents of all objects of the REFs (default: "
    "all).\n"
    "Prints a line for each harmed path. --repair-from takes good objects from DIR, a\n"
    "repository or any directory that holds the files. --seal enables fs-verity on a\n"
    "repository that was copied without it.\n\n"
    "  vtree fsck --repair-from=/mnt/backup",
    0, G_MAXUINT, REPO | JSON | QUIET | WAIT, vtree_verb_fsck },
  { "gc", "", "Delete old versions and what nothing needs any more",
    "Keeps the newest versions of each ref, and all that a mount, a deployment or a "
    "commit\n"
    "needs. Works on a full disk.\n\n"
    "  vtree gc --keep=1 --dry-run",
    0, 0, REPO | JSON | QUIET | WAIT, vtree_verb_gc },
  { "repack", "", "Fold packs of small files together",
    "Packs that nobody needs much of, or that are many and small, become one, with "
    "what "
    "is\n"
    "small and not packed yet. Changes no digest and needs no key; mounts go on. After "
    "a gc\n"
    "it gives back most.\n\n"
    "  vtree gc --keep=1 && vtree repack",
    0, 0, REPO | JSON | QUIET | WAIT, vtree_verb_repack },
  { "delta create", "[FROM] TO", "Write what leads from one version to another",
    "FROM and TO are versions of refs here; FROM can be a manifest's digest, and is "
    "left "
    "out\n"
    "with --from-empty. The delta goes to standard output: statement and signatures, "
    "the\n"
    "manifest and the new contents, as patches of the old ones.\n\n"
    "  vtree delta create apps/hello@7 apps/hello >hello-7-8.delta",
    1, 2, REPO | QUIET | WAIT, vtree_verb_delta_create },
  { "delta apply", "FILE", "Take the version that a delta leads to",
    "FILE can be - for standard input. The version that it starts from has to be here. "
    "It is\n"
    "trusted no further than the signed statement in it goes; of one that fails "
    "nothing "
    "is\n"
    "kept.\n\n"
    "  vtree delta apply hello-7-8.delta && vtree upgrade hello",
    1, 1, REPO | JSON | QUIET | WAIT, vtree_verb_delta_apply },
  { "deploy", "NAME REF", "Make a version of a ref the one that NAME stands for",
    "Checks signature, version and manifest, and that all of it is there. Earlier "
    "versions\n"
    "stay for a rollback, as many as the configuration's `keep`. Prints the mount "
    "point.\n\n"
    "  vtree deploy hello apps/hello",
    2, 2, REPO | JSON | QUIET | WAIT, vtree_verb_deploy },
  { "upgrade", "[NAME...]", "Deploy the newest version of what is deployed",
    "Without NAME all, but those that were rolled back: they stay where they are "
    "until\n"
    "they are named.\n\n"
    "  vtree upgrade --check",
    0, G_MAXUINT, JSON | QUIET | WAIT, vtree_verb_upgrade },
  { "rollback", "NAME [VERSION]", "Go back to an earlier deployed version",
    "Without VERSION to the one before. It is checked as it was when it was deployed.\n"
    "A bare `upgrade` leaves it there, `upgrade NAME` goes forward again.\n\n"
    "  vtree rollback hello",
    1, 2, JSON | QUIET | WAIT, vtree_verb_rollback },
  { "pin", "NAME [VERSION]", "Keep a deployed version until it is unpinned",
    "Without VERSION the active one. Upgrades and gc leave it.\n\n"
    "  vtree pin hello 7",
    1, 2, QUIET | WAIT, vtree_verb_pin },
  { "unpin", "NAME [VERSION]", "Let a pinned version go when its time comes",
    "Without VERSION the active one.\n\n"
    "  vtree unpin hello 7",
    1, 2, QUIET | WAIT, vtree_verb_unpin },
  { "undeploy", "NAME|--all", "Take a deployment away, with all its versions",
    "The repository keeps what it has: `vtree gc` frees the space. Exit 8 while it is "
    "in\n"
    "use.\n\n"
    "  vtree undeploy hello",
    0, 1, QUIET | WAIT, vtree_verb_undeploy },
  { "run", "NAME [-- CMD...]", "Run a command from a deployment, in a sandbox",
    "Mounts the active version if it is not, and runs CMD (default: vtree.ini's\n"
    "command) in it by bubblewrap. A tree with /usr is the root, any other is /app\n"
    "over the /usr of the host or of --runtime. Of the host it sees what vtree.ini,\n"
    "overrides and the options say. Exits as CMD does, or before it runs with vtree's\n"
    "own status: 7 where there is no such command.\n\n"
    "  vtree run hello --share=network -- hello --greet",
    1, G_MAXUINT, QUIET | WAIT | COMMAND, vtree_verb_run },
  { "override", "NAME", "Say for good what of the host a deployment may see",
    "Changes what vtree.ini asks for, for each `vtree run NAME` of yours (as root: of "
    "all).\n"
    "Without options it prints what has been said.\n\n"
    "  vtree override hello --share=network --nofilesystem=home",
    1, 1, QUIET, vtree_verb_override },
  { "list", "", "List what is deployed",
    "Columns: name, version, state (active, held, pinned, running, mounted, dead),\n"
    "ref, when it was deployed. Runtimes that are mounted follow, with - for a "
    "name.\n\n"
    "  vtree list --json",
    0, 0, JSON, vtree_verb_list },
  { "flatpak seal", "APPID|--all",
    "Let Flatpak run verified files of what you installed",
    "Commits the files of an application or runtime of your --user installation, "
    "signed\n"
    "with your key, and mounts the verified tree in their place; `flatpak run` works "
    "as\n"
    "before. Again after a login, and after Flatpak has updated it.\n\n"
    "  vtree flatpak seal org.example.App",
    0, 1, REPO | QUIET | WAIT, vtree_verb_flatpak_seal },
  { "flatpak unseal", "APPID|--all", "Give Flatpak its own files back",
    "Unmounts the verified tree and forgets the ref. What runs keeps it until it "
    "ends.\n\n"
    "  vtree flatpak unseal org.example.App",
    0, 1, REPO | QUIET | WAIT, vtree_verb_flatpak_unseal },
  { "flatpak list", "", "Show what of your Flatpak installation is sealed",
    "A line for each: our ref, and sealed, updated (by Flatpak, since it was sealed) "
    "or\n"
    "unsealed, and mounted.\n\n"
    "  vtree flatpak list",
    0, 0, REPO | JSON, vtree_verb_flatpak_list },
  { "seal", "FILE...", "Seal plain files where they are: fs-verity and a signature",
    "The file can't be written to any more; `vtree unseal` first to edit it. Where "
    "the\n"
    "filesystem has no fs-verity this is said, and the file is only signed. Prints "
    "the\n"
    "digest. Signing keys as for commit.\n\n"
    "  vtree seal ~/.bashrc",
    1, G_MAXUINT, JSON | QUIET | WAIT, vtree_verb_seal },
  { "check", "FILE...|-r DIR...|--all", "Check that sealed files are what was sealed",
    "A line for each: sealed, altered, older, untrusted, missing, unsealed or failed, "
    "and\n"
    "the file; why goes to stderr. --all checks all that you have sealed, and finds "
    "what "
    "an\n"
    "editor has replaced. Exits with the worst: 6, 4, 3, 7, 7, 7, 1, or 0.\n\n"
    "  vtree check --all",
    0, G_MAXUINT, JSON | QUIET, vtree_verb_check },
  { "unseal", "FILE...", "Make sealed files ordinary again, to edit them",
    "A copy without fs-verity replaces the file. What was sealed counts as older from "
    "then\n"
    "on, and the file is not in your log any more, nor is one that you have "
    "deleted.\n\n"
    "  vtree unseal ~/.bashrc",
    1, G_MAXUINT, JSON | QUIET | WAIT, vtree_verb_unseal },
  { "digest", "FILE...", "Compute the fs-verity digests of files",
    "As \"fsverity digest\" does.\n\n"
    "  vtree digest /bin/sh",
    1, G_MAXUINT, JSON, vtree_verb_digest },
  { "measure", "FILE...", "Ask for the fs-verity digests of files that have verity",
    "As \"fsverity measure\" does; it works on the files of a vtree mount too.\n\n"
    "  vtree measure ~/hello/usr/bin/hello",
    1, G_MAXUINT, JSON, vtree_verb_measure },
  { "__complete", "-- [WORD...]", "What may come next, for the shells' completions",
    "The words are those behind \"vtree\", the last one being typed.\n\n"
    "  vtree __complete -- mount apps/he",
    0, G_MAXUINT, 0, vtree_verb_complete },
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
