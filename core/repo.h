/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A repository on disk: config objects/ packs/ merkle/ refs/ tmp/ lock.
 * Everything beneath it is untrusted; see doc/formats.md for the layout.
 */
#pragma once

#include "core/digest.h"
#include "core/fd.h"
#include "core/seal.h"

typedef struct VtreeRepo VtreeRepo;

/* What a new repository should have as its pack threshold, bytes: doc/packs.md has the
 * measurements. */
#define VTREE_REPO_PACK_THRESHOLD 4096

typedef struct {
  VtreeDigestAlg digest;
  VtreeVerityPolicy verity; /* for commits */
  bool shared;              /* 0755 and world-readable contents only */
  uint32_t pack_threshold;  /* bytes; contents of at most so many go into packs */
} VtreeRepoOptions;

typedef enum {
  VTREE_REPO_LOCK_SHARED,    /* commit, pull; mount while it resolves */
  VTREE_REPO_LOCK_EXCLUSIVE, /* what deletes */
} VtreeRepoLock;

/* Makes PATH (may exist if empty) with its subdirectories and config. Killed half-way,
 * a second init completes it. Errors: VTREE_ERROR_INVALID if something else is
 * there. */
bool vtree_repo_init (const char *path, const VtreeRepoOptions *options,
                      GError **error);

/* Opens and checks layout and config version. Errors: VTREE_ERROR_MISSING if there is
 * no repository, VTREE_ERROR_UNSUPPORTED for a newer format. Thread-safe, immutable. */
VtreeRepo *vtree_repo_open (const char *path, GError **error);
void vtree_repo_free (VtreeRepo *repo);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeRepo, vtree_repo_free)

/* Borrowed, as long as REPO: the path it was opened by, its directory, its options. */
const char *vtree_repo_path (const VtreeRepo *repo);
int vtree_repo_dirfd (const VtreeRepo *repo);
const VtreeRepoOptions *vtree_repo_options (const VtreeRepo *repo);
/* How its own files are sealed, as the configuration says; without a signer. */
VtreeSeal vtree_repo_seal (const VtreeRepo *repo);

/* Takes the lock; *FD (owned) holds it until closed. Waits at most WAIT seconds (-1:
 * for ever), then VTREE_ERROR_BUSY. */
bool vtree_repo_lock (const VtreeRepo *repo, VtreeRepoLock kind, int wait, VtreeFd *fd,
                      GError **error);

/* Sees to it that the configuration's file is sealed as SEAL says: replaces it by one
 * of the same bytes if it is not. *DONE: it was replaced. The caller holds the
 * repository's lock, either kind. */
bool vtree_repo_seal_config (const VtreeRepo *repo, const VtreeSeal *seal, bool *done,
                             GError **error);

/* Sees to it that the configuration says that there may be packs: replaces it by one,
 * sealed as SEAL says, if it does not. To be called before the first one gets its name;
 * the caller holds the repository's lock, either kind. */
bool vtree_repo_announce_packs (const VtreeRepo *repo, const VtreeSeal *seal,
                                GError **error);

/* The repository's configuration: keys of [core] ("digest", "verity", "shared", "keep",
 * later ones). Unknown keys: VTREE_ERROR_INVALID. set replaces the file atomically;
 * "digest" can't change once objects exist. */
char *vtree_repo_config_get (const VtreeRepo *repo, const char *key, GError **error);
bool vtree_repo_config_set (VtreeRepo *repo, const char *key, const char *value,
                            GError **error);
/* All keys in force as "key=value", NULL-terminated (g_strfreev). */
char **vtree_repo_config_list (const VtreeRepo *repo, GError **error);
