/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Internal to deployments: what their parts share.
 *
 *   deploy.c          looking
 *   deploy-change.c   changing
 *   deploy-exports.c  what is exported, and the links to it
 */
#pragma once

#include "manifest/deploy.h"

#define VTREE_DEPLOY_ACTIVE "active"
#define VTREE_DEPLOY_HELD "held"
#define VTREE_DEPLOY_FILES "files"
#define VTREE_DEPLOY_ORIGIN "origin"
#define VTREE_DEPLOY_LEASE "lease"
#define VTREE_DEPLOY_PINNED "pinned"
#define VTREE_DEPLOY_EXPORTS "exports"
/* What a decimal version fits into. */
#define VTREE_DEPLOY_NUMBER_MAX 24

struct VtreeDeployments {
  VtreeFd fd; /* DIR, locked for a change; -1: it is missing */
  char *path;
};

/* VERSION's directory's name; returns TEXT. */
char *vtree_deploy_version_name (uint64_t version, char text[VTREE_DEPLOY_NUMBER_MAX]);

/* Opens NAME's directory; VTREE_ERROR_MISSING where there is none. */
bool vtree_deploy_open_name (const VtreeDeployments *all, const char *name, VtreeFd *fd,
                             GError **error);

/* Loads the origin in the directory FD of VERSION; NULL without an error where it has
 * none. */
VtreeDeployOrigin *vtree_deploy_load_origin (int fd, uint64_t version, GError **error);

/* *LEASED: somebody runs from the version whose directory FD is. */
bool vtree_deploy_is_leased (int fd, bool *leased, GError **error);

/* *VERSION is what `active` in the directory FD names; *FOUND: there is one. */
bool vtree_deploy_load_active (int fd, bool *found, uint64_t *version, GError **error);

/* Makes NAME in the directory PARENT as deployments have theirs, and opens it. */
bool vtree_deploy_make_directory (int parent, const char *name, VtreeFd *fd,
                                  GError **error);

/* Puts EXPORTS into the directory FD of a version, in the place of what it exported
 * before, atomically. */
bool vtree_deploy_put_exports (int fd, const VtreeExports *exports, GError **error);
