/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the trial of a filesystem: a file, a link, a name, a time, and what becomes of
 * them. Leaves nothing, and decides nothing about a tree.
 */
#include "manifest/checkout-ability.h"

#include "core/fd.h"
#include "manifest/listing.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TRIAL_FILE "trial"
#define TRIAL_LINK "trial-link"
/* Two cases, a character that vfat has not, no UTF-8, and a dot that vfat drops. */
#define TRIAL_NAME "Tr:al-\xff."
#define TRIAL_NAME_OTHER "tR:AL-\xff."
#define LONGEST_NAME 255

static bool
takes_mode (int fd, mode_t mode)
{
  struct stat st;
  return fchmod (fd, mode) == 0 && fstat (fd, &st) == 0 && (st.st_mode & 07777) == mode;
}

/* An odd second with nanoseconds. */
static bool
takes_times (int fd)
{
  const struct timespec time = { .tv_sec = 1000000001, .tv_nsec = 123456789 };
  const struct timespec times[2] = { time, time };
  struct stat st;
  return futimens (fd, times) == 0 && fstat (fd, &st) == 0
         && st.st_mtim.tv_sec == time.tv_sec && st.st_mtim.tv_nsec == time.tv_nsec;
}

static bool
tell (bool made, int dirfd, const char *name)
{
  if (made)
    unlinkat (dirfd, name, 0);
  return made;
}

static bool
is_listed (int dirfd, const char *name)
{
  g_autoptr (VtreeListing) listing = vtree_listing_read (dirfd, NULL);
  for (size_t i = 0; listing != NULL && i < vtree_listing_count (listing); i++) {
    if (strcmp (vtree_listing_peek (listing, i)->name, name) == 0)
      return true;
  }
  return false;
}

static bool
takes_names (int dirfd)
{
  struct statfs fs;
  struct stat st;
  if (fstatfs (dirfd, &fs) != 0 || fs.f_namelen < LONGEST_NAME)
    return false;
  if (mkdirat (dirfd, TRIAL_NAME, 0700) != 0)
    return false;
  bool same = is_listed (dirfd, TRIAL_NAME)
              && fstatat (dirfd, TRIAL_NAME_OTHER, &st, AT_SYMLINK_NOFOLLOW) != 0;
  unlinkat (dirfd, TRIAL_NAME, AT_REMOVEDIR);
  return same;
}

bool
vtree_ability_probe (int dirfd, VtreeAbility *ability, GError **error)
{
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  g_auto (VtreeFd) fd = openat (dirfd, TRIAL_FILE, flags, 0600);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "make a file there");
  VtreeAbility found = {
    .modes = takes_mode (fd, 0640) && takes_mode (fd, 0711),
    .times = takes_times (fd),
    .links
    = tell (linkat (dirfd, TRIAL_FILE, dirfd, TRIAL_LINK, 0) == 0, dirfd, TRIAL_LINK),
    .symlinks = tell (symlinkat ("x", dirfd, TRIAL_LINK) == 0, dirfd, TRIAL_LINK),
    .specials = tell (mkfifoat (dirfd, TRIAL_LINK, 0600) == 0, dirfd, TRIAL_LINK),
    .names = takes_names (dirfd),
  };
  if (unlinkat (dirfd, TRIAL_FILE, 0) != 0)
    return vtree_error_set_errno (error, errno, "remove a file there");
  *ability = found;
  return true;
}
