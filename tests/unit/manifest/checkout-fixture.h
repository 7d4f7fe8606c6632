/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A repository, and trees that go into it and come out again.
 */
#pragma once

#include "manifest/checkout.h"
#include "tests/unit/manifest/tree-fixture.h"

typedef struct {
  char *path;
  VtreeRepo *repo;
  VtreeStore *store;
  VtreeCaptureOptions capture;   /* owners kept */
  VtreeCheckoutOptions checkout; /* owners kept by root */
  VtreeCheckoutReport report;    /* of the last checkout */
} CheckoutFixture;

/* A new repository. */
void checkout_fixture_init (CheckoutFixture *fixture);
/* Its path stays for the end of the test binary. */
void checkout_fixture_clear (CheckoutFixture *fixture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CheckoutFixture, checkout_fixture_clear)

/* Captures DIR into the repository: the manifest. */
GBytes *checkout_fixture_put (CheckoutFixture *fixture, const char *dir);

/* Checks MANIFEST out to TARGET. */
bool checkout_fixture_try (CheckoutFixture *fixture, GBytes *manifest,
                           const char *target, GError **error);
/* The same for what has to work; TARGET then captures to MANIFEST again. */
void checkout_fixture_get (CheckoutFixture *fixture, GBytes *manifest,
                           const char *target);

/* Path of a new directory's missing entry "out": g_free(). */
char *checkout_fixture_target (void);

/* Fails the test if rsync finds a difference between the two directories. */
void checkout_fixture_rsync (const char *from, const char *to);
