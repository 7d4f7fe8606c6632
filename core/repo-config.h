/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to core: the file "config" of a repository, a GKeyFile with one group:
 *
 *   [core]
 *   version=1           format of the repository; a larger one is refused
 *   features=           incompatible features; this version knows "packs"
 *   digest=sha256       sha256 or sha512
 *   verity=auto         auto, require or off: for commits
 *   shared=false        top directory 0755, contents that all may read only
 *   keep=2              versions of a ref that gc keeps, 1 to 1000000
 *   pack-threshold=0    contents of at most so many bytes go into packs, 0 to 65536
 *   auto-repack=false   commit, pull, upgrade and gc repack when it pays
 *
 * It is as untrusted as all of the repository: it never weakens a mount and names no
 * key and no path. Keys that this version does not know are kept as they are.
 */
#pragma once

#include "core/repo.h"

#define VTREE_REPO_CONFIG_NAME "config"
/* bytes; a longer file is refused */
#define VTREE_REPO_CONFIG_MAX 65536
#define VTREE_REPO_VERSION 1
#define VTREE_REPO_PACK_THRESHOLD_MAX 65536

typedef struct VtreeRepoConfig VtreeRepoConfig;

/* A new repository's. */
VtreeRepoConfig *vtree_repo_config_new (const VtreeRepoOptions *options);
/* Parses untrusted bytes. Errors: VTREE_ERROR_CORRUPT (malformed),
 * VTREE_ERROR_UNSUPPORTED (version, features). */
VtreeRepoConfig *vtree_repo_config_parse (GBytes *bytes, GError **error);
void vtree_repo_config_free (VtreeRepoConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeRepoConfig, vtree_repo_config_free)

/* The file's bytes. */
GBytes *vtree_repo_config_serialize (const VtreeRepoConfig *config);
/* What the rest of core wants to know. */
void vtree_repo_config_options (const VtreeRepoConfig *config,
                                VtreeRepoOptions *options);

/* The value in force. Errors: VTREE_ERROR_INVALID (unknown key). */
char *vtree_repo_config_value (const VtreeRepoConfig *config, const char *key,
                               GError **error);
/* Errors: VTREE_ERROR_INVALID (unknown key, value that the key can't have). */
bool vtree_repo_config_change (VtreeRepoConfig *config, const char *key,
                               const char *value, GError **error);
/* Whether readers are told that there may be packs; and tells them. */
bool vtree_repo_config_has_packs (const VtreeRepoConfig *config);
void vtree_repo_config_add_packs (VtreeRepoConfig *config);
/* All keys in force as "key=value", NULL-terminated. */
char **vtree_repo_config_all (const VtreeRepoConfig *config);
