/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection's last requests, answered for a daemon that has died. What it had taken,
 * the kernel gives up by itself; what still waited would wait for as long as somebody
 * else holds the connection, such as a thread of its that waits for one of them.
 */
#pragma once

/* Another descriptor of the connection DEVICE, to be closed by the caller; -1 where there
 * is none to be had. */
int vtree_refuse_prepare (int device);

/* Answers ENOTCONN to all that waits on DEVICE (-1: nothing does), until nothing has come
 * for a moment. */
void vtree_refuse_waiting (int device);
