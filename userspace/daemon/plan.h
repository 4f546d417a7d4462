/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon will do on this host: the configuration with everything it left open filled in
 * from what the network really has. Made once at start-up; plain data afterwards.
 */
#ifndef TURNPIKE_DAEMON_PLAN_H
#define TURNPIKE_DAEMON_PLAN_H

#include <net/if.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "turn/ports.h"

struct plan {
	struct addr listen[CONFIG_LISTEN_MAX];
	size_t listen_count;
	struct ports_config relay;
	char interfaces[CONFIG_INTERFACES_MAX][IF_NAMESIZE];
	size_t interface_count;
	uint32_t workers;
};

/*
 * Fills the plan. What the configuration asks for and the host has not (an address no interface
 * has) is printed on errors as FILE:LINE:COLUMN. path names the configuration, NULL for none.
 * Returns 0, or -EINVAL after errors were printed.
 */
int plan_make(const struct config *config, const char *path, FILE *errors, struct plan *ret);

#endif
