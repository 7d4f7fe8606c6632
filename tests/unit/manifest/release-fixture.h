/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A repository with two manifests in it, three keys of which two are trusted, and a
 * system of its own that trusts them: what a test of releases needs.
 */
#pragma once

#include "core/mark.h"
#include "manifest/resolve.h"

#define RELEASE_REF "os/stable"

enum {
  ALICE,
  BOB,
  MALLORY,
  KEYS
};

typedef struct {
  char *dir;
  VtreePaths *paths;
  VtreeRepo *repo;
  VtreePrivateKey *key[KEYS]; /* Mallory's is not trusted */
  char *pem[KEYS];            /* public */
  VtreeDigest manifest[2];
  uint64_t size[2];
} ReleaseFixture;

/* A release to be; what is not set is as in release_put(). */
typedef struct {
  const char *ref;     /* "os/stable" */
  uint64_t version;    /* 1 */
  const char *created; /* "2026-01-01T00:00:00Z" */
  const char *expires; /* never */
  unsigned manifest;   /* number in the fixture */
  unsigned signers;    /* bits: 1 << ALICE, …; 0: Alice alone */
} Release;

/* For g_test_add(). */
void release_set_up (ReleaseFixture *f, gconstpointer unused); /* Likewise. */
void release_tear_down (ReleaseFixture *f, gconstpointer unused);

/* Its statement, and signatures over it. */
GBytes *release_statement (const ReleaseFixture *f, const Release *release);
GBytes *release_sign (const ReleaseFixture *f, GBytes *statement, unsigned signers);

/* Publishes ROOT and SIG (may be NULL) as NAME@VERSION and head, over what is there. */
void release_put_bytes (const ReleaseFixture *f, const char *name, uint64_t version,
                        GBytes *root, GBytes *sig);
/* Publishes a whole release in its own place. */
void release_put (const ReleaseFixture *f, const Release *release);
void release_set_head (const ReleaseFixture *f, const char *name, uint64_t version);

/* Resolves SPEC as mount does, with OPTIONS (paths are filled in; NULL: none). */
VtreeResolved *release_resolve (const ReleaseFixture *f, const char *spec,
                                const VtreeResolveOptions *options, GError **error);

/* The mark of os/stable has VERSION (0: there is none). */
void release_assert_mark (const ReleaseFixture *f, uint64_t version);

/* Resolving SPEC fails with CODE and a one-line message that contains PART. */
void release_assert_refused (const ReleaseFixture *f, const char *spec,
                             const VtreeResolveOptions *options, int code,
                             const char *part);

/* Resolving SPEC gives VERSION; NOTE: part of its only note, NULL for none. */
void release_assert_accepted (const ReleaseFixture *f, const char *spec,
                              const VtreeResolveOptions *options, uint64_t version,
                              const char *note);

/* Publishes version 5 and accepts it. */
void release_accept_five (const ReleaseFixture *f);

/* Writes TEXT to NAME below the system's directory DIR. */
void release_write (const char *dir, const char *name, const char *text);
