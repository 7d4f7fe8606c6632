/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Privileges and inheritance. Owns: capabilities, limits, standard descriptors.
 */
#include "fuse/privilege.h"

#include "core/error.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool
open_standard (GError **error)
{
  int fd;
  do {
    fd = open ("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open /dev/null");
  close (fd);
  return true;
}

/* Closes FIRST and what follows below END. */
static bool
close_between (unsigned first, unsigned end)
{
  return first >= end || close_range (first, end - 1, 0) == 0;
}

bool
vtree_privilege_close_inherited (int keep, int keep_too, GError **error)
{
  const int standard = STDERR_FILENO + 1;
  unsigned first = (unsigned) standard;
  /* What is below it, -1 among it, is kept in any case. */
  unsigned low = (unsigned) MAX (MIN (keep, keep_too) + 1, standard);
  unsigned high = (unsigned) MAX (MAX (keep, keep_too) + 1, standard);
  if (!close_between (first, low - 1) || !close_between (low, high - 1)
      || close_range (high, ~0u, 0) != 0)
    return vtree_error_set_errno (error, errno, "close what was inherited");
  return open_standard (error);
}

bool
vtree_privilege_detach (GError **error)
{
  g_auto (VtreeFd) fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "open /dev/null");
  if (chdir ("/") != 0)
    return vtree_error_set_errno (error, errno, "change to /");
  for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++)
    if (dup2 (fd, standard) < 0)
      return vtree_error_set_errno (error, errno, "give up standard descriptors");
  return true;
}

uint64_t
vtree_privilege_raise_files (void)
{
  struct rlimit limit;
  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return 0;
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit (RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

bool
vtree_privilege_has (VtreeKeep what)
{
  cap_value_t value = what == VTREE_KEEP_MOUNT ? CAP_SYS_ADMIN : CAP_DAC_READ_SEARCH;
  cap_flag_value_t has = CAP_CLEAR;
  cap_t caps = cap_get_proc ();
  bool ok = caps != NULL && cap_get_flag (caps, value, CAP_EFFECTIVE, &has) == 0;
  cap_free (caps);
  return ok && has == CAP_SET;
}

/* Adds capability VALUE to TO, permitted and effective, if FROM has it. */
static bool
keep_one (cap_t to, cap_t from, cap_value_t value)
{
  cap_flag_value_t has = CAP_CLEAR;
  if (cap_get_flag (from, value, CAP_PERMITTED, &has) != 0)
    return false;
  return has == CAP_CLEAR
         || (cap_set_flag (to, CAP_PERMITTED, 1, &value, CAP_SET) == 0
             && cap_set_flag (to, CAP_EFFECTIVE, 1, &value, CAP_SET) == 0);
}

static bool
set_capabilities (cap_t to, cap_t from, VtreeKeep keep)
{
  if ((keep & VTREE_KEEP_READ) != 0 && !keep_one (to, from, CAP_DAC_READ_SEARCH))
    return false;
  if ((keep & VTREE_KEEP_MOUNT) != 0 && !keep_one (to, from, CAP_SYS_ADMIN))
    return false;
  return cap_set_proc (to) == 0;
}

bool
vtree_privilege_drop (VtreeKeep keep, GError **error)
{
  cap_t from = cap_get_proc ();
  cap_t to = cap_init ();
  bool ok = from != NULL && to != NULL && set_capabilities (to, from, keep);
  int errnum = errno;
  cap_free (to);
  cap_free (from);
  return ok || vtree_error_set_errno (error, errnum, "give up capabilities");
}

bool
vtree_privilege_no_new (GError **error)
{
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
         || vtree_error_set_errno (error, errno, "set no_new_privs");
}

bool
vtree_privilege_no_core (GError **error)
{
  return prctl (PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
         || vtree_error_set_errno (error, errno, "leave no core");
}
