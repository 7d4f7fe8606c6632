/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the names .vtree-checkout.XXXXXXXX: making, locking, and removing the abandoned
 * ones. What is in them is none of its business.
 */
#include "manifest/checkout-staging.h"

#include "core/error.h"
#include "manifest/acl.h"
#include "manifest/listing.h"
#include "manifest/remove.h"
#include "manifest/xattr.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX ".vtree-checkout."
#define DIGITS 8
#define ATTEMPTS 100

bool
vtree_checkout_staging_is_name (const char *name)
{
  const char *digits = name + strlen (PREFIX);
  return g_str_has_prefix (name, PREFIX) && strlen (digits) == DIGITS
         && strspn (digits, "0123456789abcdef") == DIGITS;
}

bool
vtree_checkout_forget_parent (int fd, GError **error)
{
  /* The directory is new, so only a filesystem without modes denies it. */
  if (fchmod (fd, 0700) != 0 && errno != EPERM)
    return vtree_error_set_errno (error, errno, "set the mode of a new directory");
  return vtree_xattr_remove (fd, VTREE_ACL_DEFAULT, error)
         && vtree_xattr_remove (fd, VTREE_ACL_ACCESS, error);
}

/* False where somebody else has it. A filesystem without flock(2) has no lock. */
static bool
try_lock (int fd)
{
  return flock (fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

bool
vtree_checkout_lock (int fd, GError **error)
{
  return try_lock (fd)
         || vtree_error_set (error, VTREE_ERROR_BUSY,
                             "another checkout is writing to it");
}

static int
open_staging (int dirfd, const char *name)
{
  return openat (dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Locks a directory just made; false where a cleaner was faster. */
static bool
lock_new (int fd)
{
  struct stat st;
  return try_lock (fd) && fstat (fd, &st) == 0 && st.st_nlink > 0;
}

/* One attempt: the descriptor, or -1, with no error where the name is no good. */
static int
try_make (int dirfd, const char *name, GError **error)
{
  if (mkdirat (dirfd, name, 0700) != 0) {
    if (errno != EEXIST)
      vtree_error_set_errno (error, errno, "make a directory for new files");
    return -1;
  }
  g_auto (VtreeFd) fd = open_staging (dirfd, name);
  if (fd < 0 && errno != ENOENT)
    vtree_error_set_errno (error, errno, "open the directory for new files");
  if (fd < 0 || !lock_new (fd))
    return -1;
  if (vtree_checkout_forget_parent (fd, error))
    return vtree_fd_steal (&fd);
  unlinkat (dirfd, name, AT_REMOVEDIR);
  return -1;
}

int
vtree_checkout_staging_make (int dirfd, VtreeCheckoutHasName has, void *context,
                             char name[VTREE_CHECKOUT_NAME_MAX], GError **error)
{
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    snprintf (name, VTREE_CHECKOUT_NAME_MAX, PREFIX "%08x", g_random_int ());
    if (has != NULL && has (context, name))
      continue;
    g_autoptr (GError) failure = NULL;
    int fd = try_make (dirfd, name, &failure);
    if (fd >= 0)
      return fd;
    if (failure == NULL)
      continue;
    g_propagate_error (error, g_steal_pointer (&failure));
    name[0] = '\0';
    return -1;
  }
  vtree_error_set (error, VTREE_ERROR_FAILED,
                   "make a directory for new files: no name is free");
  name[0] = '\0';
  return -1;
}

static void
clean_one (int dirfd, const char *name)
{
  struct stat st;
  g_auto (VtreeFd) fd = open_staging (dirfd, name);
  if (fd < 0 || fstat (fd, &st) != 0 || (geteuid () != 0 && st.st_uid != geteuid ()))
    return;
  /* Where there are no locks nobody can tell. */
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    vtree_remove (dirfd, name, NULL);
}

void
vtree_checkout_staging_clean (int dirfd, VtreeCheckoutHasName has, void *context)
{
  g_autoptr (VtreeListing) listing = vtree_listing_read (dirfd, NULL);
  for (size_t i = 0; listing != NULL && i < vtree_listing_count (listing); i++) {
    const char *name = vtree_listing_peek (listing, i)->name;
    if (vtree_checkout_staging_is_name (name) && (has == NULL || !has (context, name)))
      clean_one (dirfd, name);
  }
}
