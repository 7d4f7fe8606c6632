/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns verity on the files of a checkout: whether they get it, and that a sealed file
 * is what the manifest says before it gets its attributes. Makes no file.
 */
#include "manifest/checkout-file.h"

#include "core/seal.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool
decide (VtreeCheckoutState *state, VtreeDigestAlg alg, GError **error)
{
  const VtreeSeal seal = { state->options->verity, alg, state->options->signer };
  return vtree_seal_decide (state->staging, &seal, "files", &state->seal, error);
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
prefix_object (const VtreeDigest *digest, GError **error)
{
  char text[VTREE_DIGEST_TEXT_MAX];
  g_prefix_error (error, "object %s: ", vtree_digest_format (digest, text));
  return false;
}

/* Leaves alone what is sealed already: a hard link to the store's object, which was
 * measured when it was made. */
static bool
is_linked (const VtreeCheckoutState *state, int fd, bool *linked, GError **error)
{
  VtreeDigest found;
  *linked = false;
  return !state->options->hard_links
         || vtree_kernel_measure (fd, linked, &found, error);
}

static bool
seal_descriptor (VtreeCheckoutState *state, int fd, const VtreeInode *inode,
                 GError **error)
{
  VtreeObjectSpec spec = { .size = 0 };
  bool linked;
  if (!vtree_checkout_object (state, inode, &spec, error)
      || !is_linked (state, fd, &linked, error))
    return false;
  if (linked)
    return true;
  if (!vtree_seal_file (fd, &spec.digest, state->options->signer, error))
    return prefix_object (&spec.digest, error);
  if (!vtree_checkout_set_attributes (state, fd, inode, error))
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
