/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a service tells its manager, by the protocol that sd_notify(3) documents:
 * datagrams of NAME=VALUE lines to the socket that the environment names.
 *
 *   g_auto (VtreeNotify) notify = VTREE_NOTIFY_INIT;
 *   vtree_notify_take (&notify, &error)             before anything is started
 *   vtree_notify_send (&notify, "READY=1")
 */
#pragma once

#include "core/fd.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct {
  VtreeFd fd; /* -1: nobody listens */
  struct sockaddr_un address;
  socklen_t size;
  gint64 watchdog; /* microseconds in which a sign of life is expected; 0: none is */
} VtreeNotify;

/* clang-format off */
#define VTREE_NOTIFY_INIT { .fd = -1 }
/* clang-format on */

/* Gives up the socket. */
void vtree_notify_clear (VtreeNotify *notify);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeNotify, vtree_notify_clear)

/* From NOTIFY_SOCKET (a path, or an abstract name behind an @), WATCHDOG_USEC and
 * WATCHDOG_PID, which the environment loses, so that no child speaks for us. Without
 * NOTIFY_SOCKET nobody listens, and that is no error. Errors: VTREE_ERROR_INVALID for
 * what is no address, or no number; VTREE_ERRNO_ERROR. */
bool vtree_notify_take (VtreeNotify *notify, GError **error);

/* Sends one datagram. A manager that does not take it is no failure of the service: it
 * draws its own conclusions. */
void vtree_notify_send (const VtreeNotify *notify, const char *format, ...)
  G_GNUC_PRINTF (2, 3);
