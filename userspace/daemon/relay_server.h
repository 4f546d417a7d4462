/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole relay, from a configuration to one that serves: credentials, ports, kernel path,
 * workers, control socket. Start-up order and its reverse are here and nowhere else.
 */
#ifndef TURNPIKE_DAEMON_RELAY_SERVER_H
#define TURNPIKE_DAEMON_RELAY_SERVER_H

#include <event2/event.h>

#include "config/config.h"
#include "daemon/plan.h"

struct relay_server;

/*
 * Starts to serve. config and plan are borrowed and must outlive the result. What is wrong is
 * logged, with its remedy. Returns 0 or -errno.
 */
int relay_server_start(struct event_base *base, const struct config *config,
		       const struct plan *plan, struct relay_server **ret);
/* Ends every allocation, detaches and unpins. Takes NULL. */
void relay_server_stop(struct relay_server **server);

#endif
