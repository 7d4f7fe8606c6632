/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns verity on the files of a checkout: whether they get it, and that a sealed file
 * is what the manifest says before it gets its attributes. Makes no file.
 */
#include "manifest/checkout-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool
decide (VtreeCheckoutState *state, VtreeDigestAlg alg, GError **error)
{
  VtreeVerityPolicy policy = state->options->verity;
  state->seal = false;
  if (policy == VTREE_VERITY_OFF)
    return true;
  if (!vtree_kernel_probe (state->staging, alg, &state->seal, error))
    return false;
  if (state->seal || policy != VTREE_VERITY_REQUIRE)
    return true;
  g_autofree char *name = vtree_filesystem_name (state->staging);
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "verity=require, but this filesystem (%s) or kernel has no "
                          "fs-verity with blocks of 4096 bytes and %s",
                          name, vtree_digest_alg_name (alg));
}

/* A file without a name, for what the filesystem makes of times. */
static bool
make_clock (VtreeCheckoutState *state, GError **error)
{
  if (state->ability.times)
    return true;
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  state->clock_fd = openat (state->staging, "clock", flags, 0600);
  if (state->clock_fd < 0 || unlinkat (state->staging, "clock", 0) != 0)
    return vtree_error_set_errno (error, errno, "make a scratch file there");
  return true;
}

bool
vtree_checkout_prepare (VtreeCheckoutState *state, int staging, GError **error)
{
  VtreeDigestAlg alg = vtree_view_totals (state->view)->alg;
  VtreeVerityParams params = { .alg = alg, .size = 0, .merkle_fd = -1 };
  state->staging = staging;
  return decide (state, alg, error)
         && vtree_ability_probe (staging, &state->ability, error)
         && make_clock (state, error)
         && vtree_verity_compute_data (&params, NULL, &state->empty, error);
}

static bool
check_measured (const VtreeObjectSpec *spec, bool enforced, const VtreeDigest *found,
                GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  char found_text[VTREE_DIGEST_TEXT_MAX];
  if (!enforced)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "verity was enabled, but the kernel does not enforce it");
  return vtree_digest_equal (found, &spec->digest)
         || vtree_error_set (error, VTREE_ERROR_CORRUPT,
                             "object %s: the kernel measured %s",
                             vtree_digest_format (&spec->digest, text),
                             vtree_digest_format (found, found_text));
}

/* Leaves alone what is sealed already: a hard link to the store's object. */
static bool
seal_descriptor (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                 GError **error)
{
  VtreeObjectSpec spec = { .size = 0 };
  bool enforced = false;
  VtreeDigest found = { 0 };
  if (!vtree_checkout_object (state, inode, &spec, error)
      || (state->options->hard_links
          && !vtree_kernel_measure (fd, &enforced, &found, error)))
    return false;
  if (enforced)
    return check_measured (&spec, enforced, &found, error);
  if (!vtree_kernel_enable (fd, spec.digest.alg, error)
      || !vtree_kernel_measure (fd, &enforced, &found, error)
      || !check_measured (&spec, enforced, &found, error)
      || !vtree_checkout_set_attributes (state, fd, inode, error))
    return false;
  atomic_fetch_add (&state->sealed, 1);
  return true;
}

bool
vtree_checkout_seal (VtreeCheckoutState *state, VtreePlace place,
                     const VtreeInode *inode, GError **error)
{
  g_auto (VtreeFd) fd
    = openat (place.dirfd, place.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open it");
  return seal_descriptor (state, fd, inode, error);
}
