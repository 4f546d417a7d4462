/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces without names: they vanish with the test process, whatever becomes of it.
 */
#ifndef TURNPIKE_TESTS_NETNS_H
#define TURNPIKE_TESTS_NETNS_H

#include <stdbool.h>

#include "base/macros.h"

/* True if the process may make namespaces; otherwise prints `SKIP name: why`. */
bool netns_may_run(const char *name);

/*
 * A fresh namespace to work in, joined to a peer's by a veth pair: tp-here and tp-there, up, with
 * the MAC addresses 02:00:00:00:00:01 and :02. Leaves those of the test before. tp-here has
 * 192.0.2.1/24 and 2001:db8::1/64, tp-there .2 and ::2.
 */
void netns_make_pair(void);

/*
 * The calling thread works in the peer's namespace from now on, or here again; sockets stay where
 * they were made.
 */
void netns_go_there(void);
void netns_come_back(void);

/* Runs a shell command here, or in the peer's namespace, and fails the test if it fails. */
void netns_run(const char *format, ...) PRINTF_LIKE(1, 2);
void netns_run_there(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
