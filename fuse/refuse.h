/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection's last requests, refused where nobody serves it any more. What the
 * daemon had taken, the kernel gives up by itself as its descriptor is closed; what
 * still waited would wait for as long as somebody else holds the connection, such as a
 * thread that waits for one of them.
 */
#pragma once

#include <stdbool.h>

/* Another descriptor of the connection DEVICE, to be closed by the caller; -1 where
 * there is none to be had. */
int vtree_refuse_prepare (int device);

/* Waits at most MOMENT milliseconds for a request on DEVICE (of _prepare), and answers
 * it with ENOTCONN. False: none came. */
bool vtree_refuse_next (int device, int moment);
